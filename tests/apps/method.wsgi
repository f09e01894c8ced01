"""Says which method it was asked with, in the header X-Method."""


def application(environ, start_response):
    body = b"body\n"
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Method", environ["REQUEST_METHOD"])])
    return [body]
