//! Many connections at a time: none may fail that httpd itself can serve.

use anyhow::Result;

use super::Bench;
use super::contender::Contender;
use super::failure::Failures;
use super::line::Line;
use super::rounds::Runners;
use super::schedule::Pace;
use super::targets;
use super::workload::HELLO;
use crate::report::{Findings, Verdict, table};

const MANY: usize = 256;

/// Asks all servers in turn.
pub(super) fn run(bench: &Bench) -> Result<Findings> {
    let workload = HELLO.on(MANY);
    let mut runners = Runners::start(bench, &bench.contenders, workload);
    let lines = runners.measure(Pace::Closed, bench.effort)?;
    let row = |line: &Line| {
        vec![
            line.contender.name().to_owned(),
            format!("{:.0}", line.rate()),
            format!("{:.1}", line.processor()),
            line.millis(0.5),
            line.millis(0.99),
            line.failures.to_string(),
        ]
    };
    let rows: Vec<_> = lines.iter().map(row).collect();
    let head = ["server", "requests/s", "CPU us", "p50 ms", "p99 ms", "errors"];
    let text = table(&head, &rows) + &runners.missing;
    runners.finish()?;
    let none = Failures::default();
    let plain = targets::find(&lines, Contender::File).map_or(&none, |line| &line.failures);
    let count = |contender| {
        let count = targets::find(&lines, contender)?.failures.beyond(plain);
        Some(f64::from(u32::try_from(count).unwrap_or(u32::MAX)))
    };
    let verdict = |contender: Contender| {
        let what = format!("errors that httpd has not, {}", contender.name());
        Verdict::at_most(&what, 0.0, "", count(contender))
    };
    Ok(Findings { text, verdicts: targets::OURS.map(verdict).into() })
}
