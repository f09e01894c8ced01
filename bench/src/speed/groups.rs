//! Numbers of groups and aliases: those that a request has nothing to do with must not cost it
//! anything.

use std::fmt::Write as _;

use anyhow::Result;
use testkit::{Httpd, Mpm, installation};

use super::Bench;
use super::clients::{Pace, run as send};
use super::cost::Cost;
use super::rounds::median;
use super::workload::HELLO;
use crate::report::{Findings, Verdict, table};
use crate::server::Server;

/// The most that others may add to the processor time of a request.
const MOST: f64 = 1.1;

/// Groups and aliases, the first row being the base.
const ROWS: [(u32, u32); 3] = [(1, 1), (200, 1), (1, 1000)];

/// Measures a hello beside others that are not asked for.
pub(super) fn run(bench: &Bench) -> Result<Findings> {
    let mut servers = Vec::new();
    for (groups, aliases) in ROWS {
        let mut server = start(bench, groups, aliases)?;
        let (address, order) = (server.address(), HELLO.order());
        send(address, &order, HELLO.connections, Pace::Closed, bench.effort.length)?;
        let pids = server.all_pids();
        servers.push((server, pids, Vec::new()));
    }
    for _ in 0..bench.effort.rounds {
        for (server, pids, found) in &mut servers {
            let before = Cost::of(pids);
            let (order, length) = (HELLO.order(), bench.effort.length);
            let traffic = send(server.address(), &order, HELLO.connections, Pace::Closed, length)?;
            let cost = Cost::of(pids) - before;
            found.push(cost.microseconds / (traffic.rate() * traffic.seconds));
        }
    }
    let mut findings = Findings::default();
    let (mut rows, mut base) = (Vec::new(), f64::NAN);
    for ((groups, aliases), (server, _, found)) in ROWS.into_iter().zip(servers) {
        server.finish()?;
        let cost = median(&found);
        if (groups, aliases) == ROWS[0] {
            base = cost;
        } else {
            let what = format!("{groups} groups, {aliases} aliases, to one of each");
            findings.verdicts.push(Verdict::at_most(&what, MOST, "", Some(cost / base)));
        }
        rows.push(vec![groups.to_string(), aliases.to_string(), format!("{cost:.1}")]);
    }
    findings.text = table(&["groups", "aliases", "CPU us"], &rows);
    Ok(findings)
}

/// httpd with that many groups and aliases; the last of each is the one that is asked.
fn start(bench: &Bench, groups: u32, aliases: u32) -> Result<Server> {
    let home = installation::venv()?;
    let (home, path) = (home.display(), bench.workdir.path().display());
    let script = bench.workdir.script(HELLO.app);
    let script = script.display();
    let mut lines = String::from("MaxKeepAliveRequests 0\nWSGIApplicationGroup %{GLOBAL}\n");
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
    let sizes = "StartServers 2\nServerLimit 2\nThreadsPerChild 25\nMaxRequestWorkers 50\n";
    let setup = Httpd::new("bench").mpm(Mpm::Event).conf(sizes).conf(&lines).allow_log("");
    Ok(Server::of_httpd(setup.try_start()?))
}
