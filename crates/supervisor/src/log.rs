//! Lines for httpd's error log, in its format, on standard error.

use std::io::Write;
use std::os::fd::BorrowedFd;

use nix::time::{ClockId, clock_gettime};
use wsgi::level::Level;

/// Where lines go, and how talkative they may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Log {
    most: u8,
}

impl Log {
    /// A log that keeps lines up to httpd's level `most`.
    pub(crate) fn new(most: u8) -> Self {
        Self { most }
    }

    /// Writes one line to standard error.
    pub(crate) fn line(self, level: Level, text: &str) {
        if level.number() > self.most {
            return;
        }
        let line = format_line(level, std::process::id(), text);
        // Nobody is left to hear of a log that cannot be written.
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
}

/// A line as httpd's default format has it.
fn format_line(level: Level, process: u32, text: &str) -> String {
    let text = text.replace(['\n', '\r'], " ");
    format!("[{}] [wsgi:{}] [pid {process}] {text}\n", timestamp(), level.name())
}

/// The present as `Mon Nov 23 06:31:00.123456 2026`, in local time.
fn timestamp() -> String {
    let Ok(now) = clock_gettime(ClockId::CLOCK_REALTIME) else { return String::new() };
    crate::sys::local_time(now.tv_sec(), now.tv_nsec() / 1000)
}

/// Whether a descriptor can be written to; a log that was closed is better not handed on.
pub(crate) fn is_open(descriptor: BorrowedFd<'_>) -> bool {
    nix::fcntl::fcntl(descriptor, nix::fcntl::FcntlArg::F_GETFD).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stay_lines() {
        let line = format_line(Level::Warning, 7, "two\nlines");
        assert!(line.ends_with("] [wsgi:warn] [pid 7] two lines\n"), "{line}");
        assert_eq!(line.matches('\n').count(), 1);
        assert!(timestamp().len() >= "Mon Nov 23 06:31:00.123456 2026".len());
    }
}
