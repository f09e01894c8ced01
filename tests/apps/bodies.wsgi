"""Bodies in both directions.

/digest         reads the whole body in pieces and answers with length and MD5
/echo           sends each piece of the body back as soon as it was read
/late           sends a piece first, and reads the body then
/ignore         answers without reading anything
/big?N          answers with N bytes in pieces of 64 KiB
/pieces?N       answers with N pieces, each when the client has sent a line of the body
/file           answers with this file through wsgi.file_wrapper
/lines          the lines of the body, one JSON string each
/length?N       says Content-Length N and sends five bytes
/read-twice     reads the body to its end, and then once more
"""

import hashlib
import json

PIECE = 64 * 1024


def pieces(environ):
    return iter(lambda: environ["wsgi.input"].read(PIECE), b"")


def digest(environ):
    length, md5 = 0, hashlib.md5()
    for piece in pieces(environ):
        length += len(piece)
        md5.update(piece)
    return json.dumps([length, md5.hexdigest()]).encode()


def late(environ):
    yield b"first\n"
    yield digest(environ)


def big(size):
    piece = bytes(range(256)) * (PIECE // 256)
    while size > 0:
        yield piece[:size]
        size -= len(piece)


def steps(environ, count):
    for number in range(count):
        line = environ["wsgi.input"].readline()
        yield b"%d %s" % (number, line)


def application(environ, start_response):
    path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
    headers = [("Content-Type", "application/octet-stream")]
    if path == "/length":
        headers.append(("Content-Length", query))
    start_response("200 OK", headers)
    if path == "/digest":
        return [digest(environ)]
    if path == "/echo":
        return pieces(environ)
    if path == "/late":
        return late(environ)
    if path == "/big":
        return big(int(query))
    if path == "/pieces":
        return steps(environ, int(query))
    if path == "/file":
        return environ["wsgi.file_wrapper"](open(__file__, "rb"))
    if path == "/lines":
        return [json.dumps([line.decode() for line in environ["wsgi.input"]]).encode()]
    if path == "/read-twice":
        first = environ["wsgi.input"].read()
        return [first, b"|", environ["wsgi.input"].read()]
    return [b"five\n"]
