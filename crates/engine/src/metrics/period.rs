//! The record from one report to the next.

use std::time::{Duration, Instant};

use super::phase::Phase;
use crate::clock::now;
use crate::request::meter::Flow;
use crate::request::timing::Sample;
use crate::usage::Cpu;

/// The record since `began`.
#[derive(Debug)]
pub(super) struct Period {
    /// In seconds of the epoch.
    pub(super) start: f64,
    pub(super) began: Instant,
    /// The processor time of the process by then.
    pub(super) cpu: Cpu,
    pub(super) requests: u64,
    /// Responses by the first digit of their status, from 1 to 5.
    pub(super) statuses: [u64; 5],
    pub(super) input: Flow,
    pub(super) output: Flow,
    pub(super) gil_waits: u64,
    pub(super) phases: Phases,
}

/// The phases of requests.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Phases {
    /// In the Apache child, until it hands the request on.
    pub(super) server: Phase,
    /// Until a worker takes the request; only in process groups.
    pub(super) queue: Phase,
    /// From there to the application; only in process groups.
    pub(super) daemon: Phase,
    /// In the application, `close()` included.
    pub(super) application: Phase,
    /// All of these together.
    pub(super) request: Phase,
    /// Waiting for the GIL.
    pub(super) gil_wait: Phase,
    /// Reading the body, for requests that do.
    pub(super) input_read: Phase,
    /// Writing the response's body, for requests that have one.
    pub(super) output_write: Phase,
}

impl Period {
    /// A period that begins now.
    pub(super) fn new() -> Self {
        Self {
            start: now(),
            began: Instant::now(),
            cpu: Cpu::of_process(),
            requests: 0,
            statuses: [0; 5],
            input: Flow::default(),
            output: Flow::default(),
            gil_waits: 0,
            phases: Phases::default(),
        }
    }

    /// Adds a request that is done.
    pub(super) fn add(&mut self, sample: &Sample, daemon: bool) {
        self.requests += 1;
        let class = usize::from(sample.status / 100).checked_sub(1);
        if let Some(count) = class.and_then(|class| self.statuses.get_mut(class)) {
            *count += 1;
        }
        for (sum, one) in [(&mut self.input, sample.input), (&mut self.output, sample.output)] {
            sum.count += one.count;
            sum.bytes += one.bytes;
            sum.time += one.time;
        }
        self.gil_waits += sample.gil_wait_count;
        let (phases, stamps) = (&mut self.phases, &sample.stamps);
        if daemon {
            phases.server.add(between(stamps.request_start, stamps.queue_start));
            phases.queue.add(between(stamps.queue_start, stamps.daemon_start));
            phases.daemon.add(between(stamps.daemon_start, stamps.application_start));
        } else {
            phases.server.add(between(stamps.request_start, stamps.application_start));
        }
        phases.application.add(sample.application_time);
        phases.request.add(between(stamps.request_start, sample.application_finish));
        phases.gil_wait.add(sample.gil_wait_time);
        if sample.input.count > 0 {
            phases.input_read.add(sample.input.time);
        }
        if sample.output.count > 0 {
            phases.output_write.add(sample.output.time);
        }
    }
}

/// The time between two moments; none if the clock was set back.
fn between(start: f64, stop: f64) -> Duration {
    Duration::try_from_secs_f64(stop - start).unwrap_or_default()
}
