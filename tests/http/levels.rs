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

const REQUESTS: usize = 60;
/// A thread that the machine keeps from running may look as if it waited, so not all have to.
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
        let others: Vec<String> = (0..REQUESTS).map(|_| get_when_idle(&httpd)).collect();
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
        *count.entry(get_when_idle(&httpd)).or_insert(0_usize) += 1;
    }
    assert!(count.values().any(|served| *served >= WELL_PLACED), "{count:?}");
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
        wait_until("it is stopped", || threads_are(pid, 'T'));
        for _ in 0..8 {
            let served = httpd.get("/").send().text();
            assert_ne!(served, pid.to_string());
        }
        httpd.signal(pid, Signal::SIGCONT);
    }
}

/// Waits at the queue as the worker's own threads do, before them, and takes nothing.
const LURKER: &str = r#"
import select, threading
lurker = select.epoll()
lurker.register(3, select.EPOLLIN | select.EPOLLEXCLUSIVE)
def lurk():
    lurker.poll()
    print("woken in vain")
threading.Thread(target=lurk, daemon=True).start()
"#;

#[test]
fn requests_that_a_thread_is_woken_for_in_vain_are_served() {
    let httpd = Httpd::new("lurkers")
        .mode(Mode::Daemon)
        .daemon("processes=2 threads=3")
        .file("app/app.wsgi", SCRIPT)
        .file("app/lurker.wsgi", LURKER)
        .conf(
            "WSGIScriptAlias / {root}/app/app.wsgi\n\
             WSGIImportScript {root}/app/lurker.wsgi process-group=test \
             application-group=%{GLOBAL}",
        )
        .start();
    wait_until("both workers run", || workers_ready(&httpd) == 2);
    httpd.expect_log("held by");
    httpd.expect_log("woken in vain");
    thread::scope(|scope| {
        let hold = || scope.spawn(|| httpd.get("/hold").send().status);
        let first = hold();
        wait_until("one is held", || httpd.log_lines("held by").len() == 1);
        wait_until("the other worker is preferred", || is_other_preferred(&httpd));
        let requests = [first, hold()];
        wait_until("the first threads are busy", || httpd.log_lines("held by").len() == 2);
        // The other threads line up behind those that take nothing, and the next request is served
        // all the same.
        wait_until("a thread is woken in vain", || {
            assert_eq!(httpd.get("/").send().status, 200);
            !httpd.log_lines("woken in vain").is_empty()
        });
        fs::write(httpd.root().join("app/go"), "").unwrap();
        for request in requests {
            assert_eq!(request.join().unwrap(), 200);
        }
    });
}

/// How many workers have become ready so far.
fn workers_ready(httpd: &Httpd) -> usize {
    httpd.log_lines("is ready after").iter().filter(|line| line.text.contains("worker ")).count()
}

/// Whether a few requests go to the worker that is not held. Threads line up within moments after a
/// worker has become ready.
fn is_other_preferred(httpd: &Httpd) -> bool {
    let served: BTreeSet<String> = (0..5).map(|_| httpd.get("/").send().text()).collect();
    let busy = &httpd.log_lines("held by")[0];
    served.iter().all(|pid| !busy.text.contains(&format!("held by {pid}")))
}

/// Sends a request once no thread of a worker runs: the one that has served the request before is
/// back.
fn get_when_idle(httpd: &Httpd) -> String {
    let workers = httpd.pids(Kind::Worker);
    wait_until("all threads wait", || workers.iter().all(|pid| threads_are(*pid, 'S')));
    httpd.get("/").send().text()
}

/// Whether all threads of the process are in this state (`proc_pid_stat(5)`).
fn threads_are(pid: i32, state: char) -> bool {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    threads.map(|thread| thread.unwrap().path().join("stat")).all(|file| {
        let stat = fs::read_to_string(file).unwrap_or_default();
        stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with(state))
    })
}
