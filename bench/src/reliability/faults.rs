//! Each kind of restart and kill under load: what became of each request.

use std::collections::BTreeSet;
use std::time::Duration;

use testkit::load::{Load, Outcome, Record, Running, Served, counting};
use testkit::{Fault, Httpd, Mode};

use super::{Amount, STATIC, STATIC_TARGET, milliseconds, server};
use crate::report::{Findings, Verdict, table};
use crate::wait::until;

/// Clients, and so the most requests that a child of httpd can have begun.
const CLIENTS: usize = 4;

/// Workers, and threads of each.
const PROCESSES: usize = 2;
const THREADS: usize = 2;

/// The number of requests that are answered after each fault, before the next.
const BETWEEN: usize = 30;

/// A fault that happened several times.
struct Trial {
    title: String,
    times: u32,
    record: Record,
    twice: usize,
    /// Requests that failed and that no killed process had begun.
    strangers: usize,
}

/// Runs every fault with Dormouse, and those of httpd's own with a plain httpd, too.
pub(super) fn run(amount: &Amount) -> Findings {
    let mut trials = Vec::new();
    let mut verdicts = Vec::new();
    for fault in Fault::ALL {
        let times = if matches!(fault, Fault::Graceful | Fault::Touch) {
            amount.restarts
        } else {
            amount.kills
        };
        eprintln!("  {}", fault.name());
        let ours = dormouse(fault, times);
        let plain = fault.is_httpds_own().then(|| plain(fault, times));
        verdicts.extend(judge(fault, times, &ours, plain.as_ref()));
        trials.push(ours);
        trials.extend(plain);
    }
    eprintln!("  Apache parent killed");
    let (parent, left) = parent(amount.kills);
    trials.push(parent);
    verdicts.push(at_most("Apache parent killed: processes left", 0, left));
    let bad = |trial: &Trial| trial.record.count(&Outcome::Wrong(String::new())) + trial.twice;
    verdicts.push(at_most("wrong answers, requests served twice", 0, trials.iter().map(bad).sum()));
    Findings { text: text(&trials), verdicts }
}

fn judge(fault: Fault, times: u32, ours: &Trial, plain: Option<&Trial>) -> Vec<Verdict> {
    let (name, failed) = (fault.name(), ours.record.failures().count());
    if !fault.loses_requests() {
        let theirs = plain.map_or(0, |plain| plain.record.failures().count());
        return vec![at_most(&format!("{name}: requests that failed"), theirs, failed)];
    }
    let each = match fault {
        Fault::Worker => THREADS,
        _ => CLIENTS,
    };
    let most = each * usize::try_from(times).unwrap_or(usize::MAX);
    let mut verdicts = vec![at_most(&format!("{name}: requests that failed"), most, failed)];
    if fault != Fault::Child {
        let what = format!("{name}: requests that failed, begun by no process that was killed");
        verdicts.push(at_most(&what, 0, ours.strangers));
    }
    verdicts
}

fn at_most(what: &str, limit: usize, found: usize) -> Verdict {
    let figure = |count| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    Verdict::at_most(what, figure(limit), "", Some(figure(found)))
}

fn dormouse(fault: Fault, times: u32) -> Trial {
    let options = format!("processes={PROCESSES} threads={THREADS} preload=application");
    let httpd = counting(server("faults").mode(Mode::Daemon).daemon(&options)).start();
    // Where requests are lost, there are to be some that can be.
    let path = if fault.loses_requests() { "/slow" } else { "/" };
    let load = Load::of_count(&httpd, path).clients(CLIENTS).start();
    let (record, ended) = suffer(&httpd, load, fault, times);
    let served = Served::take(httpd.root());
    let is_stranger = |id: &str| served.process(id).is_none_or(|pid| !ended.contains(&pid));
    Trial {
        title: fault.name().to_owned(),
        times,
        twice: served.twice().count() + served.missing(&record).len(),
        strangers: record.failures().filter(|failure| is_stranger(&failure.id)).count(),
        record,
    }
}

fn plain(fault: Fault, times: u32) -> Trial {
    let httpd = server("faults-plain").without_wsgi().start();
    let load = Load::of_content(httpd.address(), STATIC_TARGET, STATIC.1).clients(CLIENTS).start();
    let (record, _) = suffer(&httpd, load, fault, times);
    let title = format!("{}, plain httpd", fault.name());
    Trial { title, times, record, twice: 0, strangers: 0 }
}

fn suffer(httpd: &Httpd, load: Running, fault: Fault, times: u32) -> (Record, BTreeSet<i32>) {
    let mut ended = BTreeSet::new();
    for number in 0..times {
        go_on(&load);
        ended.extend(fault.cause(httpd, number));
    }
    go_on(&load);
    (load.finish(), ended)
}

/// Waits until more requests are answered.
fn go_on(load: &Running) {
    let before = load.right();
    testkit::wait_until("requests are answered", || load.right() >= before + BETWEEN);
}

/// Kills the first process of several servers: each ends with it, children and all, so that its
/// port is free for the next start. Gives also how many processes were left.
fn parent(times: u32) -> (Trial, usize) {
    let (mut record, mut left, mut twice) = (Record::default(), 0, 0);
    for _ in 0..times {
        let setup = counting(server("parent").mode(Mode::Daemon));
        let httpd = setup.daemon("processes=2 threads=2 preload=application").start();
        let load = Load::of_count(&httpd, "/").clients(CLIENTS).pause(AFTERWARDS).start();
        go_on(&load);
        httpd.kill_parent();
        let ended = until("all processes end", || Ok(httpd.processes().is_empty().then_some(())));
        if ended.is_err() {
            left += httpd.processes().len();
        }
        record.extend(load.finish());
        twice += Served::take(httpd.root()).twice().count();
    }
    let title = "Apache parent killed".to_owned();
    (Trial { title, times, record, twice, strangers: 0 }, left)
}

/// How long a client waits that may find no server any more.
const AFTERWARDS: Duration = Duration::from_millis(10);

fn text(trials: &[Trial]) -> String {
    let line = |trial: &Trial| {
        let Trial { record, .. } = trial;
        let count = |outcome: &Outcome| record.count(outcome).to_string();
        let none = String::new;
        let time = |share| {
            let time = record.quantile(share).unwrap_or_default();
            format!("{:.1}", milliseconds(time))
        };
        vec![
            trial.title.clone(),
            trial.times.to_string(),
            record.answers().len().to_string(),
            count(&Outcome::Right),
            count(&Outcome::Refused),
            count(&Outcome::Lost),
            count(&Outcome::Cut),
            count(&Outcome::Unanswered(none())),
            count(&Outcome::Wrong(none())),
            count(&Outcome::Closed),
            trial.twice.to_string(),
            time(0.5),
            time(0.99),
            time(1.0),
            format!("{:.0}", milliseconds(record.longest_gap())),
        ]
    };
    let head = [
        "what",
        "times",
        "requests",
        "right",
        "503",
        "502",
        "cut",
        "no answer",
        "wrong",
        "asked again",
        "twice",
        "p50",
        "p99",
        "longest",
        "longest gap",
    ];
    let lines: Vec<_> = trials.iter().map(line).collect();
    format!(
        "{CLIENTS} clients without a pause; times in ms. *Asked again*: a kept connection was \
         closed before a byte of the answer, and the request sent on a new one, which was counted \
         by itself.\n\n{}",
        table(&head, &lines)
    )
}
