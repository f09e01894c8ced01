//! The C contract between `mod_wsgi.so` and the engine when the engine is loaded into one of
//! httpd's processes.
//!
//! Two libraries of one build meet here without sharing anything of Rust's: functions over numbers
//! and pointers, and payloads in the language of [`crate::protocol::frame`].

use core::ffi::c_void;

use crate::protocol::frame::BodyFault;
use crate::protocol::log_line::LogLine;

/// Name of the engine's table, an [`Api`]. It changes with the contract.
pub const SYMBOL: &core::ffi::CStr = c"dormouse_embed_4";

/// The functions of httpd that the engine may call while it serves a request. `context` is the
/// pointer that [`Api::handle`] or [`Api::ask`] was given; the functions may be called by any
/// thread, one at a time, until that call returns.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Host {
    /// httpd's `request_rec`, for the application's own C code; null where it must not be seen. The
    /// engine passes the address on and never follows it.
    pub record: *mut c_void,
    /// Reads up to `length` bytes of the body to `place`. Gives their number, 0 at the end, or a
    /// negative number: a [`BodyFault`] (see [`fault_code`]).
    pub read: unsafe extern "C" fn(context: *mut c_void, place: *mut u8, length: usize) -> isize,
    /// Sends the head: the payload of a head frame. 0, or something else if the client is gone.
    pub head: unsafe extern "C" fn(context: *mut c_void, payload: *const u8, length: usize) -> i32,
    /// Sends and flushes a piece of the body. 0, or something else if the client is gone.
    pub data: unsafe extern "C" fn(context: *mut c_void, bytes: *const u8, length: usize) -> i32,
    /// Sends a part of a file; `descriptor` is only lent. 0, or something else if the client is
    /// gone.
    pub file: unsafe extern "C" fn(
        context: *mut c_void,
        descriptor: i32,
        offset: u64,
        length: u64,
    ) -> i32,
    /// Writes a line into the request's error log.
    pub log: unsafe extern "C" fn(context: *mut c_void, line: *const Line),
    /// Hands `take` the value of the variable of mod_ssl's with this name, if it has one.
    pub variable: unsafe extern "C" fn(
        context: *mut c_void,
        name: *const u8,
        length: usize,
        take: Take,
        receiver: *mut c_void,
    ),
}

/// A [`LogLine`], lent for a call.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// httpd's number of its level.
    pub level: u8,
    /// The line of the source that it comes from.
    pub line: u32,
    /// The file that it comes from.
    pub file: *const u8,
    /// Bytes at `file`.
    pub file_length: usize,
    /// The text.
    pub text: *const u8,
    /// Bytes at `text`.
    pub text_length: usize,
}

impl Line {
    /// A line to be lent; it is good for as long as what `line` borrows.
    pub fn of(line: &LogLine<'_>) -> Self {
        Self {
            level: line.level.number(),
            line: line.source.line,
            file: line.source.file.as_ptr(),
            file_length: line.source.file.len(),
            text: line.text.as_ptr(),
            text_length: line.text.len(),
        }
    }
}

/// Writes a line into httpd's main error log.
pub type ServerLogFn = unsafe extern "C" fn(line: *const Line);

/// Takes the bytes of an answer; `receiver` is that of the question.
pub type Take = unsafe extern "C" fn(receiver: *mut c_void, bytes: *const u8, length: usize);

/// Hands `take` an encoded [`crate::protocol::scoreboard::ScoreboardSnapshot`], if applications in
/// embedded mode may see one. Called by any thread, at any time.
pub type ReadScoreboardFn = unsafe extern "C" fn(take: Take, receiver: *mut c_void);

/// The functions of httpd that the engine may call at any time.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ServerFunctions {
    /// Writes a line.
    pub log: ServerLogFn,
    /// The most talkative level that is logged (httpd's number).
    pub log_level: u8,
    /// Reads the scoreboard.
    pub scoreboard: ReadScoreboardFn,
}

/// The functions of the engine.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Api {
    /// Starts Python in httpd's parent.
    pub initialize: InitializeFn,
    /// In a process that httpd has forked after [`Api::initialize`], before it has threads: has
    /// Python take note of that.
    pub after_fork: unsafe extern "C" fn(),
    /// Makes the process ready for requests.
    pub start: StartFn,
    /// Serves a request: `payload` is that of a request frame. Returns when the application is
    /// done; see [`super::outcome::Outcome::code`].
    pub handle: unsafe extern "C" fn(
        host: *const Host,
        context: *mut c_void,
        payload: *const u8,
        length: usize,
    ) -> i32,
    /// Asks a hook: `payload` is that of a question frame. 0, and `take` gets the payload of an
    /// answer frame, during the call; or something else, and the request's log has been told. Of
    /// `host` only the functions `log` and `variable` are called: a question has no body and no
    /// response.
    pub ask: unsafe extern "C" fn(
        host: *const Host,
        context: *mut c_void,
        payload: *const u8,
        length: usize,
        take: Take,
        receiver: *mut c_void,
    ) -> i32,
    /// Ends the interpreters, when the httpd child ends. Nothing is handled afterwards.
    pub shutdown: unsafe extern "C" fn(),
}

/// Starts Python in this process: `python` is a [`crate::process::plan::PythonFacts`] as JSON.
/// Called once, after Python's library was loaded with its symbols visible. 0, or something else if
/// it failed, with a text in `error`.
pub type InitializeFn =
    unsafe extern "C" fn(python: *const u8, length: usize, error: *mut ErrorText) -> i32;

/// Makes the engine as `spec` (an [`crate::process::plan::EmbeddedSpec`] as JSON) says, and starts
/// Python if it does not run yet. Called once, after Python's library was loaded with its symbols
/// visible. 0, or something else if it failed, with a text in `error`.
pub type StartFn = unsafe extern "C" fn(
    spec: *const u8,
    length: usize,
    server: ServerFunctions,
    error: *mut ErrorText,
) -> i32;

/// A place for the text of an error.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ErrorText {
    /// The text.
    pub bytes: [u8; 4096],
    /// How many of the bytes are the text.
    pub length: usize,
}

impl ErrorText {
    /// No text yet.
    pub const EMPTY: Self = Self { bytes: [0; 4096], length: 0 };

    /// Takes the text, or as much of it as there is room for.
    pub fn set(&mut self, text: &str) {
        self.length = text.len().min(self.bytes.len());
        self.bytes[..self.length].copy_from_slice(&text.as_bytes()[..self.length]);
    }

    /// The text.
    pub fn get(&self) -> String {
        let text = self.bytes.get(..self.length).unwrap_or(&self.bytes);
        String::from_utf8_lossy(text).into_owned()
    }
}

/// A body fault as a negative number.
pub fn fault_code(fault: BodyFault) -> isize {
    -(fault as isize)
}

/// The body fault behind a negative number.
pub fn fault_from_code(code: isize) -> BodyFault {
    [BodyFault::Gone, BodyFault::Timeout, BodyFault::TooLarge]
        .into_iter()
        .find(|fault| fault_code(*fault) == code)
        .unwrap_or(BodyFault::Broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_round_trip() {
        let faults = [BodyFault::Gone, BodyFault::Timeout, BodyFault::TooLarge, BodyFault::Broken];
        for fault in faults {
            assert_eq!(fault_from_code(fault_code(fault)), fault);
            assert!(fault_code(fault) < 0);
        }
    }
}
