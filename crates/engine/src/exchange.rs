//! The one door between a WSGI application and the world outside its interpreter.
//!
//! Daemon mode (frames over a socket), embedded mode (calls into httpd) and the engine's own tests
//! are three implementations of [`Exchange`]; the engine is written once. The facts of the request
//! come as a [`wsgi::protocol::request::RequestHead`] beside it; everything that has an effect goes
//! through here.
//!
//! No method is called while the thread is attached to an interpreter: each may block for as long
//! as a client is slow.

use std::num::NonZeroUsize;
use std::os::fd::BorrowedFd;

use wsgi::protocol::frame::BodyFault;
use wsgi::protocol::hook::Answer;
use wsgi::protocol::log_line::LogLine;
use wsgi::protocol::outcome::Outcome;
use wsgi::protocol::response::ResponseStatus;
use wsgi::protocol::scoreboard::ScoreboardSnapshot;

/// Why the request's body could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("request data read error: {text}")]
pub struct BodyError {
    /// The kind of the fault.
    pub fault: BodyFault,
    /// The words of the code that noticed it.
    pub text: String,
}

/// The client, or the Apache child between it and the engine, is gone and takes no more of the
/// response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the client has closed the connection")]
pub struct Gone;

/// The operations of a request on the server and the client.
pub trait Exchange: Send {
    /// Reads up to `buffer.len()` bytes of the request's body; 0 is the end of input. The first
    /// call lets Apache answer an `Expect: 100-continue`, even where `buffer` is empty.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, BodyError>;

    /// Sends status and headers, which have been checked. Called at most once, before any data.
    fn head(&mut self, status: &ResponseStatus, headers: &[(Vec<u8>, Vec<u8>)])
    -> Result<(), Gone>;

    /// Sends a piece of the body, of any length, and flushes it.
    fn data(&mut self, bytes: &[u8]) -> Result<(), Gone>;

    /// Sends the last piece of the body. It may leave with the call of [`Exchange::finish`], which
    /// follows at once.
    fn last_data(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        self.data(bytes)
    }

    /// Sends `length` bytes of a regular file from `offset`, without moving the descriptor's own
    /// position. The descriptor is borrowed for the call only.
    fn file(&mut self, file: BorrowedFd<'_>, offset: u64, length: u64) -> Result<(), Gone>;

    /// Writes one line (no end of line in it) into the request's error log.
    fn log(&mut self, line: LogLine<'_>);

    /// httpd's scoreboard as it is now; `None` if this exchange has none to ask for, or must not.
    fn scoreboard(&mut self) -> Option<ScoreboardSnapshot> {
        None
    }

    /// The address of httpd's record of the request, valid until the request ends, where the
    /// application may see it (`WSGIPassApacheRequest`). Only embedded mode has one, and only
    /// the application's own C code may follow it.
    fn apache_request(&self) -> Option<NonZeroUsize> {
        None
    }

    /// The value of a variable of mod_ssl's, while a hook is asked; `None` if it has none, or this
    /// exchange cannot ask httpd.
    fn tls_variable(&mut self, name: &[u8]) -> Option<Vec<u8>> {
        let _ = name;
        None
    }

    /// Called once by the caller of a hook, when it has answered. The default does nothing: it is
    /// for exchanges whose owner takes the answer itself.
    fn answer(&mut self, answer: &Answer) {
        let _ = answer;
    }

    /// Never waits from now on: what cannot be sent at once is lost, and the request broken off.
    /// For an end that another thread brings about, which must not be kept.
    fn set_nonblocking(&mut self) {}

    /// Called once by the caller that ran the request, when the engine is done with it. The default
    /// does nothing: it is for exchanges whose owner looks at the outcome itself.
    fn finish(&mut self, outcome: Outcome) {
        let _ = outcome;
    }
}

/// The exchange of a request that was given up: it has no client any more.
pub(crate) struct ClosedExchange;

const GIVEN_UP: &str = "the request was given up";

impl Exchange for ClosedExchange {
    fn read(&mut self, _buffer: &mut [u8]) -> Result<usize, BodyError> {
        Err(BodyError { fault: wsgi::protocol::frame::BodyFault::Gone, text: GIVEN_UP.into() })
    }

    fn head(
        &mut self,
        _status: &ResponseStatus,
        _headers: &[(Vec<u8>, Vec<u8>)],
    ) -> Result<(), Gone> {
        Err(Gone)
    }

    fn data(&mut self, _bytes: &[u8]) -> Result<(), Gone> {
        Err(Gone)
    }

    fn file(&mut self, _file: BorrowedFd<'_>, _offset: u64, _length: u64) -> Result<(), Gone> {
        Err(Gone)
    }

    fn log(&mut self, _line: LogLine<'_>) {}

    fn apache_request(&self) -> Option<NonZeroUsize> {
        None
    }

    fn finish(&mut self, _outcome: Outcome) {}
}
