//! The account of a request: when it came to where, and what it took, for events and metrics.

use std::sync::Arc;
use std::time::{Duration, Instant};

use python::Attached;
use wsgi::protocol::request::RequestHead;

use crate::clock::{now, seconds};
use crate::request::lease::Lease;
use crate::request::meter::{Flow, Meter};
use crate::usage::Cpu;
use wsgi::protocol::outcome::Outcome;

/// When a request came to where, in seconds of the epoch.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_field_names, reason = "these are the names that applications see")]
pub(crate) struct Stamps {
    /// Apache got it.
    pub(crate) request_start: f64,
    /// The Apache child handed it on; 0 in embedded mode.
    pub(crate) queue_start: f64,
    /// A worker took it; 0 in embedded mode.
    pub(crate) daemon_start: f64,
    /// The application is about to be called.
    pub(crate) application_start: f64,
}

impl Stamps {
    /// The stamps of a request that the engine took at `arrived` and whose application is about to
    /// be called.
    pub(crate) fn now(request: &RequestHead<'_>, daemon: bool, arrived: f64) -> Self {
        Self {
            request_start: seconds(request.request_start),
            queue_start: seconds(request.queue_start),
            daemon_start: if daemon { arrived } else { 0.0 },
            application_start: now(),
        }
    }
}

/// The time of a request that goes on.
pub(crate) struct RequestTiming {
    stamps: Stamps,
    began: Instant,
    cpu: Cpu,
}

/// A request that is done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) stamps: Stamps,
    /// In seconds of the epoch.
    pub(crate) application_finish: f64,
    pub(crate) application_time: Duration,
    /// The processor time of the request's thread.
    pub(crate) cpu: Cpu,
    pub(crate) input: Flow,
    pub(crate) output: Flow,
    pub(crate) gil_wait_count: u64,
    pub(crate) gil_wait_time: Duration,
    /// The status that the client gets.
    pub(crate) status: u16,
}

impl RequestTiming {
    /// Begins on the thread that runs the request.
    pub(crate) fn begin(stamps: Stamps) -> Self {
        Self { stamps, began: Instant::now(), cpu: Cpu::of_thread() }
    }

    /// The sum, before any subscriber is told of it.
    pub(crate) fn sum(&self, py: Attached<'_>, lease: &Arc<Lease>, outcome: Outcome) -> Sample {
        let seen = lease.quick(py, |live| (live.meter, live.response.status()));
        let (meter, given) = seen.unwrap_or_default();
        let Meter { input, output } = meter.unwrap_or_default();
        let (gil_wait_count, gil_wait_time) = lease.waits.so_far();
        let status = match outcome {
            Outcome::Failed(status) => status,
            _ => given.unwrap_or(500),
        };
        Sample {
            stamps: self.stamps,
            application_finish: now(),
            application_time: self.began.elapsed(),
            cpu: Cpu::of_thread() - self.cpu,
            input,
            output,
            gil_wait_count,
            gil_wait_time,
            status,
        }
    }
}
