"""Everything that a request can do to a process, to see what stays of it.

/          answers
/raise     raises before anything was sent, /raise-late after a piece was sent
/body      reads the body and tells its length
/large     answers 1 MiB in pieces
/file      answers this file by wsgi.file_wrapper
/wait      answers after 50 ms
/blocks    JSON: the allocated blocks of Python after a full collection
"""

import gc
import json
import sys
import time

PIECE = bytes(65536)


def raise_late():
    yield b"first piece\n"
    raise ValueError("raised late")


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/raise":
        raise ValueError("raised early")
    start_response("200 OK", [("Content-Type", "text/plain")])
    if path == "/raise-late":
        return raise_late()
    if path == "/large":
        return (PIECE for _ in range(16))
    if path == "/file":
        return environ["wsgi.file_wrapper"](open(__file__, "rb"))
    if path == "/body":
        return [str(len(environ["wsgi.input"].read())).encode()]
    if path == "/wait":
        time.sleep(0.05)
    if path == "/blocks":
        gc.collect()
        return [json.dumps(sys.getallocatedblocks()).encode()]
    return [b"well"]


def allow_access(environ, host):
    return True
