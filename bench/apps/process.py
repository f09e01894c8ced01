"""Says with each response which process and which Python made it."""
import os
import sys

PYTHON = " ".join(sys.version.split())


def named(get_response):
    def middleware(request):
        response = get_response(request)
        response["X-Process"] = str(os.getpid())
        response["X-Python"] = PYTHON
        return response

    return middleware
