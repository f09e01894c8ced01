//! Numbers of groups and aliases: those that a request has nothing to do with must not cost it
//! anything.

use std::fmt::Write as _;

use anyhow::Result;
use testkit::{Httpd, Mpm, installation};

use super::Bench;
use super::contender::{Contender, LINES};
use super::rounds::Runners;
use super::runner::Runner;
use super::schedule::Pace;
use super::workload::HELLO;
use crate::report::{Findings, Verdict, or_dash, table};
use crate::server::Server;

/// The most that others may add to the processor time of a request.
const MOST: f64 = 1.1;

/// Groups and aliases, the first row being the base.
const ROWS: [(u32, u32); 3] = [(1, 1), (200, 1), (1, 1000)];

/// Measures a hello beside others that are not asked for.
pub(super) fn run(bench: &Bench) -> Result<Findings> {
    let mut runners = Runners::default();
    for (groups, aliases) in ROWS {
        let (server, length) = (start(bench, groups, aliases)?, bench.effort.length);
        runners.all.push(Runner::warm_up(Contender::Daemon, server, HELLO, length)?);
    }
    let lines = runners.measure(Pace::Closed, bench.effort)?;
    runners.finish()?;
    let (mut rows, mut verdicts) = (Vec::new(), Vec::new());
    for ((groups, aliases), line) in ROWS.into_iter().zip(&lines) {
        let ratio = line.processor_ratio(&lines[0]);
        if (groups, aliases) != ROWS[0] {
            let what = format!("{groups} groups, {aliases} aliases, processor, to one of each");
            verdicts.push(Verdict::at_most(&what, MOST, "", ratio));
        }
        rows.push(vec![
            groups.to_string(),
            aliases.to_string(),
            format!("{:.0}", line.rate()),
            format!("{:.1}", line.processor()),
            or_dash(ratio.map(|ratio| format!("{ratio:.2}"))),
            line.failures.to_string(),
        ]);
    }
    let head = ["groups", "aliases", "requests/s", "CPU us", "CPU ratio", "errors"];
    Ok(Findings { text: table(&head, &rows), verdicts })
}

/// httpd with that many groups and aliases; the last of each is the one that is asked.
fn start(bench: &Bench, groups: u32, aliases: u32) -> Result<Server> {
    let home = installation::venv()?;
    let (home, path) = (home.display(), bench.workdir.path().display());
    let script = bench.workdir.script(HELLO.app);
    let script = script.display();
    let mut lines = String::from(LINES);
    lines += "StartServers 2\nLogLevel notice wsgi:notice\nWSGIApplicationGroup %{GLOBAL}\n";
    for group in 1..groups {
        writeln!(lines, "WSGIDaemonProcess other{group} processes=0..1 python-home=\"{home}\"")?;
    }
    writeln!(
        lines,
        "WSGIDaemonProcess bench processes=4 threads=4 python-home=\"{home}\" \
         python-path=\"{path}\"\nWSGIProcessGroup bench"
    )?;
    for alias in 1..aliases {
        writeln!(lines, "WSGIScriptAlias /alias{alias} \"{script}\"")?;
    }
    writeln!(lines, "WSGIScriptAlias / \"{script}\"")?;
    let setup = Httpd::new("bench").mpm(Mpm::Event).without_access_log().conf(&lines).allow_log("");
    Ok(Server::of_httpd(setup.try_start()?))
}
