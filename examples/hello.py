"""A small WSGI application to look at: a page about the request and the process that answers it.

Run it with `cargo xtask serve`, or with `dormouse start-server examples/hello.py`.
"""

import html
import os
import sys
import threading
import time
from urllib.parse import parse_qs

STARTED = time.time()

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Hello from Dormouse</title>
<style>
  body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 42rem; margin: 3rem auto; padding: 0 1rem }}
  table {{ border-collapse: collapse }}
  td, th {{ border-bottom: 1px solid #ddd; padding: .3rem .8rem .3rem 0; text-align: left }}
</style>
<h1>Hello, {name}!</h1>
<p>This page comes from a Python application under the Apache HTTP Server.
Say who you are: <a href="?name=world">?name=world</a>.</p>
<table>{rows}</table>
<p>Change <code>{script}</code>, load this page again, and see the change.</p>
</html>
"""


def application(environ, start_response):
    """Answers every URL with the page."""
    name = query_value(environ.get("QUERY_STRING", ""), "name") or "there"
    group = environ.get("mod_wsgi.process_group")
    facts = [
        ("Python", sys.version.split()[0]),
        ("Server", environ.get("SERVER_SOFTWARE", "unknown")),
        ("Runs in", f"daemon process group {group}" if group else "Apache's own process"),
        ("Process", os.getpid()),
        ("Thread", threading.current_thread().name),
        ("Up since", time.strftime("%H:%M:%S", time.localtime(STARTED))),
        ("You asked for", environ.get("REQUEST_URI") or environ.get("PATH_INFO", "/")),
    ]
    rows = "".join(
        f"<tr><th>{html.escape(label)}</th><td>{html.escape(str(value))}</td></tr>"
        for label, value in facts
    )
    page = PAGE.format(name=html.escape(name), rows=rows, script=html.escape(__file__))
    body = page.encode()
    start_response(
        "200 OK",
        [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(body)))],
    )
    return [body]


def query_value(query, key):
    """Gives the first value of the key in a query string."""
    return parse_qs(query).get(key, [""])[0]


if __name__ == "__main__":
    from wsgiref.simple_server import make_server

    with make_server("localhost", 8000, application) as server:
        print("http://localhost:8000/")
        server.serve_forever()
