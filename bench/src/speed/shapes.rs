//! Numbers of processes and threads: no step to more of them may cost much.

use anyhow::Result;

use super::Bench;
use super::contender::Contender;
use super::line::Line;
use super::rounds::{Effort, Runners};
use super::runner::Runner;
use super::schedule::Pace;
use super::targets;
use super::workload::HELLO;
use crate::report::{Findings, Verdict, table};
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

/// A shape, and the requests in a second that Dormouse served with it.
struct Step {
    processes: u32,
    threads: u32,
    requests: f64,
}

/// Measures both daemon modes in each shape.
pub(super) fn run(bench: &Bench) -> Result<Findings> {
    let (mut rows, mut findings, mut rates) = (Vec::new(), Findings::default(), Vec::new());
    for processes in PROCESSES {
        for threads in THREADS.into_iter().filter(|&count| count < MANY || !bench.effort.quick) {
            let lines = measure(bench, processes, threads)?;
            let base = targets::find(&lines, Contender::ModWsgiDaemon);
            let ours = targets::find(&lines, Contender::Daemon);
            let ratio = ours.zip(base).map(|(ours, base)| ours.ratio(base));
            let requests = ours.map_or(f64::NAN, Line::rate);
            rates.push(Step { processes, threads, requests });
            let cell = |line: Option<&Line>, figure: fn(&Line) -> f64| {
                line.map_or("-".to_owned(), |line| format!("{:.0}", figure(line)))
            };
            rows.push(vec![
                format!("{processes} x {threads}"),
                cell(base, Line::rate),
                cell(ours, Line::rate),
                ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.2}")),
                cell(base, Line::processor),
                cell(ours, Line::processor),
            ]);
            let what = format!("{processes} x {threads}, to mod_wsgi's");
            findings.verdicts.push(Verdict::at_least(&what, BESIDE, "", ratio));
        }
    }
    let what = "more processes or threads, the worst ratio to fewer";
    findings.verdicts.push(Verdict::at_least(what, STEP, "", Some(worst_step(&rates))));
    let head = [
        "shape",
        "mod_wsgi requests/s",
        "Dormouse requests/s",
        "ratio",
        "mod_wsgi CPU us",
        "Dormouse CPU us",
    ];
    findings.text = table(&head, &rows);
    Ok(findings)
}

/// mod_wsgi's and Dormouse's daemon mode.
fn measure(bench: &Bench, processes: u32, threads: u32) -> Result<Vec<Line>> {
    let mut runners = Runners::default();
    for contender in [Contender::ModWsgiDaemon, Contender::Daemon] {
        let shape = Shape { mode: Mode::Daemon(processes), threads, ..contender.shape(HELLO.app) };
        let server = contender.start_as(&bench.workdir, shape)?;
        runners.all.push(Runner::warm_up(contender, server, HELLO, bench.effort.length)?);
    }
    let effort = Effort { rounds: bench.effort.rounds.min(ROUNDS), ..bench.effort };
    let lines = runners.measure(Pace::Closed, effort)?;
    runners.finish()?;
    Ok(lines)
}

/// The least ratio of a rate to that of a shape with fewer threads or fewer processes.
fn worst_step(rates: &[Step]) -> f64 {
    let steps = rates.iter().flat_map(|fewer| {
        let larger = rates.iter().filter(|more| {
            (more.processes == fewer.processes && more.threads > fewer.threads)
                || (more.threads == fewer.threads && more.processes > fewer.processes)
        });
        larger.map(|more| more.requests / fewer.requests)
    });
    // Without a figure there is no worst one.
    steps.fold(f64::INFINITY, |worst, step| if step.is_nan() { step } else { worst.min(step) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_steps_in_one_direction_are_compared() {
        let step = |processes, threads, requests| Step { processes, threads, requests };
        let rates = [step(1, 1, 100.0), step(1, 4, 80.0), step(4, 1, 90.0), step(4, 4, 60.0)];
        assert!((worst_step(&rates) - 60.0 / 90.0).abs() < 1e-9);
    }
}
