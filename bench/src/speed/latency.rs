//! Latencies at fixed rates: how long requests take while the server has time.

use std::fmt::Write as _;

use anyhow::Result;

use super::Bench;
use super::contender::Contender;
use super::line::Line;
use super::rounds::Runners;
use super::schedule::Pace;
use super::targets;
use super::workload::{DJANGO, HELLO};
use crate::report::{Findings, table};

/// Shares of the highest rate of mod_wsgi's daemon mode.
const SHARES: [f64; 2] = [0.3, 0.7];
/// The share whose latencies are compared.
const JUDGED: f64 = 0.7;

/// Measures all servers at the same rates.
pub(super) fn run(bench: &Bench) -> Result<Findings> {
    let mut findings = Findings::default();
    for workload in [HELLO, DJANGO] {
        let mut runners = Runners::start(bench, &[Contender::ModWsgiDaemon], workload);
        let most = runners.measure(Pace::Closed, bench.effort)?.first().map(Line::rate);
        runners.finish()?;
        let Some(most) = most.filter(|rate| *rate > 0.0) else {
            writeln!(findings.text, "{}: there is no rate to begin with", workload.name)?;
            findings.verdicts.extend(targets::latency(workload.name, &[]));
            continue;
        };
        let mut runners = Runners::start(bench, &bench.contenders, workload);
        for share in SHARES {
            let (rate, percent) = (most * share, share * 100.0);
            let lines = runners.measure(Pace::Rate(rate), bench.effort)?;
            let row = |line: &Line| {
                let [half, most, nearly_all] = [0.5, 0.99, 0.999].map(|share| line.millis(share));
                vec![
                    line.contender.name().to_owned(),
                    half,
                    most,
                    nearly_all,
                    format!("{:.1}", line.processor()),
                    line.failures.to_string(),
                ]
            };
            let rows: Vec<_> = lines.iter().map(row).collect();
            let head = ["server", "p50 ms", "p99 ms", "p99.9 ms", "CPU us", "errors"];
            let name = workload.name;
            writeln!(findings.text, "{name}, {rate:.0} requests/s ({percent:.0} %)\n")?;
            writeln!(findings.text, "{}", table(&head, &rows))?;
            if share >= JUDGED {
                let what = format!("{name} at {percent:.0} %");
                findings.verdicts.extend(targets::latency(&what, &lines));
            }
        }
        findings.text += &runners.missing;
        runners.finish()?;
    }
    Ok(findings)
}
