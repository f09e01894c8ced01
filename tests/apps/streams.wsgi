"""Bodies too long for memory, bodies that break off, and requests that have ended.

/count          reads the whole body in pieces of 64 KiB; JSON: its length, and whether it was the bytes 0 to 255 over and
                over
/half           reads the whole body in pieces, and keeps what happens
/keep           keeps wsgi.input, wsgi.errors, start_response and write, and says when it does
/outcome        JSON: what /half has seen: the bytes read, and null or the exception with its bases and text
/kept           JSON: what the kept objects raise now
"""

import json

PIECE = 64 * 1024
PATTERN = bytes(range(256)) * (PIECE // 256 + 1)

OUTCOME = None
KEPT = {}


def pieces(environ):
    return iter(lambda: environ["wsgi.input"].read(PIECE), b"")


def count(environ):
    length, right = 0, True
    for piece in pieces(environ):
        start = length % 256
        right = right and piece == PATTERN[start:start + len(piece)]
        length += len(piece)
    return [length, right]


def half(environ):
    global OUTCOME
    OUTCOME, read = None, 0
    try:
        for piece in pieces(environ):
            read += len(piece)
    except Exception as error:
        bases = [base.__name__ for base in type(error).__mro__]
        OUTCOME = {"read": read, "error": bases, "text": str(error)}
    else:
        OUTCOME = {"read": read, "error": None}
    return OUTCOME


def kept():
    attempts = {
        "read": lambda: KEPT["input"].read(1),
        "readline": lambda: KEPT["input"].readline(),
        "iterate": lambda: next(iter(KEPT["input"])),
        "errors": lambda: KEPT["errors"].write("too late\n"),
        "start_response": lambda: KEPT["start_response"]("200 OK", []),
        "write": lambda: KEPT["write"](b"too late"),
    }
    raised = {}
    for name, attempt in attempts.items():
        try:
            raised[name] = "returned %r" % attempt()
        except Exception as error:
            raised[name] = type(error).__name__
    return raised


def application(environ, start_response):
    path = environ["PATH_INFO"]
    headers = [("Content-Type", "application/json")]
    if path == "/keep":
        write = start_response("200 OK", headers)
        KEPT.update(
            input=environ["wsgi.input"], errors=environ["wsgi.errors"], start_response=start_response, write=write
        )
        return [b'"kept"']
    if path == "/count":
        answer = count(environ)
    elif path == "/half":
        answer = half(environ)
    elif path == "/kept":
        answer = kept()
    else:
        answer = OUTCOME
    start_response("200 OK", headers)
    return [json.dumps(answer).encode()]
