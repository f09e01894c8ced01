"""Other test applications under wsgiref.validate, which is outermost and so sees the environ as it comes.

/NAME/...       the application NAME, at its own endpoint
"""

import importlib.machinery
import importlib.util
import os
import sys
from wsgiref.util import shift_path_info
from wsgiref.validate import validator

HERE = os.path.dirname(os.path.abspath(__file__))
FILES = {
    "bodies": "bodies.wsgi",
    "django": "django_site/wsgi.py",
    "environ": "environ.wsgi",
    "extensions": "extensions.wsgi",
    "flask": "flask_app.wsgi",
    "httpbin": "httpbin.wsgi",
    "method": "method.wsgi",
    "process": "process.wsgi",
    "streams": "streams.wsgi",
}
# These read their input without a size, as PEP 3333 allows and the validator does not.
READ_ALL = {"django", "flask", "httpbin"}
LOADED = {}


class Input:
    """The validator's input, and read() where it wants read(-1)."""

    def __init__(self, stream):
        self.stream = stream

    def read(self, size=-1):
        return self.stream.read(size)

    def __getattr__(self, name):
        return getattr(self.stream, name)


def load(name):
    if name not in LOADED:
        loader = importlib.machinery.SourceFileLoader("validated_" + name, os.path.join(HERE, FILES[name]))
        module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
        loader.exec_module(module)
        LOADED[name] = module.application
    return LOADED[name]


@validator
def application(environ, start_response):
    name = shift_path_info(environ)
    if name in READ_ALL:
        environ["wsgi.input"] = Input(environ["wsgi.input"])
    return load(name)(environ, start_response)


sys.path.insert(0, HERE)
