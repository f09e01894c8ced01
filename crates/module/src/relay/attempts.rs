//! One worker after the other, until one has served a request or answered a question.
//!
//! Another worker is asked only where nothing was used up: the worker declined (its script has
//! changed), or it was gone before it had read the head to its end.

use std::time::Duration;

use super::RelayError;
use crate::lifecycle::route::Route;

/// Before a third attempt and later ones: the workers may be about to be replaced, or to notice
/// that they have no descriptor for the request.
const PAUSE: Duration = Duration::from_millis(50);

/// How one attempt ended.
pub(crate) enum Attempt<T> {
    /// The worker has done it, with this result.
    Done(T),
    /// Nothing was used up, and another worker is asked.
    Again,
}

/// Makes attempts until one is done, but no more than the group can have workers that decline: each
/// process may be replaced once meanwhile. `attempt` is given the number of those before it.
pub(crate) fn ask_workers<T>(
    route: &Route,
    mut attempt: impl FnMut(u32) -> Result<Attempt<T>, RelayError>,
) -> Result<T, RelayError> {
    let most = route.processes.saturating_mul(2).saturating_add(1);
    for before in 0..most {
        if before > 1 {
            std::thread::sleep(PAUSE);
        }
        if let Attempt::Done(result) = attempt(before)? {
            return Ok(result);
        }
    }
    Err(RelayError::Declined(most))
}

/// Whether a worker that has said nothing yet was gone before it had read the head to its end, so
/// that nothing was begun: a Unix socket is reset when its other end is closed with data in it that
/// was not read.
pub(crate) fn was_not_begun(error: &RelayError) -> bool {
    matches!(error, RelayError::Lost(nix::Error::ECONNRESET))
}
