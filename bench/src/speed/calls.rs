//! System calls of a request, as strace counts them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use testkit::{Kind, wait_until};

use super::Bench;
use super::clients::{Pace, run as send};
use super::workload::ALONE;
use crate::report::{Findings, table};
use crate::workdir::open_directory;

/// How long requests are sent meanwhile.
const LENGTH: Duration = Duration::from_millis(700);

/// Counts for each of Dormouse's modes, and mod_wsgi's daemon mode.
pub(super) fn run(bench: &Bench) -> Result<Findings> {
    let (mut text, mut rows) = (String::new(), Vec::new());
    for &contender in bench.contenders.iter().filter(|contender| contender.is_ours()) {
        let server = contender.start(&bench.workdir, ALONE.app)?;
        let httpd = server.httpd()?;
        send(server.address(), &ALONE.order(), 1, Pace::Closed, LENGTH)?;
        for (role, kind) in [("children of httpd", Kind::Child), ("workers", Kind::Worker)] {
            let pids = httpd.pids(kind);
            if pids.is_empty() {
                continue;
            }
            let traffic = || send(server.address(), &ALONE.order(), 1, Pace::Closed, LENGTH);
            match count(&pids, || Ok(traffic()?.done)) {
                Ok((requests, calls)) => rows.push(vec![
                    contender.name().to_owned(),
                    role.to_owned(),
                    describe(&calls, requests),
                ]),
                Err(error) => writeln!(text, "{}: not counted: {error:#}", contender.name())?,
            }
        }
        server.finish()?;
    }
    text.insert_str(0, &table(&["server", "processes", "calls of a request"], &rows));
    Ok(Findings { text, verdicts: Vec::new() })
}

/// Traces the processes while `work` sends requests; gives their number, and calls by name.
fn count(pids: &[i32], work: impl FnOnce() -> Result<u64>) -> Result<(u64, BTreeMap<String, u64>)> {
    let directory = open_directory("dm-calls-")?;
    let output = directory.path().join("calls");
    let mut command = Command::new("strace");
    command.args(["-f", "-c", "-o"]).arg(&output);
    for pid in pids {
        command.args(["-p", &pid.to_string()]);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut strace_process =
        command.spawn().context("cannot run strace (Debian package strace)")?;
    wait_until("strace has attached", || {
        is_traced(pids[0]) || strace_process.try_wait().is_ok_and(|it| it.is_some())
    });
    let requests = if strace_process.try_wait()?.is_none() { work() } else { Ok(0) };
    // It writes its counts when it is interrupted; it may have ended by itself.
    let _ = kill(Pid::from_raw(i32::try_from(strace_process.id())?), Signal::SIGINT);
    strace_process.wait()?;
    let requests = requests?;
    anyhow::ensure!(requests > 0, "the processes may not be traced");
    Ok((requests, read(&output)?))
}

fn is_traced(pid: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let traced_by = status.lines().find_map(|line| line.strip_prefix("TracerPid:"));
    traced_by.is_some_and(|pid| pid.trim() != "0")
}

/// The summary of `strace -c`: the fourth column has the calls, the last one the name.
fn read(output: &Path) -> Result<BTreeMap<String, u64>> {
    let text = fs::read_to_string(output).context("strace has written nothing")?;
    let row = |line: &str| {
        let cells: Vec<_> = line.split_ascii_whitespace().collect();
        let number = cells.get(3)?.parse().ok()?;
        cells.first()?.parse::<f64>().ok()?;
        Some(((*cells.last()?).to_owned(), number))
    };
    Ok(text.lines().filter_map(row).filter(|(name, _)| name != "total").collect())
}

#[expect(clippy::cast_precision_loss, reason = "no measurement has 2^52 calls")]
fn describe(calls: &BTreeMap<String, u64>, requests: u64) -> String {
    let mut each: Vec<_> =
        calls.iter().map(|(name, count)| (*count as f64 / requests as f64, name)).collect();
    each.sort_by(|one, other| other.0.total_cmp(&one.0));
    let all: Vec<_> = each
        .iter()
        .filter(|(count, _)| *count >= 0.05)
        .map(|(count, name)| format!("{name} {count:.1}"))
        .collect();
    all.join(", ")
}
