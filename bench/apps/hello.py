"""The smallest application: one line of text.

X-Process tells which process answered, X-Python which Python that was.
"""
import os
import sys

PYTHON = " ".join(sys.version.split())


def application(environ, start_response):
    body = b"Hello, world!\n"
    start_response("200 OK", [
        ("Content-Type", "text/plain"),
        ("Content-Length", str(len(body))),
        ("X-Process", str(os.getpid())),
        ("X-Python", PYTHON),
    ])
    return [body]
