"""Requests that compute, and requests that wait.

/compute   computes for a few milliseconds
/spin      computes until /stop
/wait      waits until /open
/stop, /open, /   answer
"""
import threading
import time

OPEN = threading.Event()
STOP = threading.Event()
RUNNING = []


def application(environ, start_response):
    path = environ["PATH_INFO"]
    RUNNING.append(path)
    if path == "/compute":
        end = time.perf_counter() + 0.003
        while time.perf_counter() < end:
            pass
    elif path == "/spin":
        while not STOP.is_set():
            pass
    elif path == "/wait":
        OPEN.wait()
    elif path == "/stop":
        STOP.set()
    elif path == "/open":
        OPEN.set()
    body = " ".join(RUNNING).encode()
    RUNNING.remove(path)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body]
