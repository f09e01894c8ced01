//! httpd's error log.

use core::ffi::{CStr, c_int};

use httpd_sys as sys;

use crate::request::Request;
use crate::server::Server;

/// Whatever has an error log: a request, a server.
///
/// `level` is httpd's number (`APLOG_ERR` is 3). The text is passed as data, never as a format, and
/// httpd escapes its control characters. Lines below the configured `LogLevel` are dropped before
/// anything is formatted.
pub trait Log {
    /// Whether a line of this level would be written for the module with this index.
    fn logs(&self, module_index: c_int, level: u8) -> bool;

    /// Writes one line.
    fn line(&self, module_index: c_int, level: u8, text: &[u8]);
}

const FILE: &CStr = c"dormouse";
const FORMAT: &CStr = c"%.*s";

/// Lengths for `%.*s`; httpd cuts lines at about 8 KiB anyway.
fn length(text: &[u8]) -> c_int {
    c_int::try_from(text.len()).unwrap_or(c_int::MAX)
}

impl Log for Request<'_> {
    fn logs(&self, module_index: c_int, level: u8) -> bool {
        // SAFETY: the request is live.
        unsafe {
            sys::ap_get_request_module_loglevel(self.as_ptr(), module_index) >= c_int::from(level)
        }
    }

    fn line(&self, module_index: c_int, level: u8, text: &[u8]) {
        if !self.logs(module_index, level) {
            return;
        }
        // SAFETY: the request is live; the format takes a length and a pointer to that many bytes.
        unsafe {
            sys::ap_log_rerror_(
                FILE.as_ptr(),
                0,
                module_index,
                c_int::from(level),
                0,
                self.as_ptr(),
                FORMAT.as_ptr(),
                length(text),
                text.as_ptr(),
            );
        }
    }
}

impl Log for Server<'_> {
    fn logs(&self, module_index: c_int, level: u8) -> bool {
        // SAFETY: the server record is live.
        unsafe {
            sys::ap_get_server_module_loglevel(self.as_ptr(), module_index) >= c_int::from(level)
        }
    }

    fn line(&self, module_index: c_int, level: u8, text: &[u8]) {
        if !self.logs(module_index, level) {
            return;
        }
        // SAFETY: the server record is live; the format takes a length and as many bytes.
        unsafe {
            sys::ap_log_error_(
                FILE.as_ptr(),
                0,
                module_index,
                c_int::from(level),
                0,
                self.as_ptr(),
                FORMAT.as_ptr(),
                length(text),
                text.as_ptr(),
            );
        }
    }
}

/// Writes a line that an administrator sees on the terminal while httpd is started or its
/// configuration is tested, and in the error log later.
pub fn startup_line(server: Server<'_>, module_index: c_int, level: u8, text: &[u8]) {
    let flags = sys::APLOG_STARTUP.cast_signed();
    // SAFETY: as above.
    unsafe {
        sys::ap_log_error_(
            FILE.as_ptr(),
            0,
            module_index,
            c_int::from(level) | flags,
            0,
            server.as_ptr(),
            FORMAT.as_ptr(),
            length(text),
            text.as_ptr(),
        );
    }
}
