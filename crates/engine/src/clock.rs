//! The clock of requests, in seconds of the Unix epoch, as applications see it.

use std::time::{SystemTime, UNIX_EPOCH};

/// The present.
pub(crate) fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// Microseconds as seconds.
#[expect(clippy::cast_precision_loss, reason = "an f64 keeps microseconds for 280 years")]
pub(crate) fn seconds(microseconds: u64) -> f64 {
    microseconds as f64 / 1e6
}
