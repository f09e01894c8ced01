//! Errors, put into words for the error log.

use python::{Attached, Error, Exception};
use wsgi::codes;

use crate::records::Records;

/// Logs an exception: a message that says where it came from, then each line of the traceback. A
/// panic of ours is one message. `what` is the thing that raised.
pub(crate) fn log<'py>(py: Attached<'py>, records: &mut Records, what: &str, error: &Error<'py>) {
    if let Some(panic) = error.panic() {
        // A fault of ours, not of the application: its traceback says nothing about it.
        records.message(&codes::internal_error(&format!("running {what}"), &panic));
        return;
    }
    let message = if error.matches(&Exception::SystemExit.class(py)) {
        codes::exited(what)
    } else {
        codes::raised(&error.value().type_name(), what)
    };
    records.exception(&message, error);
}
