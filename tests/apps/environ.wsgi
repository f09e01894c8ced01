"""Shows the environ.

Every URL: the environ as a JSON object. What JSON cannot say becomes the name of its type.
"""

import json


def plain(value):
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return value.__name__ if isinstance(value, type) else type(value).__name__


def application(environ, start_response):
    shown = {key: plain(value) for key, value in environ.items()}
    body = json.dumps(shown, sort_keys=True, indent=1).encode()
    start_response("200 OK", [("Content-Type", "application/json")])
    return [body]
