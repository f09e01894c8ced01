//! Lines for httpd's error log, in its format, on standard error.

use std::io::Write;
use std::os::fd::BorrowedFd;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use wsgi::level::Level;
use wsgi::protocol::log_line::LogLine;
use wsgi::time_zone::TimeZone;

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
        let line = LogLine::new(level, text.as_bytes());
        let line = line.formatted(time_zone(), since_1970(), std::process::id());
        // Nobody is left to hear of a log that cannot be written.
        let _ = std::io::stderr().write_all(&line);
    }
}

/// The zone that the lines of this httpd are in: that of this process, for the next ten years.
pub(crate) fn time_zone() -> &'static TimeZone {
    static ZONE: OnceLock<TimeZone> = OnceLock::new();
    ZONE.get_or_init(|| {
        let now = i64::try_from(since_1970().as_secs()).unwrap_or_default();
        TimeZone::sampled(now, 3653, crate::sys::utc_offset)
    })
}

fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Whether a descriptor can be written to; a log that was closed is better not handed on.
pub(crate) fn is_open(descriptor: BorrowedFd<'_>) -> bool {
    nix::fcntl::fcntl(descriptor, nix::fcntl::FcntlArg::F_GETFD).is_ok()
}
