//! httpd's error log.

use core::ffi::{CStr, c_int};
use std::borrow::Cow;
use std::ffi::CString;

use httpd_sys as sys;

use crate::request::Request;
use crate::server::Server;
use crate::text;

/// Whatever has an error log: a request, a server.
///
/// `level` is httpd's number (`APLOG_ERR` is 3). The text is passed as data, never as a format, and
/// httpd escapes its control characters. Lines below the configured `LogLevel` are dropped before
/// anything is formatted.
pub trait ErrorLog {
    /// The most talkative level that is written for the module with this index.
    fn log_level(&self, module_index: c_int) -> u8;

    /// Writes one line that comes from a place in some source.
    fn line_from(&self, module_index: c_int, level: u8, place: SourceLine<'_>, text: &[u8]);

    /// Writes one line.
    fn line(&self, module_index: c_int, level: u8, text: &[u8]) {
        self.line_from(module_index, level, SourceLine::default(), text);
    }
}

/// A place in a source, for the log format `%F`.
#[derive(Clone, Copy, Debug, Default)]
pub struct SourceLine<'a> {
    /// The file; empty for this library.
    pub file: &'a [u8],
    /// The line.
    pub line: u32,
}

impl SourceLine<'_> {
    /// The file as a C string.
    fn file(self) -> Cow<'static, CStr> {
        if self.file.is_empty() {
            return FILE.into();
        }
        CString::new(text::until_nul(self.file)).map_or(FILE.into(), Cow::from)
    }

    fn line(self) -> c_int {
        c_int::try_from(self.line).unwrap_or(0)
    }
}

const FILE: &CStr = c"dormouse";
const FORMAT: &CStr = c"%.*s";

/// Lengths for `%.*s`; httpd cuts lines at about 8 KiB anyway.
fn length(text: &[u8]) -> c_int {
    c_int::try_from(text.len()).unwrap_or(c_int::MAX)
}

impl ErrorLog for Request<'_> {
    fn log_level(&self, module_index: c_int) -> u8 {
        // SAFETY: the request is live.
        let level = unsafe { sys::ap_get_request_module_loglevel(self.as_ptr(), module_index) };
        u8::try_from(level).unwrap_or(0)
    }

    fn line_from(&self, module_index: c_int, level: u8, place: SourceLine<'_>, text: &[u8]) {
        if level > self.log_level(module_index) {
            return;
        }
        let file = place.file();
        // SAFETY: the request is live; the format takes a length and a pointer to that many bytes;
        // httpd uses the name of the file until it returns.
        unsafe {
            sys::ap_log_rerror_(
                file.as_ptr(),
                place.line(),
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

impl ErrorLog for Server<'_> {
    fn log_level(&self, module_index: c_int) -> u8 {
        // SAFETY: the server record is live.
        let level = unsafe { sys::ap_get_server_module_loglevel(self.as_ptr(), module_index) };
        u8::try_from(level).unwrap_or(0)
    }

    fn line_from(&self, module_index: c_int, level: u8, place: SourceLine<'_>, text: &[u8]) {
        if level > self.log_level(module_index) {
            return;
        }
        let file = place.file();
        // SAFETY: the server record is live; the rest as above.
        unsafe {
            sys::ap_log_error_(
                file.as_ptr(),
                place.line(),
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
