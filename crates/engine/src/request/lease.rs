//! The lease: what Python objects hold of a request, until the request ends.
//!
//! `wsgi.input`, `wsgi.errors`, `start_response` and `write` share one. The end of the request
//! empties it, and code that kept one of those objects gets a `RuntimeError`. Its lock is never
//! waited for while attached, so a thread that holds it and waits for the GIL blocks no other
//! thread.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::time::Instant;

use wsgi::lock::lock;

use python::{Attached, Error, Exception, Result};
use wsgi::codes::Message;
use wsgi::level::Level;
use wsgi::protocol::log_line::LogLine;
use wsgi::protocol::request::RequestHead;

use crate::admission::exchanging;
use crate::events::request_events::RequestEvents;
use crate::exchange::ClosedExchange;
use crate::exchange::Exchange;
use crate::records::Records;
use crate::request::body::Body;
use crate::request::error_lines::{Lines, RECORD};
use crate::request::meter::{GilWaits, Meter};
use crate::request::response::Response;
use crate::settings::OUTPUT_LEVEL;
use wsgi::protocol::outcome::Outcome;

/// A request that may have ended.
pub(crate) struct Lease {
    /// The most talkative level that is logged (httpd's number).
    log_level: u8,
    live: Mutex<Option<Live>>,
    /// How long the request has waited for the GIL.
    pub(crate) waits: GilWaits,
    /// The subscribers of the request's events. Held for moments, and nothing is waited for
    /// meanwhile.
    events: Mutex<Option<Arc<RequestEvents>>>,
    /// `dormouse.panic` was asked for.
    #[cfg(feature = "panic-hook")]
    pub(crate) panics: bool,
}

/// A request that goes on.
pub(crate) struct Live {
    pub(crate) exchange: Box<dyn Exchange>,
    pub(crate) body: Body,
    pub(crate) response: Response,
    /// The lines that the request has written to its error log.
    pub(crate) errors: Lines,
    /// The bytes in and out, if a subscriber or the metrics need them.
    pub(crate) meter: Option<Meter>,
    log_level: u8,
}

impl Lease {
    pub(crate) fn new(request: &RequestHead<'_>, exchange: Box<dyn Exchange>) -> Self {
        let live = Live {
            exchange,
            body: Body::new(request.body, request.body_left()),
            response: Response::default(),
            errors: Lines::default(),
            meter: None,
            log_level: request.log_level,
        };
        Self {
            log_level: request.log_level,
            live: Mutex::new(Some(live)),
            waits: GilWaits::default(),
            events: Mutex::default(),
            #[cfg(feature = "panic-hook")]
            panics: request
                .environ
                .clone()
                .any(|(name, value)| name == b"dormouse.panic" && value == b"engine"),
        }
    }

    /// Does something that may block, detached.
    pub(crate) fn with<'py, R: Send>(
        &self,
        py: Attached<'py>,
        work: impl FnOnce(&mut Live) -> R + Send,
    ) -> Result<'py, R> {
        let counted = self.waits.are_counted();
        let (result, asked) = py.detach(|| (self.exchange(work), counted.then(Instant::now)));
        if let Some(asked) = asked {
            self.waits.add(asked.elapsed());
        }
        result.ok_or_else(|| ended(py))
    }

    /// Does something that never blocks; detaches only where the lock would have to be waited for.
    pub(crate) fn quick<'py, R: Send>(
        &self,
        py: Attached<'py>,
        work: impl FnOnce(&mut Live) -> R + Send,
    ) -> Result<'py, R> {
        let mut live = match self.live.try_lock() {
            Ok(live) => live,
            Err(TryLockError::Poisoned(live)) => live.into_inner(),
            Err(TryLockError::WouldBlock) => return self.with(py, work),
        };
        live.as_mut().map(work).ok_or_else(|| ended(py))
    }

    /// Measures what goes in and out, and how long the GIL is waited for, from now on.
    pub(crate) fn measure<'py>(&self, py: Attached<'py>) -> Result<'py, ()> {
        self.waits.count();
        self.quick(py, |live| live.meter = Some(Meter::default()))
    }

    /// The subscribers of the request's events; `None` while there are none.
    pub(crate) fn events(&self) -> Option<Arc<RequestEvents>> {
        lock(&self.events).clone()
    }

    /// Sets the subscribers of the request's events. At its end, attached, none: they hold objects.
    pub(crate) fn set_events(&self, events: Option<Arc<RequestEvents>>) {
        let mut current = lock(&self.events);
        let before = std::mem::replace(&mut *current, events);
        drop(current);
        // Dropping objects may run Python code, which may ask for the watch.
        drop(before);
    }

    /// Ends the response for a caller that does not wait for the request's own end; see
    /// [`crate::control::Control::give_up`].
    pub(crate) fn give_up(&self, status: u16) -> bool {
        let Ok(mut live) = self.live.try_lock() else { return false };
        let Some(live) = live.as_mut() else { return false };
        let sent = live.response.sent;
        let outcome = if sent { Outcome::Aborted } else { Outcome::Failed(status) };
        // The caller has other requests to look after, too.
        live.exchange.set_nonblocking();
        live.flush_errors();
        std::mem::replace(&mut live.exchange, Box::new(ClosedExchange)).finish(outcome);
        live.response.gone = true;
        true
    }

    /// Whether lines of this level are logged.
    pub(crate) fn logs(&self, level: Level) -> bool {
        level.number() <= self.log_level
    }

    /// Writes records into the request's error log.
    pub(crate) fn log_all<'py>(&self, py: Attached<'py>, records: &Records) -> Result<'py, ()> {
        if records.is_empty() {
            return Ok(());
        }
        self.with(py, |live| {
            for (level, text) in records.iter() {
                live.log_lines(LogLine::new(level, text.as_bytes()));
            }
        })
    }

    /// Ends the request. The thread is not attached.
    ///
    /// # Panics
    /// If it has been ended before: only the engine's `handle` does it, once.
    pub(crate) fn end(&self) -> Live {
        let mut live = self.lock().take().expect("a request ends once");
        live.flush_errors();
        live
    }

    /// Writes a message into the request's error log. The thread is not attached.
    pub(crate) fn message(&self, message: &Message) {
        if let Some(live) = self.lock().as_mut() {
            live.message(message);
        }
    }

    /// Does what the request's exchange takes part in. The thread is not attached.
    fn exchange<R>(&self, work: impl FnOnce(&mut Live) -> R) -> Option<R> {
        exchanging(|| self.lock().as_mut().map(work))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Live>> {
        lock(&self.live)
    }
}

impl Live {
    /// Writes a message.
    pub(crate) fn message(&mut self, message: &Message) {
        for line in message.lines() {
            self.log_lines(LogLine::new(message.level(), line.as_bytes()));
        }
    }

    /// Writes a line that needs no code.
    pub(crate) fn info(&mut self, text: &str) {
        self.log_lines(LogLine::new(Level::Info, text.as_bytes()));
    }

    /// Writes a text that may have several lines.
    pub(crate) fn log_lines(&mut self, text: LogLine<'_>) {
        for line in text.text.split(|byte| *byte == b'\n') {
            // An empty line has no pieces, and is a record all the same.
            let pieces = line.chunks(RECORD);
            if pieces.len() == 0 {
                self.record(LogLine { text: line, ..text });
            }
            pieces.for_each(|piece| self.record(LogLine { text: piece, ..text }));
        }
    }

    /// Passes a record on, unless httpd would drop it.
    fn record(&mut self, line: LogLine<'_>) {
        if line.level.number() <= self.log_level {
            self.exchange.log(line);
        }
    }

    /// Writes to the request's error log, whole lines only.
    pub(crate) fn write_errors(&mut self, text: &[u8]) {
        for line in self.errors.push(text) {
            self.record(LogLine::new(OUTPUT_LEVEL, &line));
        }
    }

    /// Writes the unfinished line.
    pub(crate) fn flush_errors(&mut self) {
        if let Some(line) = self.errors.rest() {
            self.record(LogLine::new(OUTPUT_LEVEL, &line));
        }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").finish_non_exhaustive()
    }
}

fn ended(py: Attached<'_>) -> Error<'_> {
    Error::new(py, Exception::RuntimeError, "the request that this object belongs to has ended")
}
