//! A request goes to a worker that does nothing, and in it to the first thread.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::thread;

use testkit::{Httpd, Kind, Mode, Signal, wait_until};

const SCRIPT: &str = r#"
import os, time
HERE = os.path.dirname(__file__)
def application(environ, start_response):
    if environ["PATH_INFO"] == "/hold":
        print("held by", os.getpid())
        while not os.path.exists(os.path.join(HERE, "go")):
            time.sleep(0.005)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
"#;

/// Enough that chance would not send nearly all of them to the same worker.
const REQUESTS: usize = 60;
/// The client may send a request before the thread that served the one before is back, so not all have to.
const WELL_PLACED: usize = 50;

#[test]
fn a_request_goes_to_a_worker_that_does_nothing() {
    request_goes_to_idle_worker("idle-worker", "");
}

#[test]
fn a_request_goes_to_a_forked_worker_that_does_nothing() {
    request_goes_to_idle_worker("idle-forked", "preload=application");
}

fn request_goes_to_idle_worker(name: &str, options: &str) {
    let httpd = Httpd::new(name)
        .mode(Mode::Daemon)
        .daemon(&format!("processes=2 threads=6 {options}"))
        .file("app/app.wsgi", SCRIPT)
        .conf("WSGIScriptAlias / {root}/app/app.wsgi")
        .start();
    httpd.expect_log("held by");
    wait_until("both workers run", || workers_ready(&httpd) == 2);
    thread::scope(|scope| {
        let held = scope.spawn(|| httpd.get("/hold").send().text());
        wait_until("it is held", || httpd.log_lines("held by").len() == 1);
        wait_until("the other worker is preferred", || is_other_preferred(&httpd));
        let others: Vec<String> = (0..REQUESTS).map(|_| httpd.get("/").send().text()).collect();
        fs::write(httpd.root().join("app/go"), "").unwrap();
        let busy = held.join().unwrap();
        let well_placed = others.iter().filter(|pid| **pid != busy).count();
        assert!(well_placed >= WELL_PLACED, "{well_placed} of {REQUESTS}");
    });
}

#[test]
fn a_process_uses_few_threads() {
    let script = SCRIPT.replace("str(os.getpid())", "str(__import__('threading').get_native_id())");
    let httpd = Httpd::new("few-threads")
        .mode(Mode::Daemon)
        .daemon("processes=1 threads=6")
        .file("app/app.wsgi", script)
        .conf("WSGIScriptAlias / {root}/app/app.wsgi")
        .start();
    let mut count = BTreeMap::new();
    for _ in 0..REQUESTS {
        *count.entry(httpd.get("/").send().text()).or_insert(0_usize) += 1;
    }
    // In turn, two of them would have served a third.
    let mut served: Vec<usize> = count.values().copied().collect();
    served.sort_unstable();
    let most: usize = served.iter().rev().take(2).sum();
    assert!(most >= REQUESTS * 2 / 3, "{count:?}");
}

#[test]
fn a_worker_that_starts_later_has_its_place() {
    let httpd = Httpd::new("later-worker")
        .mode(Mode::Daemon)
        .daemon("processes=2 threads=3")
        .file("app/app.wsgi", SCRIPT)
        .conf("WSGIScriptAlias / {root}/app/app.wsgi")
        .start();
    httpd.expect_log("held by");
    wait_until("both workers run", || workers_ready(&httpd) == 2);
    for started in 3..5 {
        // Each is replaced once, and so begins behind all threads of the other.
        let pid = httpd.pids(Kind::Worker)[started - 3];
        httpd.expect_log("ended (signal: 9 (SIGKILL)");
        httpd.signal(pid, Signal::SIGKILL);
        wait_until("another one runs", || workers_ready(&httpd) == started);
    }
    thread::scope(|scope| {
        let held = scope.spawn(|| httpd.get("/hold").send().text());
        wait_until("it is held", || httpd.log_lines("held by").len() == 1);
        wait_until("the other worker is preferred", || is_other_preferred(&httpd));
        fs::write(httpd.root().join("app/go"), "").unwrap();
        held.join().unwrap();
    });
}

#[test]
fn requests_do_not_wait_for_a_worker_that_was_stopped() {
    let httpd = Httpd::new("stopped-worker")
        .mode(Mode::Daemon)
        .daemon("processes=2 threads=3")
        .file("app/app.wsgi", SCRIPT)
        .conf("WSGIScriptAlias / {root}/app/app.wsgi")
        .start();
    wait_until("both workers run", || workers_ready(&httpd) == 2);
    for pid in httpd.pids(Kind::Worker) {
        httpd.signal(pid, Signal::SIGSTOP);
        for _ in 0..8 {
            let served = httpd.get("/").send().text();
            assert_ne!(served, pid.to_string());
        }
        httpd.signal(pid, Signal::SIGCONT);
    }
}

/// How many workers have become ready so far.
fn workers_ready(httpd: &Httpd) -> usize {
    httpd.log_lines("is ready after").iter().filter(|line| line.text.contains("worker ")).count()
}

/// Whether a few requests go to the worker that is not held. Threads line up within moments after a worker has
/// become ready.
fn is_other_preferred(httpd: &Httpd) -> bool {
    let served: BTreeSet<String> = (0..5).map(|_| httpd.get("/").send().text()).collect();
    let busy = &httpd.log_lines("held by")[0];
    served.iter().all(|pid| !busy.text.contains(&format!("held by {pid}")))
}
