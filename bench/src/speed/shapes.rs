//! Numbers of processes and threads: no step to more of them may cost much.
//!
//! All shapes run at the same time, as other servers do: a step is a ratio within a round.

use anyhow::Result;

use super::Bench;
use super::contender::Contender;
use super::rounds::{Effort, Runners};
use super::runner::Runner;
use super::schedule::Pace;
use super::workload::HELLO;
use crate::report::{Findings, Verdict, or_dash, table};
use crate::server_kind::{Mode, Shape};

const PROCESSES: [u32; 3] = [1, 4, 16];
const THREADS: [u32; 3] = [1, 4, 32];
/// Threads that a quick measurement leaves out.
const MANY: u32 = 16;
/// Rounds of each shape, at most.
const ROUNDS: usize = 3;
/// Part of mod_wsgi's rate that each shape reaches.
const BESIDE: f64 = 1.0;
/// Part of the rate of each smaller shape that each larger one reaches.
const STEP: f64 = 0.5;

/// Processes and threads of each.
type Size = (u32, u32);

/// Measures both daemon modes in each shape.
pub(super) fn run(bench: &Bench) -> Result<Findings> {
    let sizes = sizes(bench.effort.quick);
    let base = measured(bench, Contender::ModWsgiDaemon, &sizes)?;
    let ours = measured(bench, Contender::Daemon, &sizes)?;
    let mut runners = Runners { all: base, ..Runners::default() };
    runners.all.extend(ours);
    let effort = Effort { rounds: bench.effort.rounds.min(ROUNDS), ..bench.effort };
    let lines = runners.measure(Pace::Closed, effort)?;
    runners.finish()?;

    let (base, ours) = lines.split_at(sizes.len());
    let (mut rows, mut findings) = (Vec::new(), Findings::default());
    for ((size, base), ours) in sizes.iter().zip(base).zip(ours) {
        let (name, ratio) = (format!("{} x {}", size.0, size.1), ours.ratio(base));
        rows.push(vec![
            name.clone(),
            format!("{:.0}", base.rate()),
            format!("{:.0}", ours.rate()),
            or_dash(ratio.map(|ratio| format!("{ratio:.2}"))),
            format!("{:.0}", base.processor()),
            format!("{:.0}", ours.processor()),
            ours.failures.to_string(),
        ]);
        let what = format!("{name}, to mod_wsgi's");
        findings.verdicts.push(Verdict::at_least(&what, BESIDE, "", ratio));
    }
    for (from, to) in steps(&sizes) {
        let ratio = ours[to].ratio(&ours[from]);
        let [from, to] = [sizes[from], sizes[to]].map(|size| format!("{} x {}", size.0, size.1));
        let what = format!("{to}, to {from}");
        findings.verdicts.push(Verdict::at_least(&what, STEP, "", ratio));
    }
    let head = [
        "shape",
        "mod_wsgi requests/s",
        "Dormouse requests/s",
        "ratio",
        "mod_wsgi CPU us",
        "Dormouse CPU us",
        "errors",
    ];
    findings.text = table(&head, &rows);
    Ok(findings)
}

fn sizes(is_quick: bool) -> Vec<Size> {
    let threads = || THREADS.into_iter().filter(move |&count| count < MANY || !is_quick);
    PROCESSES.into_iter().flat_map(|count| threads().map(move |of_each| (count, of_each))).collect()
}

/// The server in each size, warmed up.
fn measured(bench: &Bench, contender: Contender, sizes: &[Size]) -> Result<Vec<Runner>> {
    let runner = |&(processes, threads): &Size| {
        let mode = Mode::Daemon(processes);
        let shape = Shape { mode, threads, ..contender.shape(HELLO.app) };
        let server = contender.start_as(&bench.workdir, shape)?;
        Runner::warm_up(contender, server, HELLO, bench.effort.length)
    };
    sizes.iter().map(runner).collect()
}

/// The places of neighbours: the one with more has the next number of either threads or processes.
fn steps(sizes: &[Size]) -> Vec<(usize, usize)> {
    let next = |all: &[u32], few: u32, many: u32| {
        all.windows(2).any(|pair| pair[0] == few && pair[1] == many)
    };
    let is_step = |from: &Size, to: &Size| {
        (from.0 == to.0 && next(&THREADS, from.1, to.1))
            || (from.1 == to.1 && next(&PROCESSES, from.0, to.0))
    };
    let to = |from: usize| {
        let places = 0..sizes.len();
        places.filter(move |&to| is_step(&sizes[from], &sizes[to])).map(move |to| (from, to))
    };
    (0..sizes.len()).flat_map(to).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_neighbours_in_one_direction_are_compared() {
        let all = sizes(true);
        assert_eq!(all, [(1, 1), (1, 4), (4, 1), (4, 4), (16, 1), (16, 4)]);
        let steps: Vec<_> =
            steps(&all).into_iter().map(|(from, to)| (all[from], all[to])).collect();
        assert_eq!(steps.len(), 7);
        assert!(steps.contains(&((1, 1), (1, 4))) && steps.contains(&((4, 4), (16, 4))));
        assert!(!steps.contains(&((1, 1), (4, 4))) && !steps.contains(&((1, 1), (16, 1))));
        assert_eq!(sizes(false).len(), 9);
    }
}
