"""Counts what it serves. Each request has a number of its own as its query; a line with that and the pid goes into the
file `served` beside the script before anything is answered.

/        answers the number, 8 KiB, and the number again
/slow    the same, with 20 ms before each piece
"""

import os
import time

SERVED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "served")
FILLING = b"x" * 8192


def pieces(number, pause):
    for piece in (number, FILLING, number):
        time.sleep(pause)
        yield piece


def application(environ, start_response):
    number = environ["QUERY_STRING"]
    # One write to a file that is open for appending: lines of several processes do not mix.
    file = os.open(SERVED, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        os.write(file, b"%s %d\n" % (number.encode(), os.getpid()))
    finally:
        os.close(file)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return pieces(number.encode(), 0.02 if environ["PATH_INFO"] == "/slow" else 0)
