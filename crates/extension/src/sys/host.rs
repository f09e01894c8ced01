//! httpd's side of the contract of embedded mode ([`wsgi::protocol::embed_abi`]), as the engine
//! uses it.

use core::ffi::c_void;
use std::num::NonZeroUsize;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::Arc;

use engine::ServerLog;
use wsgi::level::Level;
use wsgi::protocol::embed_abi::{Host, Line, ReadScoreboardFn, ServerLogFn, fault_from_code};
use wsgi::protocol::frame::BodyFault;
use wsgi::protocol::log_line::LogLine;
use wsgi::protocol::scoreboard::ScoreboardSnapshot;

/// The functions that httpd's side offers for one request.
#[derive(Clone, Copy)]
pub(crate) struct HostCalls {
    pub(super) host: Host,
    pub(super) context: *mut c_void,
}

// SAFETY: the contract allows the functions to be called by any thread, one at a time; the engine
// has them behind a lock, and gives the exchange back before the request ends.
unsafe impl Send for HostCalls {}

impl HostCalls {
    /// The address of httpd's record of the request, if the application may see it.
    pub(crate) fn record(&self) -> Option<NonZeroUsize> {
        NonZeroUsize::new(self.host.record.expose_provenance())
    }

    /// Reads from the request's body.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, BodyFault> {
        // SAFETY: (of this and the functions below) the request is being served, so the context is
        // valid, and the pointers lead to as many bytes as is said.
        let count = unsafe { (self.host.read)(self.context, buffer.as_mut_ptr(), buffer.len()) };
        usize::try_from(count).map_err(|_| fault_from_code(count))
    }

    /// Sends the head; false if the client is gone.
    pub(crate) fn head(&mut self, payload: &[u8]) -> bool {
        // SAFETY: see above.
        unsafe { (self.host.head)(self.context, payload.as_ptr(), payload.len()) == 0 }
    }

    /// Sends a piece of the body; false if the client is gone.
    pub(crate) fn data(&mut self, bytes: &[u8]) -> bool {
        // SAFETY: see above.
        unsafe { (self.host.data)(self.context, bytes.as_ptr(), bytes.len()) == 0 }
    }

    /// Sends a part of a file; false if the client is gone.
    pub(crate) fn file(&mut self, file: BorrowedFd<'_>, offset: u64, length: u64) -> bool {
        // SAFETY: see above; the descriptor is open.
        unsafe { (self.host.file)(self.context, file.as_raw_fd(), offset, length) == 0 }
    }

    /// The value of a variable of mod_ssl's, if it has one.
    pub(crate) fn variable(&mut self, name: &[u8]) -> Option<Vec<u8>> {
        let mut value: Option<Vec<u8>> = None;
        let receiver = (&raw mut value).cast();
        // SAFETY: see above; the receiver is what `take_bytes` wants.
        unsafe {
            (self.host.variable)(self.context, name.as_ptr(), name.len(), take_bytes, receiver);
        }
        value
    }

    /// Writes a line into the request's error log.
    pub(crate) fn log(&mut self, line: &LogLine<'_>) {
        let line = Line::of(line);
        // SAFETY: see above.
        unsafe { (self.host.log)(self.context, &raw const line) }
    }
}

/// httpd's main error log, as a function of httpd's side.
pub(super) struct HostLog {
    pub(super) write: ServerLogFn,
    pub(super) most: u8,
}

impl ServerLog for HostLog {
    fn logs(&self, level: Level) -> bool {
        level.number() <= self.most
    }

    fn write(&self, line: LogLine<'_>) {
        let line = Line::of(&line);
        // SAFETY: the function is httpd's and stays for the life of the process; the line is lent.
        unsafe { (self.write)(&raw const line) }
    }
}

/// httpd's scoreboard, as a function of httpd's side.
pub(super) fn host_scoreboard(read: ReadScoreboardFn) -> engine::ReadScoreboard {
    Arc::new(move || {
        let mut board: Option<Vec<u8>> = None;
        // SAFETY: the function is httpd's and stays for the life of the process; the receiver is
        // what `take_bytes` wants.
        unsafe { read(take_bytes, (&raw mut board).cast()) };
        board.and_then(|board| ScoreboardSnapshot::decode(&board).ok())
    })
}

/// # Safety
/// Called by httpd's side with a receiver of this side's and as many bytes as it says.
unsafe extern "C" fn take_bytes(receiver: *mut c_void, bytes: *const u8, length: usize) {
    // SAFETY: see above.
    let (place, bytes) = unsafe {
        (&mut *receiver.cast::<Option<Vec<u8>>>(), core::slice::from_raw_parts(bytes, length))
    };
    *place = Some(bytes.to_vec());
}
