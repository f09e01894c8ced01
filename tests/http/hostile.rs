//! Processes of a group that speak to `wsgid`, which is root, in words of their own.

use std::fs;

use testkit::{Httpd, Kind, Mode, Signal, wait_until};

use crate::queue::QUEUE_OF_CHILD;

/// An application that takes its template over while it is imported. It answers the orders to fork
/// itself: one process, which `wsgid` takes in, passes itself off as several workers and ends, so
/// that its id may be that of another process when `wsgid` ends its workers. After that the
/// template keeps all sockets open, and says nothing more. It does not heed SIGTERM.
const SCRIPT: &str = r#"
import os, signal, socket, time

CONTROL = 4


def claim(orders):
    for _ in range(3):
        _, lines, _, _ = socket.recv_fds(orders, 1, 1)
        socket.socket(fileno=lines[0]).send(b"H")
    os._exit(0)


def take_over():
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    control, (orders, claimant) = socket.socket(fileno=CONTROL), socket.socketpair()
    if os.fork() == 0:
        if os.fork() == 0:
            claim(claimant)
        os._exit(0)
    os.wait()
    control.send(b"R")
    kept = []
    while True:
        word, lines, _, _ = socket.recv_fds(control, 1, 1)
        if not word:
            time.sleep(3600)
        kept += lines
        if len(kept) <= 3:
            socket.send_fds(orders, [word], lines)


def application(environ, start_response):
    start_response("200 OK", [])
    return [b"well"]


with open("/proc/self/cmdline", "rb") as title:
    if title.read().rstrip(b"\0").endswith(b" template"):
        take_over()
"#;

/// An application that says to `wsgid` what is no word.
const TALKER: &str = r#"
import os


def application(environ, start_response):
    if environ["PATH_INFO"] == "/talk":
        os.write(4, b"x" * 1000)
    start_response("200 OK", [])
    return [str(os.getpid()).encode()]
"#;

#[test]
fn a_worker_that_says_nonsense_is_killed() {
    let httpd = Httpd::new("hostile-nonsense")
        .mode(Mode::Daemon)
        .daemon("processes=1 threads=1")
        .file("app/app.wsgi", TALKER)
        .conf("WSGIScriptAlias /app {root}/app/app.wsgi")
        .start();
    let before = httpd.get("/app").send().text();
    httpd.expect_log("WSGI0222");
    // Its answer may be faster than its end, and may be cut short by it.
    httpd.allow_log("WSGI0146");
    let _ = httpd.get("/app/talk").try_send();
    wait_until("another one serves", || {
        let reply = httpd.get("/app").send();
        reply.status == 200 && reply.text() != before
    });
    assert_eq!(httpd.log_lines("WSGI0222").len(), 1);
}

/// A socket whose end takes a minute, since nothing reads at the other side: for the process that
/// has it last.
const TRAP: &str = r#"
import os, socket, struct

KEPT = []


def trap():
    listener = socket.create_server(("127.0.0.1", 0))
    ours = socket.create_connection(listener.getsockname())
    KEPT.append((listener, listener.accept()))
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 60))
    ours.setblocking(False)
    try:
        while True:
            ours.send(b"x" * 65536)
    except BlockingIOError:
        ours.setblocking(True)
    return ours


def answer(start_response):
    start_response("200 OK", [])
    return [str(os.getpid()).encode()]
"#;

/// In a worker: sends it to `wsgid`.
const LINGERER: &str = r#"
def application(environ, start_response):
    if environ["PATH_INFO"] == "/linger":
        ours = trap()
        socket.send_fds(socket.socket(fileno=os.dup(4)), [b"B"], [ours.fileno()])
        # It is under way still, so that this waits for nothing.
        os.close(ours.detach())
    return answer(start_response)
"#;

/// In a child of httpd: sends it to the group that is defined first.
const TRAPPER: &str = r#"
def application(environ, start_response):
    ours = trap()
    socket.send_fds(queue(), [b"message"], [ours.fileno()])
    # It is under way still, so that this waits for nothing.
    os.close(ours.detach())
    return answer(start_response)
"#;

/// A Python that does not start anything while the file `away` is there.
const PYTHON: &str =
    "#!/bin/sh\n[ -e \"$(dirname \"$0\")/away\" ] && exit 7\nexec /usr/bin/python3 \"$@\"\n";

#[test]
fn a_request_whose_end_takes_long_does_not_keep_wsgid() {
    let httpd = Httpd::new("hostile-trapper")
        .one_child()
        .program("fake/bin/python", PYTHON)
        .file("app/app.wsgi", [TRAP, LINGERER].concat())
        .file("app/trap.wsgi", [QUEUE_OF_CHILD, TRAP, TRAPPER].concat())
        .conf(
            "WSGIDaemonProcess down threads=1 python-home={root}/fake\n\
             WSGIDaemonProcess good threads=1 python-home={home}\n\
             WSGIScriptAlias /down {root}/app/app.wsgi process-group=down\n\
             WSGIScriptAlias /good {root}/app/app.wsgi process-group=good\n\
             WSGIScriptAlias /trap {root}/app/trap.wsgi",
        )
        .start();
    fs::write(httpd.root().join("fake/bin/away"), "").unwrap();
    httpd.allow_log("is not a Python that works");
    httpd.expect_log("ended before it was ready");
    httpd.graceful();
    httpd.allow_log("WSGI0211");
    wait_until("the group is down", || httpd.get("/down").send().status == 503);
    // What has sent it is to be gone before it is received.
    let wsgid = httpd.pids(Kind::Supervisor);
    for pid in &wsgid {
        httpd.signal(*pid, Signal::SIGSTOP);
    }
    assert_eq!(httpd.get("/trap").send().status, 200, "{}", httpd.log());
    for pid in &wsgid {
        httpd.signal(*pid, Signal::SIGCONT);
    }
    wait_until("a process hangs where it keeps only its own group", || {
        httpd.pids(Kind::Supervisor).len() == 2
    });
    for _ in 0..2 {
        let worker: i32 = httpd.get("/good").send().text().parse().unwrap();
        httpd.allow_log(&format!("worker {worker} ended"));
        httpd.signal(worker, Signal::SIGKILL);
        wait_until("another one serves", || {
            let reply = httpd.get("/good").send();
            reply.status == 200 && reply.text() != worker.to_string()
        });
    }
}

#[test]
fn a_descriptor_whose_end_takes_long_does_not_keep_wsgid() {
    let httpd = Httpd::new("hostile-lingerer")
        .mode(Mode::Daemon)
        .daemon("processes=1 threads=1")
        .file("app/app.wsgi", [TRAP, LINGERER].concat())
        .conf("WSGIScriptAlias /app {root}/app/app.wsgi")
        .start();
    let before = httpd.get("/app").send().text();
    httpd.expect_log("WSGI0222");
    // Its answer may be faster than its end, and may be cut short by it.
    httpd.allow_log("WSGI0146");
    let _ = httpd.get("/app/linger").try_send();
    wait_until("another one serves", || {
        let reply = httpd.get("/app").send();
        reply.status == 200 && reply.text() != before
    });
}

/// An application that says that its worker is ready, and `SAYS`. It ends where `ENDS` is true.
const TALKER_AT_START: &str = r#"
import os

os.write(4, b"R" + SAYS)
if ENDS:
    os._exit(0)


def application(environ, start_response):
    start_response("200 OK", [])
    return [b"well"]
"#;

/// A server with a worker that says something of itself as soon as it starts.
fn talker(name: &str, says: &str, ends: &str) -> Httpd {
    let script = TALKER_AT_START.replace("SAYS", &format!("b{says:?}")).replace("ENDS", ends);
    Httpd::new(name)
        .file("app/app.wsgi", script)
        .conf(
            "WSGIDaemonProcess talker threads=1 python-home={home}\n\
             WSGIScriptAlias /app {root}/app/app.wsgi process-group=talker \
             application-group=%{GLOBAL}",
        )
        .start()
}

#[test]
fn workers_that_say_that_they_leave_do_not_fill_the_machine() {
    let httpd = talker("hostile-leaver", "E", "False");
    httpd.expect_log("WSGI0224: process group \"talker\": 8 workers are to end");
    httpd.wait_for_log("WSGI0224");
    assert_eq!(httpd.pids(Kind::Worker).len(), 8);
    assert_eq!(httpd.get("/app").send().text(), "well");
}

#[test]
fn workers_that_leave_at_once_are_replaced_slowly() {
    let httpd = talker("hostile-ender", "E", "True");
    httpd.expect_log("WSGI0223");
    httpd.wait_for_log("the next one starts in 1.0s");
}

#[test]
fn workers_that_want_to_be_replaced_at_once_are_replaced_slowly() {
    let httpd = talker("hostile-replaced", "M", "False");
    httpd.expect_log("WSGI0223");
    httpd.wait_for_log("the next one starts in 1.0s");
    assert_eq!(httpd.get("/app").send().text(), "well");
}

/// A worker that says at each request that a script has changed, which is not so.
const ALARMIST: &str = r#"
import os, socket, struct


def control_socket():
    for number in os.listdir("/proc/self/fd"):
        try:
            found = socket.socket(fileno=os.dup(int(number)))
            maker = found.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        except OSError:
            continue
        if found.type == socket.SOCK_STREAM and struct.unpack("iII", maker)[0] == os.getppid():
            return found


def application(environ, start_response):
    control_socket().sendall(b"S")
    start_response("200 OK", [])
    return [str(os.getpid()).encode()]
"#;

#[test]
fn a_worker_that_says_that_a_script_has_changed_is_not_believed() {
    let httpd = Httpd::new("hostile-alarmist")
        .mode(Mode::Daemon)
        .daemon("processes=1 threads=1 preload=application")
        .file("app/app.wsgi", ALARMIST)
        .conf("WSGIScriptAlias /app {root}/app/app.wsgi")
        .start();
    let worker = httpd.get("/app").send().text();
    for _ in 0..20 {
        assert_eq!(httpd.get("/app").send().text(), worker);
    }
    assert!(httpd.log_lines("a new template is started").is_empty(), "{}", httpd.log());
}

#[test]
fn one_process_is_one_worker_and_no_template_keeps_wsgid() {
    let httpd = Httpd::new("hostile-template")
        .mode(Mode::Daemon)
        .daemon("processes=3 threads=1 preload=application shutdown-timeout=1")
        .file("app/app.wsgi", SCRIPT)
        .conf("WSGIScriptAlias /app {root}/app/app.wsgi")
        .allow_log("ended before it was ready")
        .start();
    httpd.expect_log("WSGI0278");
    wait_until("both false workers are refused", || httpd.log_lines("WSGI0278").len() == 2);
    // Nothing is left of the process that claimed to be three.
    wait_until("the template is alone", || httpd.pids(Kind::Worker).is_empty());
    httpd.stop();
    wait_until("all processes have ended", || httpd.processes().is_empty());
}
