"""Files that httpd is to send: honest ones, and what a worker may send in place of them.

/file?PATH    the file through wsgi.file_wrapper
/claim?WHAT   daemon mode: a File frame that promises 1 MiB of WHAT: short (a file of ten bytes), far (an offset beyond
              all numbers), pipe, directory, write-only, path (an O_PATH descriptor)
/flood?N,M    daemon mode: M File frames with N descriptors each, of a file that has what they promise
/stray?N,M    daemon mode: M Data frames with N descriptors each
"""

import os
import socket
import stat
import struct
import tempfile

import mod_wsgi

MEBIBYTE = 1 << 20
FILE, DATA, END = 19, 18, 21


def stream():
    """The worker's connection to httpd's child: the kernel says who is at the other end."""
    for name in sorted(os.listdir("/proc/self/fd"), key=int):
        try:
            if not stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                continue
            found = socket.socket(fileno=os.dup(int(name)))
        except OSError:
            continue
        listens = found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        if found.family == socket.AF_UNIX and found.type == socket.SOCK_STREAM and not listens:
            peer, _, _ = struct.unpack("3i", found.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
            if peer not in (0, os.getpid(), os.getppid()):
                return found
    raise RuntimeError("no connection")


def frame(kind, payload=b""):
    return struct.pack("<BI", kind, len(payload)) + payload


def some_file(size):
    file = tempfile.TemporaryFile()
    file.truncate(size)
    return file.fileno(), file


def claimed(what):
    if what in ("short", "far"):
        return some_file(10)
    if what == "pipe":
        return os.pipe()[0], None
    if what == "directory":
        return os.open("/tmp", os.O_RDONLY), None
    number, file = some_file(MEBIBYTE)
    path = "/proc/self/fd/%d" % number
    return os.open(path, os.O_WRONLY if what == "write-only" else os.O_PATH), file


def application(environ, start_response):
    path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
    if path == "/file":
        start_response("200 OK", [("Content-Type", "application/octet-stream")])
        return mod_wsgi.FileWrapper(open(query, "rb"))
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    if path not in ("/claim", "/flood", "/stray"):
        return [b"well"]
    write(b"begun")
    httpd = stream()
    try:
        if path == "/claim":
            number, keep = claimed(query)
            offset = 2**64 - 10 if query == "far" else 0
            socket.send_fds(httpd, [frame(FILE, struct.pack("<QQ", offset, MEBIBYTE))], [number])
            httpd.sendall(frame(END))
        else:
            count, times = (int(part) for part in query.split(","))
            number, keep = some_file(10)
            sent = frame(FILE, struct.pack("<QQ", 0, 10)) if path == "/flood" else frame(DATA, b"x")
            for _ in range(times):
                socket.send_fds(httpd, [sent], [number] * count)
            httpd.sendall(frame(END))
        # The child answers nothing; it closes the connection.
        httpd.recv(1)
    except OSError:
        pass
    return []
