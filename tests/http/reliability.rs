//! Restarts and kills while requests come: each request gets its answer, but for those that a
//! killed process had begun. `cargo xtask bench reliability` does the same more often, and beside a
//! plain httpd.

use std::collections::BTreeSet;
use std::fs;
use std::thread;

use testkit::load::{Load, Outcome, Record, Served, counting};
use testkit::{Fault, Httpd, Kind, Mode, Signal, wait_until};

use crate::daemon::{idle_worker, requests_of};
use crate::limits::LIMIT_FILES;

/// How often each happens here.
const TIMES: u32 = 4;

/// Options of the group.
const OPTIONS: &str = "processes=2 threads=2 preload=application";

/// The record of a load during which the fault has happened, what the application has seen of it,
/// and the processes that the fault has ended.
fn under_load(name: &str, fault: Fault, path: &str) -> (Record, Served, BTreeSet<i32>) {
    let mut setup = counting(Httpd::new(name).mode(Mode::Daemon).daemon(OPTIONS));
    for line in fault.lines() {
        setup = setup.allow_log(line);
    }
    let httpd = setup.start();
    let load = Load::of_count(&httpd, path).start();
    let more = |number: usize| {
        let before = load.right();
        wait_until("requests are answered", || load.right() >= before + number);
    };
    let mut ended = BTreeSet::new();
    for number in 0..TIMES {
        more(20);
        ended.extend(fault.cause(&httpd, number));
    }
    more(20);
    let record = load.finish();
    let served = Served::take(httpd.root());
    (record, served, ended)
}

/// Whatever happens, no answer is another one than it should be, nothing is done twice, and only
/// the application answers.
fn check(record: &Record, served: &Served) {
    assert_eq!(record.count(&Outcome::Wrong(String::new())), 0, "{:?}", failures(record));
    assert_eq!(record.count(&Outcome::Refused), 0, "{record}");
    assert_eq!(served.twice().count(), 0, "{:?}", served.twice().collect::<Vec<_>>());
    assert!(served.missing(record).is_empty(), "{:?}", served.missing(record));
}

fn failures(record: &Record) -> Vec<String> {
    record.failures().map(|one| format!("{}: {:?}", one.id, one.outcome)).collect()
}

/// Each request that failed had been begun by a process that was ended. One that a thread of it had
/// taken may not have come as far as the application, which notes what it begins.
fn check_failures(record: &Record, served: &Served, ended: &BTreeSet<i32>) {
    let mut taken = 0;
    for failure in record.failures() {
        match served.process(&failure.id) {
            None => taken += 1,
            process => assert!(
                process.is_some_and(|pid| ended.contains(&pid)),
                "request {}: {:?}, begun by {process:?}; killed: {ended:?}",
                failure.id,
                failure.outcome
            ),
        }
    }
    assert!(taken <= ended.len(), "{taken} requests were lost that were not begun: {record}");
}

#[test]
fn graceful_restarts_lose_no_request() {
    let (record, served, _) = under_load("graceful-load", Fault::Graceful, "/");
    check(&record, &served);
    assert_eq!(failures(&record), [""; 0], "{record}");
}

#[test]
fn changes_of_the_script_lose_no_request() {
    let (record, served, _) = under_load("touch-load", Fault::Touch, "/");
    check(&record, &served);
    assert_eq!(failures(&record), [""; 0], "{record}");
}

#[test]
fn a_killed_template_loses_no_request() {
    let (record, served, _) = under_load("template-load", Fault::Template, "/");
    check(&record, &served);
    assert_eq!(failures(&record), [""; 0], "{record}");
}

#[test]
fn a_killed_worker_loses_what_it_had_begun() {
    let (record, served, ended) = under_load("worker-load", Fault::Worker, "/slow");
    check(&record, &served);
    check_failures(&record, &served, &ended);
    // Its threads, each time.
    assert!(record.failures().count() <= 2 * TIMES as usize, "{record}");
}

#[test]
fn a_killed_wsgid_loses_no_request() {
    let (record, served, _) = under_load("wsgid-load", Fault::Supervisor, "/slow");
    check(&record, &served);
    assert_eq!(failures(&record), [""; 0], "{record}");
}

#[test]
fn a_killed_child_of_httpd_loses_the_requests_of_its_connections() {
    let (record, served, _) = under_load("child-load", Fault::Child, "/slow");
    check(&record, &served);
    // As with any httpd: its clients hear nothing more.
    assert_eq!(record.count(&Outcome::Lost), 0, "{:?}", failures(&record));
    assert!(record.failures().count() <= 4 * TIMES as usize, "{record}");
}

/// A server with an application that holds requests, in a directory that its worker may write to.
fn holding(name: &str) -> Httpd {
    let script = fs::read(testkit::installation::apps().join("process.wsgi")).unwrap();
    Httpd::new(name)
        .mode(Mode::Daemon)
        .daemon("processes=1 threads=2 shutdown-timeout=1")
        .file("app/process.wsgi", script)
        .conf("WSGIScriptAlias / {root}/app/process.wsgi")
        .start()
}

/// Waits until a request is being served by the only worker.
fn is_being_served(httpd: &Httpd) {
    wait_until("a request is being served", || {
        httpd.pids(Kind::Worker).into_iter().any(|pid| requests_of(pid) == 1)
    });
}

#[test]
fn a_graceful_stop_finishes_what_has_begun() {
    let httpd = holding("graceful-stop");
    assert_eq!(httpd.get("/facts").send().status, 200);
    idle_worker(&httpd);
    thread::scope(|scope| {
        let held = scope.spawn(|| httpd.get("/hold?go").send());
        is_being_served(&httpd);
        let stopped = scope.spawn(|| httpd.graceful_stop());
        wait_until("it takes no more requests", || httpd.get("/facts").try_send().is_err());
        fs::write(httpd.root().join("app/go"), "").unwrap();
        assert_eq!(held.join().unwrap().status, 200);
        assert!(stopped.join().unwrap().success());
    });
    wait_until("nothing is left", || httpd.processes().is_empty());
}

#[test]
fn a_stop_and_a_restart_break_off_what_has_begun_and_nothing_else() {
    for signal in [Signal::SIGTERM, Signal::SIGHUP] {
        let httpd = holding("stop");
        assert_eq!(httpd.get("/facts").send().status, 200);
        idle_worker(&httpd);
        // Where a child takes its time, httpd ends it, and then the worker is not waited for
        // either.
        for line in ["AH00045", "AH00046", "did not end within shutdown-timeout=1", "WSGI0146"] {
            httpd.allow_log(line);
        }
        thread::scope(|scope| {
            let held = scope.spawn(|| httpd.get("/hold?go").try_send());
            is_being_served(&httpd);
            let before = sockets(&httpd);
            let ended = scope.spawn(|| match signal {
                Signal::SIGTERM => assert!(httpd.stop().success()),
                _ => httpd.restart(),
            });
            wait_until("the children listen no more", || {
                sockets(&httpd) < before || held.is_finished()
            });
            fs::write(httpd.root().join("app/go"), "").unwrap();
            let outcome = held.join().unwrap();
            ended.join().unwrap();
            // As with any httpd: its children close their connections.
            assert!(outcome.as_ref().map_or(true, |reply| reply.status == 200), "{outcome:?}");
        });
        match signal {
            Signal::SIGTERM => wait_until("nothing is left", || httpd.processes().is_empty()),
            _ => assert_eq!(httpd.get("/facts").send().status, 200),
        }
    }
}

/// Sockets that httpd's children have open. A child that has been told to end closes those that it
/// listens on.
fn sockets(httpd: &Httpd) -> usize {
    let of = |pid: i32| {
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten();
        let links = descriptors.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
        links.filter(|link| link.to_string_lossy().starts_with("socket:")).count()
    };
    httpd.pids(Kind::Child).into_iter().map(of).sum()
}

/// With [`LIMIT_FILES`], embedded, and so in the child that serves everything: leaves it no
/// descriptor that is free.
const SHORT_OF_FILES: &str = r#"
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    free = os.dup(1)
    os.close(free)
    limit_files(free)
    return [b"short"]
"#;

#[test]
fn a_child_without_free_descriptors_refuses_and_serves_again() {
    let httpd = Httpd::new("descriptors")
        .mode(Mode::Daemon)
        .one_child()
        .allow_log("this child of httpd cannot make a socket for the request (EMFILE")
        .file("app/short.wsgi", [LIMIT_FILES, SHORT_OF_FILES].concat())
        .conf(
            "WSGIScriptAlias /short {root}/app/short.wsgi process-group=%{GLOBAL}\n\
             WSGIScriptAlias / {apps}/process.wsgi",
        )
        .start();
    let limits = |httpd: &Httpd| {
        let child = httpd.pids(Kind::Child)[0];
        fs::read_to_string(format!("/proc/{child}/limits")).unwrap()
    };
    let before = limits(&httpd);
    // Everything on one connection: a child that cannot accept another one ends, as any httpd's.
    let mut connection = None;
    // A thread that has asked the group before would have a stream for it.
    wait_until("the child has Python and keeps a connection", || {
        let mut new = httpd.connect().unwrap();
        let is_short =
            httpd.get("/short").send_on(&mut new).is_ok_and(|reply| reply.text() == "short");
        connection = Some(new);
        is_short
    });
    let mut connection = connection.unwrap();
    assert_eq!(httpd.get("/facts").send_on(&mut connection).unwrap().status, 503);
    fs::write(httpd.root().join("app/go"), "").unwrap();
    wait_until("its limit is what it was", || limits(&httpd) == before);
    assert_eq!(httpd.get("/facts").send().status, 200);
}

#[test]
fn the_tests_that_the_document_names_exist() {
    let tests = testkit::installation::project().join("tests/http");
    let document = tests.join("../../docs/reliability.md");
    let text = fs::read_to_string(document).unwrap();
    let named = text.split('`').filter_map(|word| word.split_once("::"));
    let named: Vec<_> = named.filter(|(module, _)| !module.is_empty()).collect();
    assert!(named.len() > 40, "{named:?}");
    for (module, test) in named {
        let content = fs::read_to_string(tests.join(format!("{module}.rs"))).unwrap_or_default();
        let exists = if test == "*" {
            !content.is_empty()
        } else {
            content.contains(&format!("fn {test}("))
        };
        assert!(exists, "there is no test {module}::{test}");
    }
}
