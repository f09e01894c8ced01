//! Many connections at a time: none may fail that httpd itself can serve.

use anyhow::Result;

use super::Bench;
use super::clients::{Pace, run as send};
use super::contender::Contender;
use super::workload::{HELLO, Workload};
use crate::report::{Findings, Verdict, table};
use crate::server_kind::Shape;

const MANY: usize = 256;
/// A thread for each.
const LINES: &str = "ThreadsPerChild 64\nMaxRequestWorkers 256\nServerLimit 4\nStartServers 4\n\
                     MinSpareThreads 1\nMaxSpareThreads 1000\nMaxKeepAliveRequests 0\n";

/// Asks all servers in turn.
pub(super) fn run(bench: &Bench) -> Result<Findings> {
    let workload = Workload { connections: MANY, ..HELLO };
    let (mut rows, mut failures) = (Vec::new(), Vec::new());
    for &contender in &bench.contenders {
        let shape = Shape { lines: LINES, ..contender.shape(workload.app) };
        let server = contender.start_as(&bench.workdir, shape)?;
        let length = bench.effort.length * 2;
        let traffic = send(server.address(), &workload.order(), MANY, Pace::Closed, length)?;
        let millis = traffic.latencies.percentile(0.99).unwrap_or(f64::NAN) / 1000.0;
        let kinds: Vec<_> =
            traffic.errors.iter().map(|(error, count)| format!("{count} x {error}")).collect();
        rows.push(vec![
            contender.name().to_owned(),
            format!("{:.0}", traffic.rate()),
            format!("{millis:.1}"),
            if kinds.is_empty() { "none".to_owned() } else { kinds.join(", ") },
        ]);
        failures.push((contender, traffic.failed()));
        server.finish()?;
    }
    let of =
        |contender| failures.iter().find(|(one, _)| *one == contender).map(|(_, count)| *count);
    let allowed = of(Contender::File).unwrap_or(0);
    let verdict = |contender: Contender| {
        let found = of(contender).map(|count| u32::try_from(count).unwrap_or(u32::MAX));
        let (what, limit) = (format!("errors, {}", contender.name()), allowed);
        let limit = f64::from(u32::try_from(limit).unwrap_or(u32::MAX));
        Verdict::at_most(&what, limit, "", found.map(f64::from))
    };
    let ours = [Contender::Embedded, Contender::Daemon, Contender::Template];
    let text = table(&["server", "requests/s", "p99 ms", "errors"], &rows);
    Ok(Findings { text, verdicts: ours.map(verdict).into() })
}
