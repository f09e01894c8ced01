//! What goes wrong, put into words for the error log.
//!
//! Records are collected and written later, because logs are only written detached.

use python::{Attached, Error, Exception};
use wsgi::level::Level;

/// Where the records of a failure go.
pub(crate) trait Sink {
    /// Takes one record.
    fn line(&mut self, level: Level, text: String);
}

/// Records for the error log of a request.
pub(crate) type Records = Vec<(Level, String)>;

impl Sink for Records {
    fn line(&mut self, level: Level, text: String) {
        self.push((level, text));
    }
}

/// Logs an exception: a record that says where it came from, then one for each line of the
/// traceback. A panic of ours is one record. `what` is the thing that raised.
pub(crate) fn log<'py>(py: Attached<'py>, sink: &mut dyn Sink, what: &str, error: &Error<'py>) {
    if let Some(panic) = error.panic() {
        // A fault of ours, not of the application: its traceback says nothing about it.
        sink.line(
            Level::Error,
            format!("WSGI0174: Internal error while {what} ran: panic: {panic}"),
        );
        return;
    }
    let class = error.value().type_name();
    let system_exit = Exception::SystemExit.class(py);
    let header = if error.matches(&system_exit) {
        format!("WSGI0175: SystemExit raised by {what} was ignored.")
    } else {
        format!("WSGI0174: Exception {class} raised by {what}.")
    };
    log_under(sink, header, error);
}

/// Logs an exception under a header of its own.
pub(crate) fn log_under(sink: &mut dyn Sink, header: String, error: &Error<'_>) {
    sink.line(Level::Error, header);
    for line in error.lines() {
        sink.line(Level::Error, line);
    }
}
