//! Rounds: all servers run at the same time and are asked in turn, so that a machine that is busy
//! for a while is so for all of them.

use std::time::Duration;

use anyhow::Result;

use super::clients::{Pace, Traffic, run};
use super::contender::Contender;
use super::cost::Cost;
use super::latencies::Latencies;
use super::workload::Workload;
use crate::server::Server;
use crate::workdir::Workdir;

/// How long all is measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effort {
    pub(super) rounds: usize,
    pub(super) length: Duration,
    /// Fewer steps where there are many.
    pub(super) quick: bool,
}

/// A server that runs.
pub(super) struct Runner {
    pub(super) contender: Contender,
    pub(super) server: Server,
    pub(super) pids: Vec<i32>,
}

/// The measurements of a server.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) contender: Contender,
    pub(super) rates: Vec<f64>,
    /// Those of each round to the base's.
    pub(super) ratios: Vec<f64>,
    microseconds: Vec<f64>,
    switches: Vec<f64>,
    latencies: Latencies,
    pub(super) failed: u64,
}

/// Starts the servers, and has them serve for so long before anything is measured, so that
/// applications are loaded and threads there. One that cannot be started is said and left out.
pub(super) fn start(
    workdir: &Workdir,
    contenders: &[Contender],
    workload: Workload,
    length: Duration,
) -> Result<Vec<Runner>> {
    let mut runners = Vec::new();
    for &contender in contenders.iter().filter(|contender| contender.can_serve(workload)) {
        match contender.start(workdir, workload.app) {
            Ok(mut server) => {
                let order = workload.order();
                run(server.address(), &order, workload.connections, Pace::Closed, length)?;
                let pids = server.all_pids();
                runners.push(Runner { contender, server, pids });
            }
            Err(error) => eprintln!("  {}: not measured: {error:#}", contender.name()),
        }
    }
    Ok(runners)
}

/// Measures closed loops of a workload; the first server is the base of the ratios.
pub(super) fn measure(
    workdir: &Workdir,
    contenders: &[Contender],
    workload: Workload,
    effort: Effort,
) -> Result<Vec<Line>> {
    let runners = start(workdir, contenders, workload, effort.length)?;
    let mut lines: Vec<Line> = runners.iter().map(Line::new).collect();
    let order = workload.order();
    for round in 0..effort.rounds {
        let mut rates = vec![0.0; runners.len()];
        for step in 0..runners.len() {
            let index = (round + step) % runners.len();
            let runner = &runners[index];
            let before = Cost::of(&runner.pids);
            let address = runner.server.address();
            let traffic = run(address, &order, workload.connections, Pace::Closed, effort.length)?;
            let cost = Cost::of(&runner.pids) - before;
            rates[index] = traffic.rate();
            lines[index].add(&traffic, cost);
        }
        for (line, rate) in lines.iter_mut().zip(&rates) {
            line.ratios.push(rate / rates[0]);
        }
    }
    for runner in runners {
        runner.server.finish()?;
    }
    Ok(lines)
}

impl Line {
    fn new(runner: &Runner) -> Self {
        Self {
            contender: runner.contender,
            rates: Vec::new(),
            ratios: Vec::new(),
            microseconds: Vec::new(),
            switches: Vec::new(),
            latencies: Latencies::default(),
            failed: 0,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "no measurement has 2^52 requests")]
    fn add(&mut self, traffic: &Traffic, cost: Cost) {
        let each = cost.each(traffic.done as f64);
        self.rates.push(traffic.rate());
        self.microseconds.push(each.microseconds);
        self.switches.push(each.switches);
        self.latencies.join(&traffic.latencies);
        self.failed += traffic.failed();
        for (error, count) in &traffic.errors {
            eprintln!("  {}: {count} x {error}", self.contender.name());
        }
    }

    /// Its ratio to the base: the median of all rounds.
    pub(super) fn ratio(&self) -> f64 {
        median(&self.ratios)
    }

    /// Processor time of a request, in microseconds.
    pub(super) fn processor(&self) -> f64 {
        median(&self.microseconds)
    }

    /// A percentile of the latency in microseconds.
    pub(super) fn latency(&self, share: f64) -> Option<f64> {
        self.latencies.percentile(share)
    }

    /// Its cells: ratio, spread, rate, processor, switches, latencies.
    pub(super) fn cells(&self) -> Vec<String> {
        let spread = |values: &[f64]| {
            let least = values.iter().copied().fold(f64::INFINITY, f64::min);
            let most = values.iter().copied().fold(0.0, f64::max);
            format!("{least:.2}-{most:.2}")
        };
        let millis = |share| {
            let found = self.latency(share);
            found.map_or("-".to_owned(), |found| format!("{:.2}", found / 1000.0))
        };
        vec![
            self.contender.name().to_owned(),
            format!("{:.2}", self.ratio()),
            spread(&self.ratios),
            format!("{:.0}", median(&self.rates)),
            format!("{:.0}", self.processor()),
            format!("{:.1}", median(&self.switches)),
            millis(0.5),
            millis(0.99),
            self.failed.to_string(),
        ]
    }
}

/// The names of [`Line::cells`].
pub(super) const HEAD: [&str; 9] =
    ["server", "ratio", "spread", "requests/s", "CPU us", "switches", "p50 ms", "p99 ms", "errors"];

/// The middle one.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => sorted[count / 2],
        count => f64::midpoint(sorted[count / 2 - 1], sorted[count / 2]),
    }
}
