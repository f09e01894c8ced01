"""What the process of an application is like, and how it may end.

/facts          JSON: pid, thread, uid, gid, groups, umask, cwd, argv, path, title, environment, version, executable
/interpreter    JSON: id of the interpreter (0 is the main one), pid, calls in this interpreter, calls that this thread
                has counted in a threading.local
/hold?NAME      waits until the file NAME exists beside the script, then answers with the pid
/signal?N       sends the signal N to its own process before it answers
/cut?N          sends a piece of a chunked body, then the signal N to its own process
/raise          raises before anything was sent
/raise-late     raises after a piece was sent
"""

import json
import os
import signal
import sys
import threading
import time

CALLS = 0
LOCAL = threading.local()
HERE = os.path.dirname(os.path.abspath(__file__))


def facts():
    umask = os.umask(0)
    os.umask(umask)
    with open("/proc/self/cmdline", "rb") as file:
        title = file.read().split(b"\0")[0].decode()
    return {
        "pid": os.getpid(),
        "thread": threading.get_ident(),
        "uid": os.getuid(),
        "gid": os.getgid(),
        "groups": sorted(os.getgroups()),
        "umask": umask,
        "cwd": os.getcwd(),
        "argv": sys.argv,
        "path": sys.path,
        "title": title,
        "environment": dict(os.environ),
        "version": "%d.%d.%d" % sys.version_info[:3],
        "prefix": sys.prefix,
        "executable": sys.executable,
        "descriptors": sorted(int(name) for name in os.listdir("/proc/self/fd")),
    }


def interpreter_id():
    try:
        import _interpreters as interpreters
    except ImportError:
        import _xxsubinterpreters as interpreters
    current = interpreters.get_current()
    if isinstance(current, tuple):
        current = current[0]
    return int(current)


def interpreter():
    global CALLS
    CALLS += 1
    LOCAL.calls = getattr(LOCAL, "calls", 0) + 1
    return {
        "id": interpreter_id(),
        "pid": os.getpid(),
        "thread": threading.get_ident(),
        "calls": CALLS,
        "calls_of_thread": LOCAL.calls,
    }


def hold(name):
    deadline = time.monotonic() + 30
    while not os.path.exists(os.path.join(HERE, name)):
        if time.monotonic() > deadline:
            raise RuntimeError("nobody made the file " + name)
        time.sleep(0.01)
    return os.getpid()


def cut(number):
    yield b"first piece\n"
    os.kill(os.getpid(), number)
    time.sleep(30)


def raise_late():
    yield b"first piece\n"
    raise ValueError("raised late")


def application(environ, start_response):
    path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
    if path == "/raise":
        raise ValueError("raised early")
    if path in ("/cut", "/raise-late"):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return cut(int(query)) if path == "/cut" else raise_late()
    if path == "/signal":
        os.kill(os.getpid(), int(query))
        time.sleep(30)
    if path == "/hold":
        answer = hold(query)
    elif path == "/interpreter":
        answer = interpreter()
    else:
        answer = facts()
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(answer).encode()]
