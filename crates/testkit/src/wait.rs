//! Waiting for a condition, with a limit. Tests have no other way to let time pass.

use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take before a test calls it lost. Generous, because a slow machine is not
/// a failure; a working one never waits that long.
pub const LIMIT: Duration = Duration::from_secs(30);

/// Polls the condition until it holds.
///
/// # Panics
/// When it does not hold within [`LIMIT`]; `what` names it.
#[track_caller]
pub fn wait_until(what: &str, condition: impl FnMut() -> bool) {
    wait_until_within(LIMIT, what, condition);
}

/// [`wait_until`] with a limit of the caller's.
///
/// # Panics
/// When the condition does not hold within the limit.
#[track_caller]
pub fn wait_until_within(limit: Duration, what: &str, condition: impl FnMut() -> bool) {
    assert!(holds_within(limit, condition), "waited {limit:?} in vain: {what}");
}

/// Whether the condition comes to hold within the limit.
pub(crate) fn holds_within(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        thread::sleep(STEP);
    }
}

const STEP: Duration = Duration::from_millis(10);
