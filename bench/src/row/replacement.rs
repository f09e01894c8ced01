//! How soon another process answers in place of the one of a group: after that was killed, and after
//! the script was changed. Times are compared within the run.

use std::fs::File;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, ensure};
use testkit::{Call, Signal};

use super::tree::TEMPLATE;
use super::{each, failures, lines, of};
use crate::census::Role;
use crate::contender::{Contender, Mode, Shape};
use crate::memory::{Bench, Findings};
use crate::patience::until;
use crate::place::App;
use crate::report::{Verdict, or_dash, table};
use crate::server::Server;

const CONTENDERS: [Contender; 3] = [TEMPLATE, Contender::Dormouse(""), Contender::ModWsgi("")];

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
    let entries = each(&CONTENDERS, |contender| replaced(bench, contender));
    let theirs = of(&entries, Contender::ModWsgi(""));
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

fn replaced(bench: &Bench, contender: Contender) -> Result<Times> {
    let shape = Shape { app: App::Library, mode: Mode::Daemon(1) };
    let script = File::options()
        .append(true)
        .open(bench.place.script(App::Library))
        .context("cannot open the script")?;
    let mut server = contender.start(&bench.place, shape)?;
    let mut killed = Vec::new();
    let mut touched = Vec::new();
    for trial in 0..TRIALS {
        let old = answering(&mut server)?;
        let httpd = server.httpd()?;
        killed.push(until_another(&server, old, || {
            httpd.signal(old, Signal::SIGKILL);
            Ok(())
        })?);
        let old = answering(&mut server)?;
        touched.push(until_another(&server, old, || {
            // Never the time that it had before, however fast the trials are.
            let changed = SystemTime::now() + Duration::from_secs(trial);
            script.set_modified(changed).context("cannot touch the script")
        })?);
    }
    server.finish()?;
    Ok(Times { killed: middle(killed), touched: middle(touched) })
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
