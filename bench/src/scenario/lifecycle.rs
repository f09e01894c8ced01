//! A server's lifecycle: started, asked once, asked much, left alone, restarted and asked again.

use std::time::Duration;

use anyhow::Result;

use crate::load;
use crate::mappings::Mappings;
use crate::memory::Bench;
use crate::process_snapshot::{ProcessSnapshot, Role};
use crate::server::{self, Server};
use crate::server_kind::{Mode, ServerKind, Shape};

/// The cost of the server at each stage, in the order of [`Lifecycle::stages`].
#[derive(Clone, Debug)]
pub(super) struct Lifecycle {
    pub(super) stages: Vec<ProcessSnapshot>,
    /// The fewest and the most requests that a process answered.
    pub(super) shares: Option<(usize, usize)>,
    /// Where the memory is after the load, if that was asked for.
    pub(super) mappings: Option<Mappings>,
}

/// Position of the stage that is compared and judged.
const LOADED: usize = 2;

/// How long an idle server is left alone.
const IDLE: Duration = Duration::from_secs(10);

/// Restarts of the last stage.
const RESTARTS: u32 = 3;

impl Lifecycle {
    /// Names of the stages, for people.
    pub(super) fn stages(bench: &Bench) -> [String; 5] {
        [
            "started".to_owned(),
            "first request".to_owned(),
            format!("{} requests", bench.requests),
            format!("idle {} s", IDLE.as_secs()),
            format!("{RESTARTS} restarts, {} requests", bench.requests),
        ]
    }

    /// The stage that is compared and judged: after the load.
    pub(super) fn loaded(&self) -> &ProcessSnapshot {
        &self.stages[LOADED]
    }

    /// After the start, before any request.
    pub(super) fn started(&self) -> &ProcessSnapshot {
        &self.stages[0]
    }

    /// Runs it, and ends the server.
    pub(super) fn run(bench: &Bench, kind: ServerKind, shape: Shape) -> Result<Self> {
        let mut server = kind.start(&bench.workdir, shape)?;
        let target = shape.app.targets()[0];
        let (target, python) = match kind {
            ServerKind::Plain => ("/index.html", None),
            _ => (target, Some(bench.python.as_str())),
        };
        let mut stages = vec![server.settled()];
        load::once(server.address(), target, python)?;
        stages.push(server.settled());
        let answers = ask(bench, kind, shape, &mut server)?;
        let loaded = server.settled();
        let mappings = bench.mappings.then(|| Mappings::take(&loaded));
        stages.push(loaded);
        server::rest(&mut server, IDLE)?;
        stages.push(server.settled());
        for _ in 0..RESTARTS {
            server.restart()?;
            // uWSGI takes no notice of a signal that comes while it still starts.
            server.settled();
        }
        ask(bench, kind, shape, &mut server)?;
        stages.push(server.settled());
        server.finish()?;
        let shares = answers.values().min().copied().zip(answers.values().max().copied());
        Ok(Self { stages, shares, mappings })
    }
}

/// The load, and as much more of it as it takes until every worker has answered: one that has not
/// yet loaded the application would be too cheap.
fn ask(
    bench: &Bench,
    kind: ServerKind,
    shape: Shape,
    server: &mut Server,
) -> Result<load::Answers> {
    let address = server.address();
    if !kind.runs_python() {
        return load::send(address, &["/index.html"], bench.requests, None);
    }
    let python = Some(bench.python.as_str());
    let targets = shape.app.targets();
    let serving = if shape.mode == Mode::Embedded { Role::Child } else { Role::Worker };
    let mut answers = load::send(address, targets, bench.requests, python)?;
    for _ in 0..MOST_ROUNDS {
        if server.pids(serving).iter().all(|worker| answers.contains_key(worker)) {
            break;
        }
        for (pid, count) in load::send(address, targets, bench.requests / 4 + 1, python)? {
            *answers.entry(pid).or_default() += count;
        }
    }
    Ok(answers)
}

/// Rounds of more load; then the shares show who had none.
const MOST_ROUNDS: u32 = 8;
