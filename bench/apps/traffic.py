"""What servers are measured with: short and long answers, bodies, and a file.

The file's name comes from the environment, or lies beside this one.
"""
import os

HELLO = b"Hello, world!\n"
TEN = b"x" * 10240
PIECE = b"y" * 16384
FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "file")


def answer(start_response, body):
    start_response("200 OK", [
        ("Content-Type", "text/plain"),
        ("Content-Length", str(len(body))),
    ])
    return [body]


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/hello":
        return answer(start_response, HELLO)
    if path == "/ten":
        return answer(start_response, TEN)
    if path == "/pieces":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return (PIECE for _ in range(64))
    if path == "/echo":
        return answer(start_response, environ["wsgi.input"].read())
    if path == "/upload":
        return answer(start_response, str(len(environ["wsgi.input"].read())).encode())
    if path == "/file":
        start_response("200 OK", [
            ("Content-Type", "application/octet-stream"),
            ("Content-Length", str(os.path.getsize(FILE))),
        ])
        file = open(FILE, "rb")
        if "wsgi.file_wrapper" in environ:
            return environ["wsgi.file_wrapper"](file, 65536)
        return iter(lambda: file.read(65536), b"")
    start_response("404 Not Found", [("Content-Length", "0")])
    return [b""]
