//! Lines for httpd's error log, in its format, on standard error.

use std::io::Write;
use std::os::fd::BorrowedFd;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use wsgi::codes::Message;
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

    /// Writes a message.
    pub(crate) fn message(self, message: &Message) {
        if self.keeps(message.level()) {
            write(message.level(), &message.to_string());
        }
    }

    /// Writes a line about the life of processes, which needs no code.
    pub(crate) fn info(self, text: &str) {
        if self.keeps(Level::Info) {
            write(Level::Info, text);
        }
    }

    fn keeps(self, level: Level) -> bool {
        level.number() <= self.most
    }
}

fn write(level: Level, text: &str) {
    let line = LogLine::new(level, text.as_bytes());
    let line = line.formatted(time_zone(), since_1970(), std::process::id());
    // A log that cannot be written cannot be told of that either.
    let _ = std::io::stderr().write_all(&line);
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
