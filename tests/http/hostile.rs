//! Processes of a group that speak to `wsgid`, which is root, in words of their own.

use testkit::{Httpd, Kind, Mode, wait_until};

/// An application that takes its template over while it is imported. It answers the orders to fork itself: one
/// process, which `wsgid` takes in, passes itself off as several workers and ends, so that its id may be
/// that of another process when `wsgid` ends its workers. After that the template keeps all sockets open,
/// and says nothing more. It does not heed SIGTERM.
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
    httpd.expect_log("WSGI0222: worker");
    // Its answer may be faster than its end, and may be cut short by it.
    httpd.allow_log("WSGI0146");
    let _ = httpd.get("/app/talk").try_send();
    wait_until("another one serves", || {
        let reply = httpd.get("/app").send();
        reply.status == 200 && reply.text() != before
    });
    assert_eq!(httpd.log_lines("WSGI0222").len(), 1);
}

/// An application that says that its worker is ready and leaves. It ends where `ENDS` is true.
const LEAVER: &str = r#"
import os

os.write(4, b"RE")
if ENDS:
    os._exit(0)


def application(environ, start_response):
    start_response("200 OK", [])
    return [b"well"]
"#;

fn leaver(name: &str, ends: &str) -> Httpd {
    Httpd::new(name)
        .file("app/app.wsgi", LEAVER.replace("ENDS", ends))
        .conf(
            "WSGIDaemonProcess leaver threads=1 python-home={home}\n\
             WSGIScriptAlias /app {root}/app/app.wsgi process-group=leaver application-group=%{GLOBAL}",
        )
        .start()
}

#[test]
fn workers_that_say_that_they_leave_do_not_fill_the_machine() {
    let httpd = leaver("hostile-leaver", "False");
    httpd.expect_log("WSGI0224: 8 workers are to end");
    httpd.wait_for_log("WSGI0224");
    assert_eq!(httpd.pids(Kind::Worker).len(), 8);
    assert_eq!(httpd.get("/app").send().text(), "well");
}

#[test]
fn workers_that_leave_at_once_are_replaced_slowly() {
    let httpd = leaver("hostile-ender", "True");
    httpd.expect_log("WSGI0223: workers end by themselves as soon as they are ready");
    httpd.wait_for_log("the next one starts in 1.0s");
}

#[test]
fn one_process_is_one_worker_and_no_template_keeps_wsgid() {
    let httpd = Httpd::new("hostile-template")
        .mode(Mode::Daemon)
        .daemon("processes=3 threads=1 preload=application shutdown-timeout=1")
        .file("app/app.wsgi", SCRIPT)
        .conf("WSGIScriptAlias /app {root}/app/app.wsgi")
        .allow_log("worker ")
        .start();
    httpd.expect_log("says that it is a worker, but is no child of wsgid, or is known already");
    wait_until("both false workers are refused", || httpd.log_lines("known already").len() == 2);
    // Nothing is left of the process that claimed to be three.
    wait_until("the template is alone", || httpd.pids(Kind::Worker).is_empty());
    httpd.stop();
    wait_until("all processes have ended", || httpd.processes().is_empty());
}
