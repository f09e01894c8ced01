"""A Flask application.

/hello/NAME       a greeting rendered from a template
/echo    POST     the JSON object that was sent, with its keys sorted, and their number
/form    POST     the fields of a form as JSON
/stream?gate=PATH "first", then "second" as soon as a file exists at PATH
/remember?name=N  keeps N in the session cookie
/remembered       what the session cookie holds
/fail             raises ZeroDivisionError
"""

import os
import time

from flask import Flask, Response, jsonify, render_template_string, request, session

application = Flask(__name__)
application.secret_key = "for tests"


@application.get("/hello/<name>")
def hello(name):
    return render_template_string("<h1>Hello, {{ name }}!</h1>", name=name)


@application.post("/echo")
def echo():
    sent = request.get_json()
    return jsonify(sent=sent, keys=len(sent))


@application.post("/form")
def form():
    return jsonify(request.form.to_dict(flat=False))


@application.get("/stream")
def stream():
    gate = request.args["gate"]

    def pieces():
        yield "first"
        end = time.monotonic() + 30
        while not os.path.exists(gate):
            if time.monotonic() > end:
                raise TimeoutError(gate)
            time.sleep(0.01)
        yield "second"

    return Response(pieces(), mimetype="text/plain")


@application.get("/remember")
def remember():
    session["name"] = request.args["name"]
    return "kept"


@application.get("/remembered")
def remembered():
    return session.get("name", "nobody")


@application.get("/fail")
def fail():
    return str(1 / 0)
