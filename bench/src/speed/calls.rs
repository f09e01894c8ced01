//! System calls of a request, as strace counts them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::Bench;
use super::runner::Runner;
use super::schedule::Pace;
use super::workload::ALONE;
use crate::process_snapshot::Role;
use crate::report::{Findings, table};
use crate::wait::until;
use crate::workdir::open_directory;

/// How long requests are sent meanwhile: some hundreds, for tracing makes them slow.
const LENGTH: Duration = Duration::from_millis(700);

/// Fewer calls than this for each request are not shown.
const LEAST: f64 = 0.05;

/// The processes that take part in a request.
const ROLES: [(Role, &str); 2] = [(Role::Child, "Apache child"), (Role::Worker, "worker")];

/// Counts for each of Dormouse's modes, and mod_wsgi's daemon mode.
pub(super) fn run(bench: &Bench) -> Result<Findings> {
    let (mut text, mut rows) = (String::new(), Vec::new());
    for &contender in bench.contenders.iter().filter(|contender| contender.is_ours()) {
        let server = contender.start(&bench.workdir, ALONE)?;
        let mut runner = Runner::warm_up(contender, server, ALONE, LENGTH)?;
        for (role, name) in ROLES {
            let pids = runner.server.pids(role);
            if pids.is_empty() {
                continue;
            }
            let send = || Ok(runner.measure(Pace::Closed, LENGTH)?.0.done);
            match count(&pids, send) {
                Ok((requests, calls)) => {
                    let (sum, list) = describe(&calls, requests);
                    let server = contender.name().to_owned();
                    rows.push(vec![server, name.to_owned(), requests.to_string(), sum, list]);
                }
                Err(error) => {
                    writeln!(text, "{}, {name}: not counted: {error:#}", contender.name())?;
                }
            }
        }
        runner.server.finish()?;
    }
    let head = ["server", "processes", "requests", "calls of each", "most of them"];
    text.insert_str(0, &table(&head, &rows));
    Ok(Findings { text, verdicts: Vec::new() })
}

/// Traces the processes while `work` sends requests; gives their number, and calls by name.
fn count(pids: &[i32], work: impl FnOnce() -> Result<u64>) -> Result<(u64, BTreeMap<String, u64>)> {
    let directory = open_directory("dm-calls-")?;
    let output = directory.path().join("calls");
    let log = directory.path().join("log");
    let mut command = Command::new("strace");
    command.args(["-f", "-c", "-o"]).arg(&output);
    for pid in pids {
        command.args(["-p", &pid.to_string()]);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(&log)?);
    let mut strace_process =
        command.spawn().context("cannot run strace (Debian package strace)")?;
    let requests = attach(&mut strace_process, pids).and_then(|is_attached| {
        let said = fs::read_to_string(&log).unwrap_or_default();
        ensure!(is_attached, "the processes may not be traced: {}", said.trim());
        work()
    });
    // It writes its counts when it is interrupted; it may have ended by itself.
    let _ = kill(Pid::from_raw(i32::try_from(strace_process.id())?), Signal::SIGINT);
    strace_process.wait()?;
    let requests = requests?;
    ensure!(requests > 0, "no request was answered");
    let counts = fs::read_to_string(&output).context("strace has written nothing")?;
    Ok((requests, read(&counts)))
}

/// Waits until all threads are traced; false if strace has ended in place of that.
fn attach(strace_process: &mut Child, pids: &[i32]) -> Result<bool> {
    until("strace attaches", || {
        if strace_process.try_wait()?.is_some() {
            return Ok(Some(false));
        }
        Ok(pids.iter().all(|pid| is_traced(*pid)).then_some(true))
    })
}

/// Whether each thread of the process is.
fn is_traced(pid: i32) -> bool {
    let Ok(mut tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return true };
    tasks.all(|task| task.is_ok_and(|task| has_tracer(&task.path().join("status"))))
}

fn has_tracer(status: &Path) -> bool {
    // A thread that has ended needs none.
    let Ok(status) = fs::read_to_string(status) else { return true };
    let traced_by = status.lines().find_map(|line| line.strip_prefix("TracerPid:"));
    traced_by.is_some_and(|pid| pid.trim() != "0")
}

/// The summary of `strace -c`: the fourth column has the calls, the last one the name.
fn read(text: &str) -> BTreeMap<String, u64> {
    let row = |line: &str| {
        let cells: Vec<_> = line.split_ascii_whitespace().collect();
        let count = cells.get(3)?.parse().ok()?;
        cells.first()?.parse::<f64>().ok()?;
        Some(((*cells.last()?).to_owned(), count))
    };
    text.lines().filter_map(row).filter(|(name, _)| name != "total").collect()
}

/// The calls of a request: their number, and each kind, the most frequent first.
#[expect(clippy::cast_precision_loss, reason = "no measurement has 2^52 calls")]
fn describe(calls: &BTreeMap<String, u64>, requests: u64) -> (String, String) {
    let mut each: Vec<_> =
        calls.iter().map(|(name, count)| (*count as f64 / requests as f64, name)).collect();
    each.sort_by(|one, other| other.0.total_cmp(&one.0));
    let sum: f64 = each.iter().map(|(count, _)| count).sum();
    let shown = each.iter().filter(|(count, _)| *count >= LEAST);
    let all: Vec<_> = shown.map(|(count, name)| format!("{name} {count:.1}")).collect();
    (format!("{sum:.1}"), all.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUMMARY: &str = "\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 60.00    0.006000           6       300           sendmsg
 40.00    0.004000           4       600        20 futex
  0.00    0.000000           0         1           brk
------ ----------- ----------- --------- --------- ----------------
100.00    0.010000           5       901        20 total
";

    #[test]
    fn a_summary_is_read_and_divided() {
        let calls = read(SUMMARY);
        assert_eq!(calls.len(), 3);
        assert_eq!((calls["futex"], calls["sendmsg"]), (600, 300));
        let (sum, list) = describe(&calls, 300);
        assert_eq!((sum.as_str(), list.as_str()), ("3.0", "futex 2.0, sendmsg 1.0"));
    }
}
