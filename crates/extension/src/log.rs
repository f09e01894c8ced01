//! The process's own log: lines in httpd's format on standard error, which is the group's error log.

use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use engine::ServerLog;
use wsgi::level::Level;
use wsgi::protocol::log_line::LogLine;
use wsgi::time_zone::TimeZone;

/// Lines for what belongs to no request.
#[derive(Debug)]
pub(crate) struct ProcessLog {
    most: u8,
    zone: TimeZone,
}

impl ProcessLog {
    /// A log that keeps lines up to httpd's level `most`, whose times are in httpd's zone.
    pub(crate) fn new(most: u8, zone: TimeZone) -> Self {
        Self { most, zone }
    }
}

impl ServerLog for ProcessLog {
    fn logs(&self, level: Level) -> bool {
        level.number() <= self.most
    }

    fn write(&self, line: LogLine<'_>) {
        if !self.logs(line.level) {
            return;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let line = line.formatted(&self.zone, now, std::process::id());
        // One write for one line, so that lines of several processes do not mix. Nobody is left to
        // hear of a log that cannot be written.
        let _ = std::io::stderr().write_all(&line);
    }
}
