//! Numbers of processes and threads: no step to more of them may cost much.

use anyhow::Result;

use super::Bench;
use super::clients::{Pace, run as send};
use super::contender::Contender;
use super::cost::Cost;
use super::rounds::median;
use super::workload::HELLO;
use crate::report::{Findings, Verdict, table};
use crate::server_kind::{Mode, Shape};

const PROCESSES: [u32; 3] = [1, 4, 16];
const THREADS: [u32; 3] = [1, 4, 32];
/// The same httpd for each.
const LINES: &str = "MaxKeepAliveRequests 0\n";

/// Measures both daemon modes in each shape.
pub(super) fn run(bench: &Bench) -> Result<Findings> {
    let contenders = [Contender::ModWsgiDaemon, Contender::Daemon];
    let (mut rows, mut findings) = (Vec::new(), Findings::default());
    let mut rates: Vec<(u32, u32, f64)> = Vec::new();
    for processes in PROCESSES {
        for threads in THREADS.into_iter().filter(|threads| *threads < 16 || !bench.effort.quick) {
            let mut servers = Vec::new();
            for contender in contenders {
                let mode = Mode::Daemon(processes);
                let shape = Shape { mode, threads, lines: LINES, ..contender.shape(HELLO.app) };
                let mut server = contender.start_as(&bench.workdir, shape)?;
                let (address, order) = (server.address(), HELLO.order());
                send(address, &order, HELLO.connections, Pace::Closed, bench.effort.length)?;
                let pids = server.all_pids();
                servers.push((server, pids));
            }
            let mut found = [Vec::new(), Vec::new()];
            let mut costs = [Vec::new(), Vec::new()];
            for _ in 0..bench.effort.rounds.min(3) {
                for (index, (server, pids)) in servers.iter().enumerate() {
                    let before = Cost::of(pids);
                    let (order, length) = (HELLO.order(), bench.effort.length);
                    let address = server.address();
                    let traffic = send(address, &order, HELLO.connections, Pace::Closed, length)?;
                    let cost = Cost::of(pids) - before;
                    found[index].push(traffic.rate());
                    costs[index].push(cost.microseconds / (traffic.rate() * traffic.seconds));
                }
            }
            for (server, _) in servers {
                server.finish()?;
            }
            let [base, ours] = found.map(|rates| median(&rates));
            let [base_cost, cost] = costs.map(|costs| median(&costs));
            rates.push((processes, threads, ours));
            rows.push(vec![
                format!("{processes} x {threads}"),
                format!("{base:.0}"),
                format!("{ours:.0}"),
                format!("{:.2}", ours / base),
                format!("{base_cost:.0}"),
                format!("{cost:.0}"),
            ]);
            let what = format!("{processes} x {threads}, to mod_wsgi's");
            findings.verdicts.push(Verdict::at_least(&what, 1.0, "", Some(ours / base)));
        }
    }
    let steps = rates.iter().flat_map(|(processes, threads, rate)| {
        let after = rates.iter().filter(move |(p, t, _)| {
            (p == processes && t > threads) || (t == threads && p > processes)
        });
        after.map(move |(_, _, more)| more / rate)
    });
    let worst = steps.fold(f64::INFINITY, f64::min);
    let what = "more processes or threads, the worst ratio to fewer";
    findings.verdicts.push(Verdict::at_least(what, 0.5, "", Some(worst)));
    let head = ["shape", "mod_wsgi requests/s", "Dormouse", "ratio", "mod_wsgi CPU us", "Dormouse"];
    findings.text = table(&head, &rows);
    Ok(findings)
}
