//! A hook that is asked in this very process: Python is loaded into it, if that has not happened
//! yet.

use core::ffi::c_void;
use std::os::fd::BorrowedFd;

use httpd::Request;
use wsgi::protocol::embed_abi::fault_code;
use wsgi::protocol::frame::BodyFault;
use wsgi::protocol::log_line::LogLine;

use crate::embedded;
use crate::log_of;
use crate::sys::Serve;

/// Asks the question whose frame's payload is `payload`; gives the payload of the answer's frame,
/// or `None` if there is none, which the log has been told.
pub(super) fn ask(request: &mut Request<'_>, script: &[u8], payload: &[u8]) -> Option<Vec<u8>> {
    let engine = embedded::engine(request)?;
    engine.ask(&mut Asked { request, script }, payload)
}

/// A request that a question is about. It has no body for a hook, and no response of one.
struct Asked<'a, 'r> {
    request: &'a mut Request<'r>,
    script: &'a [u8],
}

impl Serve for Asked<'_, '_> {
    fn record(&self) -> *mut c_void {
        embedded::visible_record(self.request)
    }

    fn read(&mut self, _place: &mut [u8]) -> isize {
        fault_code(BodyFault::Broken)
    }

    fn head(&mut self, _payload: &[u8]) -> bool {
        false
    }

    fn data(&mut self, _bytes: &[u8]) -> bool {
        false
    }

    fn file(&mut self, _file: BorrowedFd<'_>, _offset: u64, _length: u64) -> bool {
        false
    }

    fn log(&mut self, line: &LogLine<'_>) {
        log_of(self.request, self.script, line);
    }

    fn variable(&mut self, name: &[u8]) -> Option<Vec<u8>> {
        self.request.tls_variable(name).map(<[u8]>::to_vec)
    }
}
