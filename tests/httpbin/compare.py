"""Makes the same calls to a server under test and to wsgiref.simple_server, which runs the same application, and
compares the answers: status, reason, headers and body of each response, redirects included.

    python compare.py SCRIPT URL

SCRIPT is the WSGI script file, URL where the server under test has it. Each call is made by requests and by httpx.
Every difference that is allowed stands below with its reason; one that no longer shows is an error, too.
"""

import importlib.machinery
import importlib.util
import json
import re
import socketserver
import ssl
import sys
import threading
from dataclasses import dataclass, field
from wsgiref import simple_server

import httpx
import requests

# Headers of responses that may differ anywhere, and why.
ALLOWED = {
    "date": "the clock",
    "server": "each server names itself",
    "connection": "httpd speaks HTTP/1.1 and says what becomes of the connection, wsgiref speaks HTTP/1.0",
    "keep-alive": "httpd says how long a connection stays open, wsgiref keeps none",
    "transfer-encoding": "a body of unknown length: httpd sends chunks, wsgiref closes the connection",
}

RANDOM = "httpbin makes it up for each response"
BODILESS = "httpd sends no header about a body that there cannot be"
# These may be the same by chance.
CLOCK = "the clock"
PORT = "the port is part of what is compressed"
BY_CHANCE = {CLOCK, PORT}


@dataclass
class Call:
    """A request, and the status of its last response."""

    method: str
    path: str
    status: int = 200
    headers: dict = field(default_factory=dict)
    form: dict = None
    content: bytes = None
    # The body in pieces, sent in chunks. wsgiref cannot read chunks and gets the same body with its length.
    pieces: list = None
    files: dict = None
    json: object = None
    cookies: dict = field(default_factory=dict)
    auth: tuple = None
    follow: bool = False
    # Headers of this call's responses that may differ, and why; "body" is allowed as a name, too.
    differs: dict = field(default_factory=dict)


FRAMING = {
    "content-length": "the request's headers are part of the body, and those that frame its own body differ",
    "body": "httpbin shows the request's headers: Transfer-Encoding here, Content-Length there",
}
# One for all calls, none of which uses TLS: httpx would read the authorities of the whole world anew for each.
CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
TEXT = "fünf €uro, 日本語, \U0001f40c"
NOISE = bytes(range(256)) * 1200

CALLS = [
    # The methods, and what they carry.
    Call("GET", "/get"),
    Call("GET", "/get?a=1&a=2&b=%C3%BC&c=%26%3D&empty="),
    Call("GET", "/get", headers={"X-One": "1", "Accept-Language": "de, en;q=0.5", "X-Empty": ""}),
    Call("HEAD", "/get"),
    Call("OPTIONS", "/get", headers={"Origin": "http://a.example", "Access-Control-Request-Headers": "X-One"}),
    Call("POST", "/post", form={"a": "1", "b": TEXT, "c": ["x", "y"]}),
    Call("PUT", "/put", form={"a": "1"}),
    Call("PATCH", "/patch", form={"a": "1"}),
    Call("DELETE", "/delete"),
    Call("DELETE", "/delete", form={"a": "1"}),
    Call("POST", "/post", json={"text": TEXT, "list": [1, 2.5, None, True], "deep": {"a": {"b": []}}}),
    Call("PUT", "/put", json=[1, 2]),
    Call("PATCH", "/patch", json="text"),
    Call("POST", "/post", content=b""),
    Call("POST", "/post", content=b"plain", headers={"Content-Type": "text/plain"}),
    Call("POST", "/post", content=TEXT.encode(), headers={"Content-Type": "text/plain; charset=utf-8"}),
    Call("POST", "/post", content=NOISE, headers={"Content-Type": "application/octet-stream"}),
    Call("POST", "/post", content=b"{", headers={"Content-Type": "application/json"}),
    Call("POST", "/post", files={"file": ("a.txt", b"content of a file", "text/plain")}),
    Call("POST", "/post", files={"one": ("ü.bin", NOISE), "two": ("b", b"")}, form={"a": "1"}),
    Call("POST", "/post", pieces=[b"one ", b"two ", b"three"], differs=FRAMING),
    Call("PUT", "/put", pieces=[NOISE] * 5, differs=FRAMING),
    Call("POST", "/anything/with/a%20path/%C3%BC?q=1", json={"a": 1}),
    Call("TRACE", "/anything", 405, differs={
        name: "httpd refuses TRACE (here by TraceEnable Off) before it looks for a handler"
        for name in ("status", "reason", "body", "content-length", "content-type", "allow",
                     "access-control-allow-origin", "access-control-allow-credentials")
    }),
    Call("GET", "/post", 405),
    Call("GET", "/nowhere", 404),
    # What the server tells of the request.
    Call("GET", "/headers", headers={"X-Latin": "caf\u00e9".encode("latin-1"), "Accept": "a/b, c/d"}),
    Call("GET", "/ip"),
    Call("GET", "/user-agent", headers={"User-Agent": "somebody/1.0"}),
    Call("GET", "/anything//doubled///slashes/", differs={
        name: "httpd makes one slash of several (MergeSlashes), and so the application redirects nobody"
        for name in ("status", "reason", "body", "content-length", "content-type", "location")
    }),
    Call("GET", "/anything/a;b=c/d,e/~f/(g)"),
    # Formats and encodings.
    Call("GET", "/html"),
    Call("GET", "/json"),
    Call("GET", "/xml"),
    Call("GET", "/robots.txt"),
    Call("GET", "/deny"),
    Call("GET", "/encoding/utf8"),
    Call("GET", "/forms/post"),
    Call("GET", "/base64/RG9ybW91c2U="),
    Call("GET", "/spec.json"),
    Call("GET", "/flasgger_static/swagger-ui.css"),
    Call("GET", "/gzip", differs={"content-length": PORT}),
    Call("GET", "/deflate", differs={"content-length": PORT}),
    Call("GET", "/brotli", differs={"content-length": PORT}),
    Call("GET", "/image/png"),
    Call("GET", "/image/jpeg"),
    Call("GET", "/image/webp"),
    Call("GET", "/image/svg"),
    Call("GET", "/image", headers={"Accept": "image/webp"}),
    Call("GET", "/image", 406, headers={"Accept": "text/html"}),
    Call("HEAD", "/image/png"),
    # Statuses.
    *(Call("GET", f"/status/{status}", status) for status in (
        200, 201, 202, 203, 206, 300, 301, 302, 303, 305, 307, 308, 400, 401, 402, 403, 404, 405, 406, 408, 409, 410,
        411, 412, 413, 414, 415, 416, 417, 418, 422, 428, 429, 431, 451, 500, 501, 502, 503, 504, 505, 511, 599,
    )),
    Call("GET", "/status/204", 204, differs={
        name: BODILESS for name in ("content-length", "content-type")
    }),
    Call("GET", "/status/304", 304, differs={"content-length": BODILESS}),
    Call("GET", "/status/407", 407, differs={
        name: "wsgiref takes Proxy-Authenticate for a header of the connection and fails"
        for name in ("status", "reason", "body", "content-length", "content-type", "proxy-authenticate",
                     "access-control-allow-origin", "access-control-allow-credentials")
    }),
    *(Call(method, "/status/418", 418) for method in ("POST", "PUT", "PATCH", "DELETE", "HEAD")),
    # Redirects.
    Call("GET", "/redirect/3", follow=True),
    Call("GET", "/redirect/1", 302),
    Call("GET", "/relative-redirect/3", follow=True),
    Call("GET", "/absolute-redirect/3", follow=True),
    Call("POST", "/redirect-to?url=/post&status_code=307", form={"a": "1"}, follow=True),
    Call("POST", "/redirect-to?url=/get&status_code=303", form={"a": "1"}, follow=True),
    Call("PUT", "/redirect-to?url=/put&status_code=308", content=b"again", follow=True),
    # Cookies.
    Call("GET", "/cookies", cookies={"a": "1", "b": "two"}),
    Call("GET", "/cookies/set?a=1&b=2", follow=True),
    Call("GET", "/cookies/set/name/value", 302),
    Call("GET", "/cookies/delete?a=", cookies={"a": "1", "b": "2"}, follow=True),
    # Who asks.
    Call("GET", "/basic-auth/ada/secret", auth=("ada", "secret")),
    Call("GET", "/basic-auth/ada/secret", 401, auth=("ada", "wrong")),
    Call("GET", "/basic-auth/ada/secret", 401),
    Call("GET", "/hidden-basic-auth/ada/secret", 404),
    Call("GET", "/hidden-basic-auth/ada/secret", auth=("ada", "secret")),
    Call("GET", "/bearer", headers={"Authorization": "Bearer token"}),
    Call("GET", "/bearer", 401),
    Call("GET", "/digest-auth/auth/ada/secret", 401, differs={"www-authenticate": RANDOM}),
    # Streams, and bytes in pieces.
    Call("GET", "/stream/5"),
    # (Not /bytes: it returns a bytearray, which both servers refuse, as PEP 3333 has it.)
    Call("GET", "/stream-bytes/100000?seed=1&chunk_size=3000"),
    Call("GET", "/drip?numbytes=5&duration=0.5&delay=0"),
    Call("GET", "/drip?numbytes=1&duration=0&code=500", 500),
    Call("GET", "/delay/1"),
    Call("GET", "/range/1000"),
    Call("GET", "/range/1000?chunk_size=100&duration=0"),
    Call("GET", "/range/1000", 206, headers={"Range": "bytes=10-19"}),
    Call("GET", "/range/1000", 206, headers={"Range": "bytes=-10"}),
    Call("GET", "/range/1000", 416, headers={"Range": "bytes=2000-"}),
    Call("HEAD", "/range/1000"),
    # Caches.
    Call("GET", "/cache", differs={"etag": RANDOM, "last-modified": CLOCK}),
    Call("GET", "/cache", 304, headers={"If-None-Match": "x"},
         differs={"content-length": BODILESS}),
    Call("GET", "/cache", 304, headers={"If-Modified-Since": "Mon, 01 Jan 2024 00:00:00 GMT"},
         differs={"content-length": BODILESS}),
    Call("GET", "/cache/60"),
    Call("GET", "/etag/abc"),
    Call("GET", "/etag/abc", 304, headers={"If-None-Match": '"abc", "d"'},
         differs={"content-length": BODILESS}),
    Call("GET", "/etag/abc", 412, headers={"If-Match": '"d"'}),
    Call("GET", "/etag/abc", 200, headers={"If-Match": '"abc"'}),
    # Headers that the application sends.
    Call("GET", "/response-headers?X-One=1&X-Two=a%20b&X-Two=c&Cache-Control=no-store"),
    Call("POST", "/response-headers?Content-Type=text/x-own&ETag=%22e%22", differs={
        "content-type": "httpd sends one Content-Type, the last that it was given",
    }),
    Call("GET", "/links/5/2"),
]


@dataclass
class Answer:
    """A response, without what belongs to one server only."""

    status: int
    reason: str
    headers: dict
    body: bytes


def answer(base, status, reason, headers, body):
    """The address of the server becomes a word of the same length, a boundary loses what is random in it, and Allow the
    order of the set that it is made of, which is another one in each process."""
    host = base.split("//")[1]

    def plain(text):
        text = text.replace(host, "h" * len(host))
        return re.sub("boundary=[-0-9a-f]+", "boundary=", text)

    collected = {}
    for name, value in headers:
        if name.lower() == "allow":
            value = ", ".join(sorted(value.split(", ")))
        collected.setdefault(name.lower(), []).append(plain(value))
    return Answer(status, reason, collected, plain(body.decode("latin-1")).encode("latin-1"))


def by_requests(base, call, pieces):
    with requests.Session() as session:
        session.trust_env = False
        last = session.request(
            call.method,
            base + call.path,
            headers=call.headers,
            data=iter(pieces) if pieces else call.form or call.content,
            files=call.files,
            json=call.json,
            cookies=call.cookies,
            auth=call.auth,
            allow_redirects=call.follow,
            timeout=60,
        )
        replies = [*last.history, last]
        return [
            answer(base, one.status_code, one.reason, one.raw.headers.iteritems(), one.content) for one in replies
        ]


def by_httpx(base, call, pieces):
    with httpx.Client(
        trust_env=False, verify=CONTEXT, cookies=call.cookies, auth=call.auth, timeout=60
    ) as client:
        last = client.request(
            call.method,
            base + call.path,
            headers=call.headers,
            content=iter(pieces) if pieces else call.content,
            data=call.form,
            files=call.files,
            json=call.json,
            follow_redirects=call.follow,
        )
        replies = [*last.history, last]
        return [
            answer(base, one.status_code, one.reason_phrase, one.headers.multi_items(), one.content)
            for one in replies
        ]


def differences(ours, theirs):
    """(what, here, there) for all that is not equal."""
    if len(ours) != len(theirs):
        yield "number of responses", len(ours), len(theirs)
    for here, there in zip(ours, theirs):
        for what in ("status", "reason", "body"):
            if getattr(here, what) != getattr(there, what):
                yield what, getattr(here, what), getattr(there, what)
        for name in sorted({*here.headers, *there.headers}):
            if here.headers.get(name) != there.headers.get(name):
                yield name, here.headers.get(name), there.headers.get(name)


def shown(value):
    text = repr(value)
    return text if len(text) < 400 else text[:200] + " … " + text[-200:]


def compare(client, base, reference, call, explained):
    """The faults of one call, as lines."""
    ours = client(base, call, call.pieces)
    unchunked = call if call.pieces is None else Call(**{**vars(call), "content": b"".join(call.pieces)})
    theirs = client(reference, unchunked, None)
    title = f"{client.__name__}: {call.method} {call.path}"
    if ours[-1].status != call.status:
        yield f"{title}: status {ours[-1].status}, not {call.status}"
    found = set()
    for what, here, there in differences(ours, theirs):
        found.add(what)
        if what in call.differs:
            continue
        if what in ALLOWED:
            explained.add(what)
            continue
        yield f"{title}: {what} differs\n    here:    {shown(here)}\n    wsgiref: {shown(there)}"
    for what, why in call.differs.items():
        if what in found or why in BY_CHANCE:
            continue
        yield f"{title}: {what} is the same, but a difference is allowed"


class Server(socketserver.ThreadingMixIn, simple_server.WSGIServer):
    daemon_threads = True


class Handler(simple_server.WSGIRequestHandler):
    def get_environ(self):
        """Without the Content-Type text/plain that wsgiref makes up for requests that say none."""
        environ = super().get_environ()
        if "Content-Type" not in self.headers:
            environ["CONTENT_TYPE"] = ""
        return environ

    def log_message(self, *arguments):
        pass


def load(path):
    loader = importlib.machinery.SourceFileLoader("script", path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("script", loader))
    loader.exec_module(module)
    return module.application


def main(script, base):
    server = simple_server.make_server("127.0.0.1", 0, load(script), Server, Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    reference = f"http://127.0.0.1:{server.server_port}"
    if len(reference) != len(base):
        raise SystemExit(f"{base} and {reference} are not of one length, so no Content-Length would be the same")
    explained = set()
    faults = [
        fault
        for client in (by_requests, by_httpx)
        for call in CALLS
        for fault in compare(client, base, reference, call, explained)
    ]
    faults += [f"{name} never differed, but may" for name in ALLOWED.keys() - explained]
    server.shutdown()
    print(json.dumps({"calls": 2 * len(CALLS), "faults": len(faults)}))
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
