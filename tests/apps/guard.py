"""Hooks that answer with the value of a Python expression.

The expression comes in the header X-Access, X-Password, X-Hash, X-Groups, X-Process,
X-Application or X-Callable, after the function that is called (None if it is not sent). It sees
the function's arguments by their names, and `seen`: the dict that lives as long as the module.
"""

import hashlib
import json
import sys
import threading

seen = {}


def answer(environ, header, default=None, **arguments):
    expression = environ.get("HTTP_X_" + header)
    if expression is None:
        return default
    return eval(expression, {**globals(), "environ": environ, **arguments})


def tell(value):
    """Writes a value into the log, for the test to read, and has no opinion."""
    print("told: " + json.dumps(value, default=repr))


def fail(text):
    raise ValueError(text)


def leave():
    sys.exit("leaving")


def breaking(*names):
    yield from names
    raise ValueError("broken off")


def count(name):
    seen[name] = seen.get(name, 0) + 1
    return seen[name]


def allow_access(environ, host):
    return answer(environ, "ACCESS", host=host)


def check_password(environ, user, password):
    return answer(environ, "PASSWORD", user=user, password=password)


def get_realm_hash(environ, user, realm):
    return answer(environ, "HASH", user=user, realm=realm)


def groups_for_user(environ, user):
    return answer(environ, "GROUPS", (), user=user)


def process_group(environ):
    return answer(environ, "PROCESS")


def application_group(environ):
    return answer(environ, "APPLICATION")


def callable_object(environ):
    return answer(environ, "CALLABLE")
