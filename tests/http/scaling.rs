//! Groups whose processes come and go with the load, and processes that have grown too large.

use std::fs;
use std::thread;

use testkit::{Httpd, Kind, Mode, Setup, wait_until};

const SCRIPT: &str = r#"
import os, time
HERE = os.path.dirname(__file__)
KEPT = []
def application(environ, start_response):
    if environ["PATH_INFO"] == "/hold":
        print("held by", os.getpid())
        while not os.path.exists(os.path.join(HERE, "go")):
            time.sleep(0.005)
    if environ["PATH_INFO"] == "/grow":
        KEPT.append(bytearray(b"x") * (1 << 20))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
"#;

fn setup(name: &str, options: &str) -> Setup {
    Httpd::new(name)
        .mode(Mode::Daemon)
        .daemon(options)
        .file("app/app.wsgi", SCRIPT)
        .conf("WSGIScriptAlias / {root}/app/app.wsgi")
}

fn ask(httpd: &Httpd) -> i32 {
    let reply = httpd.get("/").send();
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.text().parse().unwrap()
}

#[test]
fn a_group_rests_until_it_is_asked_and_rests_again() {
    let httpd = setup("rest", "processes=0..2 threads=2 idle-timeout=1").start();
    assert_eq!(httpd.pids(Kind::Worker).len(), 0);
    let first = ask(&httpd);
    assert_eq!(httpd.pids(Kind::Worker), [first]);
    wait_until("the worker has gone to rest", || httpd.pids(Kind::Worker).is_empty());
    assert_ne!(ask(&httpd), first);
}

#[test]
fn a_template_is_kept_or_ended_when_the_group_rests() {
    let options = "processes=0..1 threads=1 idle-timeout=1 preload=application";
    let httpd = setup("rest-keep", options).start();
    wait_until("the template is there", || httpd.pids(Kind::Template).len() == 1);
    let template = httpd.pids(Kind::Template);
    ask(&httpd);
    wait_until("the worker has gone to rest", || httpd.pids(Kind::Worker).is_empty());
    assert_eq!(httpd.pids(Kind::Template), template);

    let httpd = setup("rest-end", &format!("{options} idle-template=end")).start();
    assert_eq!(httpd.pids(Kind::Template).len(), 0);
    ask(&httpd);
    assert_eq!(httpd.pids(Kind::Template).len(), 1);
    wait_until("both have gone", || {
        httpd.pids(Kind::Worker).is_empty() && httpd.pids(Kind::Template).is_empty()
    });
    ask(&httpd);
}

/// With and without a template.
fn grows_with_the_load(name: &str, preload: &str) {
    let options = format!("processes=1..3 threads=1 idle-timeout=1 {preload}");
    let httpd = setup(name, &options).start();
    httpd.expect_log("held by");
    ask(&httpd);
    assert_eq!(httpd.pids(Kind::Worker).len(), 1);
    let mut pids: Vec<String> = thread::scope(|scope| {
        let held: Vec<_> =
            (0..3).map(|_| scope.spawn(|| httpd.get("/hold").send().text())).collect();
        wait_until("each of them is held", || httpd.log_lines("held by").len() == 3);
        assert_eq!(httpd.pids(Kind::Worker).len(), 3);
        fs::write(httpd.root().join("app/go"), "").unwrap();
        held.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    pids.sort();
    pids.dedup();
    assert_eq!(pids.len(), 3, "each has served one");
    wait_until("those that are not needed have ended", || httpd.pids(Kind::Worker).len() == 1);
    ask(&httpd);
}

#[test]
fn workers_are_added_while_requests_wait() {
    grows_with_the_load("grow", "");
}

#[test]
fn workers_are_forked_while_requests_wait() {
    grows_with_the_load("grow-template", "preload=application");
}

#[test]
fn a_worker_that_has_grown_is_replaced_and_loses_nothing() {
    let httpd = setup("recycle", "processes=2 threads=2 recycle-memory=40M").start();
    wait_until("both workers run", || httpd.pids(Kind::Worker).len() == 2);
    let before = httpd.pids(Kind::Worker);
    wait_until("a worker was replaced", || {
        assert_eq!(httpd.get("/grow").send().status, 200);
        let now = httpd.pids(Kind::Worker);
        before.iter().any(|pid| !now.contains(pid))
    });
    assert!(!httpd.log_lines("have reached recycle-memory").is_empty());
    wait_until("there are two again", || httpd.pids(Kind::Worker).len() == 2);
}
