//! Time-outs and limits of process groups: what each does, what it writes, what the client gets.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use testkit::{Httpd, Mode, Setup, Signal, installation, wait_until};

use crate::daemon::{idle_worker, requests_of};

/// A group of one process whose script lies in the server's own directory.
fn limited(name: &str, options: &str) -> Setup {
    let script = fs::read(installation::apps().join("limits.wsgi")).unwrap();
    Httpd::new(name)
        .file("app/limits.wsgi", script)
        .conf("WSGIScriptAlias / {root}/app/limits.wsgi\nWSGIApplicationGroup %{GLOBAL}")
        .mode(Mode::Daemon)
        .daemon(options)
        .allow_log("stopping because of")
}

fn pid(httpd: &Httpd) -> i64 {
    httpd.get("/").send().json().as_i64().unwrap()
}

fn facts(httpd: &Httpd) -> Value {
    httpd.get("/facts").send().json()
}

/// The reason that applications were told, once.
fn wait_for_reason(httpd: &Httpd, reason: &str) {
    httpd.wait_for_log(&format!("stopping because of {reason}"));
}

#[test]
fn a_request_that_takes_too_long_is_a_504_and_its_process_is_replaced() {
    let httpd = limited("request-timeout", "threads=1 request-timeout=1").start();
    let before = pid(&httpd);
    httpd.expect_log("WSGI0258");
    assert_eq!(httpd.get("/call?x=1").send().status, 504);
    let line = httpd.wait_for_log("request-timeout=1: GET /call?x=1 has taken too long");
    assert!(line.text.contains("process group \"test\""), "{line}");
    let stack = httpd.wait_for_log("in application");
    assert!(stack.text.contains("limits.wsgi"), "{stack}");
    assert_ne!(pid(&httpd), before);
    wait_for_reason(&httpd, "request_timeout");
}

#[test]
fn others_finish_while_the_process_of_a_slow_one_goes() {
    let httpd = limited("grace", "threads=2 request-timeout=1").start();
    pid(&httpd);
    httpd.expect_log("WSGI0258");
    thread::scope(|scope| {
        let slow = scope.spawn(|| httpd.get("/call").send().status);
        wait_until("it was given up", || !httpd.log_lines("has taken too long").is_empty());
        fs::write(httpd.root().join("app/go"), "").unwrap();
        assert_eq!(slow.join().unwrap(), 504);
        assert_eq!(httpd.get("/hold?go").send().status, 200);
    });
}

#[test]
fn an_interrupted_request_is_a_504_and_its_process_lives() {
    let options = "threads=1 request-timeout=1 interrupt-timeout=20";
    let httpd = limited("interrupt", options).start();
    let before = pid(&httpd);
    httpd.expect_log("WSGI0257");
    assert_eq!(httpd.get("/python").send().status, 504);
    let line = httpd.wait_for_log("GET /python is interrupted");
    assert!(line.text.contains("interrupt-timeout=20"), "{line}");
    httpd.wait_for_log("in forever");
    assert_eq!(pid(&httpd), before);
    httpd.wait_for_log("the request timed out");
}

#[test]
fn an_interrupted_response_is_seen_to_be_cut_off() {
    let options = "threads=1 request-timeout=1 interrupt-timeout=20";
    let httpd = limited("interrupt-late", options).start();
    let before = pid(&httpd);
    httpd.expect_log("WSGI0257");
    assert!(httpd.get("/late").try_send().is_err(), "the end of the response is missing");
    assert_eq!(pid(&httpd), before);
}

#[test]
fn a_call_that_cannot_be_interrupted_ends_with_its_process() {
    let options = "threads=1 request-timeout=1 interrupt-timeout=1";
    let httpd = limited("interrupt-in-vain", options).start();
    let before = pid(&httpd);
    httpd.expect_log("WSGI0257");
    httpd.expect_log("WSGI0258");
    assert_eq!(httpd.get("/call").send().status, 504);
    httpd.wait_for_log("GET /call is interrupted");
    httpd.wait_for_log("GET /call has taken too long");
    assert_ne!(pid(&httpd), before);
}

#[test]
fn a_call_that_keeps_the_gil_is_noticed() {
    let httpd = limited("deadlock", "threads=2 deadlock-timeout=1").start();
    let before = pid(&httpd);
    httpd.expect_log("WSGI0259");
    assert_eq!(httpd.get("/gil").send().status, 504);
    let line = httpd.wait_for_log("deadlock-timeout=1: the GIL was not acquired for that long");
    assert!(line.text.contains("GET /gil"), "{line}");
    httpd.wait_for_log("in application");
    assert_ne!(pid(&httpd), before);
}

#[test]
fn an_application_that_does_not_load_is_given_up() {
    let httpd = Httpd::new("startup")
        .file("app/app.wsgi", "import time\ntime.sleep(1000)\n")
        .conf("WSGIScriptAlias / {root}/app/app.wsgi\nWSGIApplicationGroup %{GLOBAL}")
        .mode(Mode::Daemon)
        .daemon("threads=1 startup-timeout=1 shutdown-timeout=1")
        .allow_log("did not end within shutdown-timeout=1")
        .start();
    httpd.expect_log("WSGI0260");
    assert_eq!(httpd.get("/").send().status, 504);
    let line = httpd.wait_for_log("startup-timeout=1: no application was loaded");
    assert!(line.text.contains("GET /"), "{line}");
}

#[test]
fn a_process_that_does_not_get_ready_is_killed() {
    let python =
        "#!/bin/sh\ncase \"$*\" in *_imp*) exec sleep 1000;; esac\nexec /usr/bin/python3 \"$@\"\n";
    let httpd = Httpd::new("start-limit")
        .program("fake/bin/python", python)
        .conf("WSGIDaemonProcess fake threads=1 python-home={root}/fake startup-timeout=1")
        .start();
    httpd.allow_log("startup-timeout=1");
    httpd.allow_log("ended before it was ready");
    let line = httpd.wait_for_log("was not ready within startup-timeout=1 and is killed");
    assert!(line.text.contains("process group \"fake\""), "{line}");
    assert!(line.text.contains("the next one starts in 250.0ms"), "{line}");
    httpd.wait_for_log("the next one starts in 500.0ms");
}

#[test]
fn a_process_that_nobody_uses_is_replaced_by_a_fresh_one() {
    let httpd = limited("inactivity", "threads=1 inactivity-timeout=1").start();
    let before = pid(&httpd);
    wait_for_reason(&httpd, "inactivity_timeout");
    httpd.wait_for_log("it had no request for inactivity-timeout");
    assert_ne!(pid(&httpd), before);
}

#[test]
fn some_requests_do_not_count_as_activity() {
    let ignored = "<Location /ignored>\nWSGIIgnoreActivity On\n</Location>";
    let httpd = limited("ignore-activity", "threads=2 inactivity-timeout=2").conf(ignored).start();
    let before = pid(&httpd);
    wait_until("it is replaced although requests come in", || {
        httpd.get("/ignored").send().json().as_i64() != Some(before)
    });
    assert_eq!(httpd.log_lines("stopping because of inactivity_timeout").len(), 1);
}

#[test]
fn a_process_serves_so_many_requests() {
    let httpd = limited("maximum", "threads=1 maximum-requests=3").start();
    let pids: Vec<i64> = (0..9).map(|_| pid(&httpd)).collect();
    for three in pids.chunks(3) {
        assert!(three.iter().all(|one| *one == three[0]), "{pids:?}");
    }
    assert!(pids[0] != pids[3] && pids[3] != pids[6], "{pids:?}");
    wait_for_reason(&httpd, "maximum_requests");
    assert_eq!(facts(&httpd)["run_once"], false);
    let once = limited("once", "threads=1 maximum-requests=1").start();
    assert_eq!(facts(&once)["run_once"], true);
    assert_ne!(pid(&once), pid(&once));
}

#[test]
fn a_process_lives_for_so_long() {
    let httpd = limited("interval", "threads=1 restart-interval=1").start();
    let before = pid(&httpd);
    wait_until("it is replaced, and none is missing meanwhile", || pid(&httpd) != before);
    wait_for_reason(&httpd, "restart_interval");
}

#[test]
fn a_signal_has_a_process_replaced_that_finishes_first() {
    for (options, reason) in [("", "graceful_signal"), ("eviction-timeout=9", "eviction_signal")] {
        let httpd = limited("usr1", &format!("threads=2 {options}")).start();
        let before = pid(&httpd);
        thread::scope(|scope| {
            let worker = idle_worker(&httpd);
            let held = scope.spawn(|| httpd.get("/hold?go").send().json());
            wait_until("it is being served", || requests_of(worker) == 1);
            httpd.signal(worker, Signal::SIGUSR1);
            wait_until("others are served by another one", || pid(&httpd) != before);
            fs::write(httpd.root().join("app/go"), "").unwrap();
            held.join().unwrap();
        });
        wait_for_reason(&httpd, reason);
    }
}

#[test]
fn what_does_not_finish_in_time_is_cut_off() {
    let options = "threads=2 graceful-timeout=1 shutdown-timeout=1";
    let httpd = limited("cut-off", options).start();
    let before = pid(&httpd);
    httpd.expect_log("did not end within shutdown-timeout=1; forced out");
    httpd.expect_log("WSGI0146");
    thread::scope(|scope| {
        let worker = idle_worker(&httpd);
        let held = scope.spawn(|| httpd.get("/call").send().status);
        wait_until("it is being served", || requests_of(worker) == 1);
        httpd.signal(worker, Signal::SIGUSR1);
        wait_until("another one serves", || pid(&httpd) != before);
        assert_eq!(held.join().unwrap(), 502);
    });
}

#[test]
fn an_end_that_takes_too_long_is_forced() {
    let httpd =
        limited("forced", "threads=1 shutdown-timeout=1").file("app/atexit-sleeps", "").start();
    pid(&httpd);
    httpd.expect_log("did not end within shutdown-timeout=1; forced out");
    assert!(httpd.stop().success());
}

#[test]
fn a_worker_that_says_nothing_is_a_504() {
    let httpd = limited("socket-timeout", "threads=1 socket-timeout=1 shutdown-timeout=1").start();
    pid(&httpd);
    httpd.expect_log("the worker gave no answer for as long as socket-timeout allows");
    httpd.allow_log("forced out");
    assert_eq!(httpd.get("/call").send().status, 504);
}

#[test]
fn a_full_queue_is_a_503() {
    let httpd = limited("queue-full", "threads=1 listen-backlog=0 connect-timeout=1").start();
    pid(&httpd);
    httpd.allow_log("WSGI0116");
    let statuses: Vec<u16> = thread::scope(|scope| {
        let calls: Vec<_> =
            (0..5).map(|_| scope.spawn(|| httpd.get("/hold?go").send().status)).collect();
        wait_until("some have no place", || !httpd.log_lines("WSGI0116").is_empty());
        fs::write(httpd.root().join("app/go"), "").unwrap();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    assert!(statuses.contains(&200) && statuses.contains(&503), "{statuses:?}");
    let line = httpd.log_lines("WSGI0116").remove(0);
    assert!(line.text.contains("connect-timeout=1"), "{line}");
}

#[test]
fn a_request_that_waits_too_long_is_a_504() {
    let httpd = limited("queue-timeout", "threads=1 queue-timeout=1").start();
    let before = pid(&httpd);
    httpd.expect_log("WSGI0084");
    thread::scope(|scope| {
        let worker = idle_worker(&httpd);
        let held = scope.spawn(|| httpd.get("/hold?go").send().status);
        wait_until("it is being served", || requests_of(worker) == 1);
        let mut waiting = httpd.connect().unwrap();
        waiting.send(b"GET /?waits HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let began = Instant::now();
        wait_until("it has waited for long", || began.elapsed().as_millis() > 1500);
        fs::write(httpd.root().join("app/go"), "").unwrap();
        assert_eq!((held.join().unwrap(), waiting.reply().unwrap().status), (200, 504));
    });
    let line = httpd.log_lines("WSGI0084").remove(0);
    assert!(line.text.contains("queue-timeout=1: GET /?waits"), "{line}");
    assert_eq!(pid(&httpd), before);
}

#[test]
fn a_slow_client_is_no_queue() {
    let httpd = limited("slow-upload", "threads=1 queue-timeout=1").start();
    let mut connection = httpd.connect().unwrap();
    connection.send(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\n").unwrap();
    let began = std::time::Instant::now();
    wait_until("it has taken its time", || began.elapsed().as_millis() > 1500);
    connection.send(b"end").unwrap();
    assert_eq!(connection.reply().unwrap().status, 200);
}

#[test]
fn a_client_that_does_not_read_keeps_no_worker() {
    let httpd = limited("response-timeout", "threads=1 response-socket-timeout=1").start();
    let before = pid(&httpd);
    let _silent = httpd.get("/flood").start().unwrap();
    // The one thread is free again, and the process is the same.
    assert_eq!(pid(&httpd), before);
}

#[test]
fn used_up_processor_time_has_a_process_replaced() {
    let httpd = limited("cpu", "threads=1 cpu-time-limit=1").start();
    let before = pid(&httpd);
    assert_eq!(facts(&httpd)["cpu"], serde_json::json!([1, 7]));
    assert_eq!(httpd.get("/spin?1.5").send().json(), before);
    wait_until("another one serves", || pid(&httpd) != before);
    wait_for_reason(&httpd, "cpu_time_limit");
}

#[test]
fn memory_beyond_the_limit_is_an_error_of_the_application() {
    for option in ["memory-limit=400M", "virtual-memory-limit=2G"] {
        let httpd = limited("memory-limit", &format!("threads=1 {option}")).start();
        assert_eq!(httpd.get("/allocate?1000").send().json(), "allocated", "{option}");
        let answer = httpd.get("/allocate?3000000000").send().json();
        assert_eq!(answer, "MemoryError", "{option}");
        assert_eq!(httpd.get("/").send().status, 200);
    }
}

#[test]
fn processes_have_what_the_options_say() {
    let options = "threads=2 cpu-priority=7 switch-interval=0.02 stack-size=3M \
                   python-eggs=/tmp/eggs send-buffer-size=64K receive-buffer-size=64K \
                   response-buffer-size=64K response-flush-delay=0";
    let httpd = limited("options-of-limits", options).start();
    let facts = facts(&httpd);
    assert_eq!((&facts["nice"], &facts["switch_interval"]), (&7.into(), &0.02.into()));
    assert_eq!(facts["environment"]["PYTHON_EGG_CACHE"], "/tmp/eggs");
    let sizes = facts["mappings"].as_array().unwrap();
    // Where the guard page is a part of a stack's mapping (glibc 2.43), two stacks side by side are
    // one mapping.
    let (stack, guarded) = (3 << 20, (3 << 20) + 4096);
    let is_stack = [stack, guarded, 2 * guarded].map(Value::from);
    assert!(is_stack.iter().any(|size| sizes.contains(size)), "no stack of 3 MiB: {sizes:?}");
    let flood = httpd.get("/flood").send();
    assert_eq!(flood.body.len(), 2000 * 65536);
}

/// Lowers the limit of open files of its process; a thread raises it again once the file `go` is
/// there.
pub(crate) const LIMIT_FILES: &str = r#"
import os, resource, threading, time
HERE = os.path.dirname(os.path.abspath(__file__))

def relieve(limits):
    while not os.path.exists(os.path.join(HERE, "go")):
        time.sleep(0.01)
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)

def limit_files(count):
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    threading.Thread(target=relieve, args=[limits], daemon=True).start()
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, limits[1]))
"#;

/// With [`LIMIT_FILES`]: leaves its process no descriptor.
const SHORT_OF_FILES: &str = r#"
def application(environ, start_response):
    if environ["PATH_INFO"] == "/short":
        limit_files(3)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
"#;

#[test]
fn requests_wait_while_a_process_has_too_many_open_files() {
    let httpd = Httpd::new("short-of-files")
        .file("app/short.wsgi", [LIMIT_FILES, SHORT_OF_FILES].concat())
        .conf("WSGIScriptAlias / {root}/app/short.wsgi")
        .mode(Mode::Daemon)
        .daemon("threads=6")
        .start();
    let before = httpd.get("/short").send().text();
    httpd.expect_log("WSGI0251");
    thread::scope(|scope| {
        let waiting = scope.spawn(|| httpd.get("/").send());
        httpd.wait_for_log("requests have to wait");
        // Other threads of the process are woken as well, and must not take what they have no room
        // for.
        let begun = Instant::now();
        wait_until("all have had time to", || begun.elapsed() > Duration::from_millis(500));
        fs::write(httpd.root().join("app/go"), "").unwrap();
        let reply = waiting.join().unwrap();
        assert_eq!((reply.status, reply.text()), (200, before));
    });
}

#[test]
fn a_header_may_be_so_long() {
    let httpd = limited("header", "threads=1 header-buffer-size=8192").start();
    assert_eq!(httpd.get("/header?8000").send().status, 200);
    httpd.expect_log("WSGI0144");
    assert_eq!(httpd.get("/header?8200").send().status, 500);
    let line = httpd.log_lines("WSGI0144").remove(0);
    assert!(
        line.text.contains("X-Long") && line.text.contains("header-buffer-size=8192"),
        "{line}"
    );
    let usual = limited("usual-header", "threads=1").start();
    assert_eq!(usual.get("/header?8200").send().status, 200);
}
