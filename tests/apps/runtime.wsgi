"""What a Python was told before it started, and where it runs.

/           JSON: optimize, assertions, dont_write_bytecode, warnings, hash_randomization, hash, switch_interval,
            process_group, application_group, module, path, environment, handler_script, callable, variable
/error      status 500 with a body of its own
/challenge  status 401 with a challenge
/file       the script itself through wsgi.file_wrapper
/chunks     the length of the body, read to its end
/slow?S     sleeps for S seconds
"""

import atexit
import os
import sys
import time
import warnings

import mod_wsgi

atexit.register(print, "atexit has run")


@mod_wsgi.subscribe_events
def told(name, **event):
    if name == "process_stopping":
        print("stopping was told")


def asserted():
    try:
        assert False
    except AssertionError:
        return True
    return False


def facts(environ):
    return {
        "pid": os.getpid(),
        "optimize": sys.flags.optimize,
        "assertions": asserted(),
        "dont_write_bytecode": sys.dont_write_bytecode,
        "warnings": [entry[0] for entry in warnings.filters[:2]],
        "hash_randomization": sys.flags.hash_randomization,
        "hash": hash("dormouse"),
        "switch_interval": sys.getswitchinterval(),
        "process_group": environ["mod_wsgi.process_group"],
        "application_group": environ["mod_wsgi.application_group"],
        "module": __name__,
        "path": sys.path,
        "environment": dict(os.environ),
        "handler_script": environ["mod_wsgi.handler_script"],
        "request_handler": environ["mod_wsgi.request_handler"],
        "callable": environ["mod_wsgi.callable_object"],
        "script": environ["SCRIPT_FILENAME"],
        "authorization": environ.get("HTTP_AUTHORIZATION"),
    }


def application(environ, start_response):
    import json

    path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
    text = [("Content-Type", "text/plain")]
    if path == "/error":
        start_response("500 Broken", text)
        return [b"the application's own words"]
    if path == "/challenge":
        start_response("401 Who are you", text + [("WWW-Authenticate", 'Basic realm="us"')])
        return [b"the application's own words"]
    if path == "/file":
        start_response("200 OK", text)
        return environ["wsgi.file_wrapper"](open(__file__, "rb"))
    if path == "/chunks":
        start_response("200 OK", text)
        return [str(len(environ["wsgi.input"].read())).encode()]
    if path == "/slow":
        time.sleep(float(query))
    start_response("200 OK", text)
    return [json.dumps(facts(environ)).encode()]


def handle_request(environ, start_response):
    return application(environ, start_response)
