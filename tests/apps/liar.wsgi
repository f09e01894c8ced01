"""A worker that speaks frames itself, as anything that runs in one may.

Mounted in a group with one thread, so that the only stream of the process is that of its own request.

/head?NAME      sends a head that no application may send (HEADS below), and a short body
/longer         announces 5 bytes and sends 500; /shorter announces 500, sends 5 and says that this is all
/declines       asks for the body, and then says that it has used nothing
/twice          sends two heads
/padded?NAME    sends a frame that has more bytes than its type means
/swaps          ends with another stream in place of the one that it was given; /swapped answers how much
                has come on that since then
/number         answers with the kernel's number of the stream
/log?N          writes N log lines of 1 KiB and answers
/               answers
"""
import array
import os
import socket
import struct

WANT_BODY, HEAD, DATA, FILE, LOG, END, FAIL, DECLINE = 16, 17, 18, 19, 20, 21, 23, 24

HEADS = {
    "interim": (100, "100 Continue", []),
    "other": (200, "404 Not Found", []),
    "line": (200, "200 OK\r\nSet-Cookie: stolen=1", []),
    "encoding": (200, "200 OK", [("Transfer-Encoding", "chunked")]),
    "value": (200, "200 OK", [("X-A", "b\r\nSet-Cookie: stolen=1")]),
    "name": (200, "200 OK", [("X-A: b\r\nSet-Cookie", "stolen=1")]),
    "length": (200, "200 OK", [("Content-Length", "-1")]),
    "lengths": (200, "200 OK", [("Content-Length", "5"), ("Content-Length", "6")]),
}


# The end that is kept of a stream of our own.
OURS = []


def stream():
    """The stream to httpd's child: the kernel says who is at the other end."""
    for name in sorted(os.listdir("/proc/self/fd"), key=int):
        try:
            found = socket.socket(fileno=os.dup(int(name)))
        except OSError:
            continue
        if found.family == socket.AF_UNIX and found.type == socket.SOCK_STREAM:
            peer, _, _ = struct.unpack("3i", found.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
            if peer not in (0, os.getpid(), os.getppid()):
                return found
        found.close()
    raise RuntimeError("no stream")


def text(value):
    value = value.encode("latin-1") if isinstance(value, str) else value
    return struct.pack("<I", len(value)) + value


def frame(kind, payload=b""):
    return struct.pack("<BI", kind, len(payload)) + payload


def head(code, line, headers):
    pairs = b"".join(text(name) + text(value) for name, value in headers)
    return frame(HEAD, struct.pack("<H", code) + text(line) + struct.pack("<I", len(headers)) + pairs)


def application(environ, start_response):
    path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
    plain = [("Content-Type", "text/plain")]
    if path == "/log":
        for _ in range(int(query)):
            print("x" * 1024, file=environ["wsgi.errors"])
    said = b""
    if path == "/head":
        said = head(*HEADS[query]) + frame(DATA, b"short") + frame(END)
    elif path == "/longer":
        said = head(200, "200 OK", [("Content-Length", "5")]) + frame(DATA, b"H" * 500) + frame(END)
    elif path == "/shorter":
        said = head(200, "200 OK", [("Content-Length", "500")]) + frame(DATA, b"short") + frame(END)
    elif path == "/declines":
        httpd = stream()
        httpd.sendall(frame(WANT_BODY, struct.pack("<I", 4)))
        httpd.recv(64)
        said = frame(DECLINE)
    elif path == "/padded":
        kind, length = {"fail": (FAIL, 3), "end": (END, 1), "body": (WANT_BODY, 5), "file": (FILE, 17)}[query]
        said = head(200, "200 OK", plain) if kind in (END, FILE) else b""
        said += frame(kind, bytes(length))
    elif path == "/twice":
        said = head(200, "200 OK", plain) * 2
    elif path == "/swaps":
        ours, theirs = socket.socketpair()
        OURS.append(ours)
        said = head(200, "200 OK", plain) + frame(DATA, b"swapped") + frame(END)
        files = array.array("i", [theirs.fileno()])
        stream().sendmsg([said], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)])
        said = b""
    elif path == "/swapped":
        OURS[0].setblocking(False)
        try:
            count = len(OURS[0].recv(1 << 16))
        except BlockingIOError:
            count = -1
        start_response("200 OK", plain)
        return [str(count).encode()]
    elif path == "/number":
        start_response("200 OK", plain)
        found = stream()
        return [str(os.fstat(found.fileno()).st_ino).encode()]
    if said:
        stream().sendall(said)
    start_response("200 OK", plain)
    return [b"well"]
