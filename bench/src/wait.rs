//! Waiting for a condition, with a limit; what never comes is an error of that measurement.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How long anything may take before it counts as lost.
pub(crate) const LIMIT: Duration = Duration::from_mins(1);

/// Polls until the condition gives a value; `what` names it in the error.
pub(crate) fn until<T>(what: &str, mut condition: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let end = Instant::now() + LIMIT;
    loop {
        if let Some(value) = condition()? {
            return Ok(value);
        }
        if Instant::now() >= end {
            bail!("waited {LIMIT:?} in vain: {what}");
        }
        thread::sleep(STEP);
    }
}

const STEP: Duration = Duration::from_millis(10);
