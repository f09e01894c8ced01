"""The httpbin application from PyPI, as tests/httpbin/compare.py calls it.

httpbin refuses chunked request bodies from every server but gunicorn, which it knows by SERVER_SOFTWARE: it was written
when others handed them on unread. A server that says wsgi.input_terminated can be trusted with them, so it is let in.
"""

from httpbin import app


def application(environ, start_response):
    if environ.get("wsgi.input_terminated"):
        environ["SERVER_SOFTWARE"] = "gunicorn/0"
    return app(environ, start_response)
