//! The clock of requests.

use std::time::{SystemTime, UNIX_EPOCH};

/// The present in microseconds of the Unix epoch, the unit in which httpd notes the beginning of
/// requests.
pub(crate) fn now_micros() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
