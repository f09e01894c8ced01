"""What the modules mod_wsgi and apache offer to an application.

/facts          JSON: the attributes of both modules, and of this request
/events         JSON: the events of the requests so far, each with its name; a body is read first
/forget         forgets the events so far
/raise          raises before anything was sent
/wrapped        answers through what a subscriber has put around the application
/record         begins to record metrics
/requests       JSON: request_metrics()
/process        JSON: process_metrics()
/server         JSON: server_metrics()
/signals        JSON: what subscribing to signals does
/faulthandler   JSON: what faulthandler.enable() does with the replaced sys.stderr, and with the real one
/log            logs a line at each level of the module logging through mod_wsgi.LogHandler
"""

import faulthandler
import json
import logging
import os
import sys
import threading

import apache
import mod_wsgi

EVENTS = []


@mod_wsgi.subscribe_events
def note(name, **event):
    plain = {key: value for key, value in event.items() if isinstance(value, (int, float, str, dict, list))}
    plain.pop("request_environ", None)
    EVENTS.append(dict(plain, name=name, pid=os.getpid()))


@mod_wsgi.subscribe_events
def wrap(name, **event):
    if name == "request_started" and event["request_environ"]["PATH_INFO"] == "/wrapped":
        inner = event["application_object"]

        def outer(environ, start_response):
            return [b"around ", *inner(environ, start_response)]

        return {"application_object": outer}


@mod_wsgi.subscribe_shutdown
def stopping(name, **event):
    print("%s: %r" % (name, event["shutdown_reason"]))


def facts(environ):
    data = mod_wsgi.request_data()
    data["mine"] = 1
    elsewhere = []

    def other_thread():
        try:
            mod_wsgi.request_data()
        except RuntimeError:
            elsewhere.append("refused")

    thread = threading.Thread(target=other_thread)
    thread.start()
    thread.join()
    return {
        "version": mod_wsgi.version,
        "process_group": mod_wsgi.process_group,
        "application_group": mod_wsgi.application_group,
        "maximum_processes": mod_wsgi.maximum_processes,
        "threads_per_process": mod_wsgi.threads_per_process,
        "apache": [apache.version, apache.maximum_processes, apache.threads_per_process],
        "environ": [environ["mod_wsgi.version"], environ["apache.version"]],
        "active": mod_wsgi.active_requests.get(environ["mod_wsgi.request_id"]) is data,
        "request_data": data,
        "elsewhere": elsewhere,
    }


def signals():
    same = mod_wsgi.subscribe_signals(print) is print
    kept = print in mod_wsgi.signal_callbacks
    mod_wsgi.signal_callbacks.clear()
    return [same, kept]


def faults():
    try:
        faulthandler.enable()
        refused = None
    except OSError as error:
        refused = str(error)
    faulthandler.enable(file=sys.__stderr__)
    enabled = faulthandler.is_enabled()
    faulthandler.disable()
    return [refused, enabled]


def log():
    logger = logging.Logger("levels")
    logger.addHandler(mod_wsgi.LogHandler())
    for level in ("debug", "info", "warning", "error", "critical"):
        getattr(logger, level)("handled: %s", level)


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/raise":
        raise ValueError("raised early")
    answer = None
    if path == "/facts":
        answer = facts(environ)
    elif path == "/events":
        environ["wsgi.input"].read()
        answer = list(EVENTS)
    elif path == "/forget":
        EVENTS.clear()
    elif path == "/record":
        answer = mod_wsgi.start_recording_metrics()
    elif path == "/requests":
        answer = mod_wsgi.request_metrics()
    elif path == "/process":
        answer = mod_wsgi.process_metrics()
    elif path == "/server":
        answer = mod_wsgi.server_metrics()
    elif path == "/signals":
        answer = signals()
    elif path == "/faulthandler":
        answer = faults()
    elif path == "/log":
        log()
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(answer).encode()]
