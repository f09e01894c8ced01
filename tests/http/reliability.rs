//! Restarts and kills while requests come: each request gets its answer, but for those that a killed process
//! had begun. `cargo xtask bench reliability` does the same more often, and beside a plain httpd.

use std::collections::BTreeSet;

use testkit::load::{Load, Outcome, Record, Served, counting};
use testkit::{Fault, Httpd, Mode, wait_until};

/// How often each happens here.
const TIMES: u32 = 4;

/// Threads of the group, all of which a killed `wsgid` takes along.
const OPTIONS: &str = "processes=2 threads=2 preload=application";

/// The record of a load during which the fault has happened, what the application has seen of it, and the
/// processes that the fault has ended.
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

/// Whatever happens, no answer is another one than it should be, nothing is done twice, and nothing is answered
/// by anybody but the application.
fn check(record: &Record, served: &Served) {
    assert_eq!(record.count(&Outcome::Wrong(String::new())), 0, "{:?}", failures(record));
    assert_eq!(record.count(&Outcome::Refused), 0, "{record}");
    assert_eq!(served.twice().count(), 0, "{:?}", served.twice().collect::<Vec<_>>());
    assert!(served.missing(record).is_empty(), "{:?}", served.missing(record));
}

fn failures(record: &Record) -> Vec<String> {
    record.failures().map(|one| format!("{}: {:?}", one.id, one.outcome)).collect()
}

/// Each request that failed had been begun by a process that was ended.
fn check_failures(record: &Record, served: &Served, ended: &BTreeSet<i32>) {
    for failure in record.failures() {
        let process = served.process(&failure.id);
        assert!(
            process.is_some_and(|pid| ended.contains(&pid)),
            "request {}: {:?}, begun by {process:?}; killed: {ended:?}",
            failure.id,
            failure.outcome
        );
    }
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
fn a_killed_wsgid_loses_what_its_workers_had_begun() {
    let (record, served, ended) = under_load("wsgid-load", Fault::Supervisor, "/slow");
    check(&record, &served);
    check_failures(&record, &served, &ended);
    assert!(record.failures().count() <= 4 * TIMES as usize, "{record}");
}

#[test]
fn a_killed_child_of_httpd_loses_the_requests_of_its_connections() {
    let (record, served, _) = under_load("child-load", Fault::Child, "/slow");
    check(&record, &served);
    // As with any httpd: whoever was connected to it hears nothing more.
    assert_eq!(record.count(&Outcome::Lost), 0, "{:?}", failures(&record));
    assert!(record.failures().count() <= 4 * TIMES as usize, "{record}");
}
