//! How soon another process answers in place of the one of a group: after that was killed, and
//! after the script was changed.
//!
//! All servers run, and take their trials in turn: what else the machine does at that moment
//! slows each of them down.

use std::fs::File;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use testkit::Call;

use super::tree::TEMPLATE;
use super::{Entry, each, failures, lines, of};
use crate::memory::Bench;
use crate::process_snapshot::Role;
use crate::report::{Findings, Verdict, or_dash, table};
use crate::server::Server;
use crate::server_kind::{Mode, ServerKind, Shape};
use crate::wait::until;
use crate::workdir::{App, Workdir};

const SERVER_KINDS: [ServerKind; 3] = [TEMPLATE, ServerKind::Dormouse(""), ServerKind::ModWsgi("")];

/// The middle one of this many counts.
const TRIALS: u64 = 7;

/// Times until another process answered.
#[derive(Clone, Copy, Debug)]
struct Times {
    killed: Duration,
    touched: Duration,
}

/// Measures a group of one process.
pub(super) fn run(bench: &Bench) -> Findings {
    let entries = race(each(bench, &SERVER_KINDS, Rival::start));
    let theirs = of(&entries, ServerKind::ModWsgi(""));
    let table = table(
        &["seconds until another process answers", "killed", "ratio", "script touched", "ratio"],
        &lines(&entries, |times| {
            let pair = |pick: fn(&Times) -> Duration| {
                let found = pick(times).as_secs_f64();
                let ratio = theirs.map(|theirs| found / pick(theirs).as_secs_f64());
                [format!("{found:.3}"), or_dash(ratio.map(|ratio| format!("{ratio:.2}")))]
            };
            [pair(|times| times.killed), pair(|times| times.touched)].concat()
        }),
    );
    let killed = of(&entries, TEMPLATE).map(|times| times.killed.as_secs_f64());
    let verdicts =
        vec![Verdict::at_most("Django, killed: another process answers", 0.05, "s", killed)];
    let text = format!("Ratios are to mod_wsgi.\n\n{table}\n{}", failures(&entries));
    Findings { text, verdicts }
}

/// A server that runs, and its times so far.
struct Rival {
    server: Server,
    /// In a working directory of its own, so that no other server sees a change.
    script: File,
    killed: Vec<Duration>,
    touched: Vec<Duration>,
    /// Removed with this.
    _workdir: Workdir,
}

impl Rival {
    fn start(kind: ServerKind) -> Result<Self> {
        let workdir = Workdir::make()?;
        let path = workdir.script(App::Polls);
        let script = File::options().append(true).open(path).context("cannot open the script")?;
        let shape = Shape::new(App::Polls, Mode::Daemon(1));
        let server = kind.start(&workdir, shape)?;
        Ok(Self { server, script, killed: Vec::new(), touched: Vec::new(), _workdir: workdir })
    }

    /// Kills the worker, and changes the script.
    fn try_once(&mut self, trial: u64) -> Result<()> {
        let old = answering(&mut self.server)?;
        self.killed.push(until_another(&self.server, old, || {
            kill(Pid::from_raw(old), Signal::SIGKILL).context("cannot kill the worker")
        })?);
        let old = answering(&mut self.server)?;
        self.touched.push(until_another(&self.server, old, || {
            // Never the time that it had before, however fast the trials are.
            let changed = SystemTime::now() + Duration::from_secs(trial);
            self.script.set_modified(changed).context("cannot touch the script")
        })?);
        Ok(())
    }

    fn finish(self) -> Result<Times> {
        self.server.finish()?;
        Ok(Times { killed: middle(self.killed), touched: middle(self.touched) })
    }
}

/// Gives each rival its trials; one that fails is out.
fn race(mut rivals: Vec<Entry<Rival>>) -> Vec<Entry<Times>> {
    for trial in 0..TRIALS {
        for entry in &mut rivals {
            let Ok(rival) = &mut entry.outcome else { continue };
            if let Err(error) = rival.try_once(trial) {
                entry.outcome = Err(error);
            }
        }
    }
    let finished = |Entry { kind, outcome }: Entry<Rival>| Entry {
        kind,
        outcome: outcome.and_then(Rival::finish),
    };
    rivals.into_iter().map(finished).collect()
}

/// The process that answers now, once it is the only worker.
fn answering(server: &mut Server) -> Result<i32> {
    until("one worker answers", || {
        let Some(pid) = ask(server)? else { return Ok(None) };
        Ok((server.pids(Role::Worker) == [pid]).then_some(pid))
    })
}

fn until_another(server: &Server, old: i32, act: impl FnOnce() -> Result<()>) -> Result<Duration> {
    let begin = Instant::now();
    act()?;
    until("another process answers", || {
        Ok(ask(server)?.filter(|&pid| pid != old).map(|_| begin.elapsed()))
    })
}

/// The process that answered; none where the one that should have was killed meanwhile.
fn ask(server: &Server) -> Result<Option<i32>> {
    let Ok(reply) = Call::new(server.address(), "GET", "/").try_send() else { return Ok(None) };
    if reply.status != 200 {
        ensure!(reply.status >= 500, "GET /: {}", reply.status);
        return Ok(None);
    }
    Ok(reply.header("x-process").and_then(|pid| pid.parse().ok()))
}

fn middle(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
