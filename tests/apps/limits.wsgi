"""What limits are for: requests that take too long, processes that use too much.

/               the pid
/hold?NAME      waits until the file NAME exists beside the script's copy or in the directory HOLD, then the pid
/python         runs Python code for ever
/late           sends a piece, then runs Python code for ever
/call           sleeps in one call for ever
/gil            keeps the GIL in one call for ever
/spin?SECONDS   uses so much time of the processor, then the pid
/allocate?N     allocates N bytes: "allocated", or "MemoryError"
/facts          JSON: nice, switch interval, stack mappings, environment, groups, run_once, limits
/header?N       a header of N bytes
/flood          more than a client takes that does not read

The reason of process_stopping is printed. Where the environment has ATEXIT_SLEEPS, an atexit function never ends.
"""

import atexit
import json
import os
import re
import resource
import sys
import time

import mod_wsgi


@mod_wsgi.subscribe_events
def told(name, shutdown_reason=None, **event):
    if name == "process_stopping":
        print("stopping because of", shutdown_reason)


if os.path.exists(os.path.join(os.path.dirname(__file__), "atexit-sleeps")):
    atexit.register(time.sleep, 1000)


def forever():
    while True:
        time.sleep(0.01)


def late():
    yield b"a piece\n"
    forever()


def spin(seconds):
    while time.process_time() < seconds:
        pass
    return os.getpid()


def hold(environ, name):
    here = os.path.dirname(os.path.abspath(__file__))
    deadline = time.monotonic() + 30
    while not os.path.exists(os.path.join(here, name)):
        if time.monotonic() > deadline:
            raise RuntimeError("nobody made the file " + name)
        time.sleep(0.01)
    return os.getpid()


def allocate(length):
    try:
        bytes(length)
    except MemoryError:
        return "MemoryError"
    return "allocated"


def mappings():
    sizes = []
    if not os.path.exists("/proc/self"):
        return sizes
    with open("/proc/self/maps") as file:
        for line in file:
            first, last = line.split()[0].split("-")
            sizes.append(int(last, 16) - int(first, 16))
    return sizes


def facts(environ):
    return {
        "nice": os.getpriority(os.PRIO_PROCESS, 0),
        "switch_interval": sys.getswitchinterval(),
        "mappings": mappings(),
        "environment": dict(os.environ),
        "groups": sorted(os.getgroups()),
        "run_once": environ["wsgi.run_once"],
        "root": os.listdir("/"),
        "script": environ["SCRIPT_FILENAME"],
        "data": resource.getrlimit(resource.RLIMIT_DATA)[0],
        "cpu": resource.getrlimit(resource.RLIMIT_CPU),
    }


def application(environ, start_response):
    path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
    headers = [("Content-Type", "text/plain")]
    if path == "/late":
        start_response("200 OK", headers)
        return late()
    if path == "/flood":
        start_response("200 OK", headers)
        return (b"x" * 65536 for _ in range(2000))
    if path == "/header":
        start_response("200 OK", headers + [("X-Long", "x" * int(query))])
        return [b"ok"]
    if path == "/python":
        forever()
    if path == "/call":
        time.sleep(1000)
    if path == "/gil":
        re.match("(a+)+$", "a" * 60 + "b")
    if path == "/hold":
        answer = hold(environ, query)
    elif path == "/spin":
        answer = spin(float(query))
    elif path == "/allocate":
        answer = allocate(int(query))
    elif path == "/facts":
        answer = facts(environ)
    else:
        answer = os.getpid()
    start_response("200 OK", headers)
    return [json.dumps(answer).encode()]
