//! Latencies at fixed rates: how long requests take while the server has time.

use std::fmt::Write as _;

use anyhow::Result;

use super::Bench;
use super::clients::{Pace, run as send};
use super::contender::Contender;
use super::rounds::{self, median, start};
use super::workload::{DJANGO, HELLO};
use crate::report::{Findings, Verdict, table};

/// Shares of the highest rate of mod_wsgi's daemon mode.
const SHARES: [f64; 2] = [0.3, 0.7];
/// The share whose latencies are compared.
const JUDGED: f64 = 0.7;

/// Measures all servers at the same rates.
pub(super) fn run(bench: &Bench) -> Result<Findings> {
    let mut findings = Findings::default();
    for workload in [HELLO, DJANGO] {
        let base = [Contender::ModWsgiDaemon];
        let lines = rounds::measure(&bench.workdir, &base, workload, bench.effort)?;
        let most = lines.first().map_or(0.0, |line| median(&line.rates));
        let runners = start(&bench.workdir, &bench.contenders, workload, bench.effort.length)?;
        let order = workload.order();
        for share in SHARES {
            let rate = most * share;
            let (mut rows, mut slowest) = (Vec::new(), Vec::new());
            for runner in &runners {
                let pace = Pace::Rate(rate);
                let mut latencies = super::latencies::Latencies::default();
                let mut failed = 0;
                for _ in 0..bench.effort.rounds {
                    let (address, length) = (runner.server.address(), bench.effort.length);
                    let traffic = send(address, &order, workload.connections, pace, length)?;
                    latencies.join(&traffic.latencies);
                    failed += traffic.failed();
                }
                let millis = |share| {
                    let found = latencies.percentile(share);
                    found.map_or("-".to_owned(), |found| format!("{:.2}", found / 1000.0))
                };
                slowest.push((runner.contender, latencies.percentile(0.99)));
                rows.push(vec![
                    runner.contender.name().to_owned(),
                    millis(0.5),
                    millis(0.99),
                    millis(0.999),
                    failed.to_string(),
                ]);
            }
            let head = ["server", "p50 ms", "p99 ms", "p99.9 ms", "errors"];
            let (name, percent) = (workload.name, share * 100.0);
            writeln!(findings.text, "{name}, {rate:.0} requests/s ({percent:.0} %)\n")?;
            findings.text += &(table(&head, &rows) + "\n");
            let p99 = |contender| slowest.iter().find(|(one, _)| *one == contender)?.1;
            for contender in [Contender::Daemon, Contender::Template] {
                if share < JUDGED {
                    continue;
                }
                let found = p99(contender).zip(p99(Contender::ModWsgiDaemon));
                let found = found.map(|(ours, base)| ours / base);
                let what = format!("{name} at {percent:.0} %, p99, {}", contender.name());
                findings.verdicts.push(Verdict::at_most(&what, 1.0, "", found));
            }
        }
        for runner in runners {
            runner.server.finish()?;
        }
    }
    Ok(findings)
}
