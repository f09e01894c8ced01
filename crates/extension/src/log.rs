//! The process's own log: lines in httpd's format on standard error, which is the group's error
//! log.

use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use engine::ServerLog;
use wsgi::codes::Message;
use wsgi::level::Level;
use wsgi::protocol::log_line::LogLine;
use wsgi::time_zone::TimeZone;

/// Lines for what belongs to no request.
#[derive(Debug)]
pub(crate) struct ProcessLog {
    most: u8,
    zone: TimeZone,
    /// The process group.
    group: String,
}

impl ProcessLog {
    /// A log that keeps lines up to httpd's level `most`, whose times are in httpd's zone, of a
    /// process of this group.
    pub(crate) fn new(most: u8, zone: TimeZone, group: &str) -> Self {
        Self { most, zone, group: group.to_owned() }
    }

    /// Writes a message about the process.
    pub(crate) fn report(&self, message: Message) {
        self.message(&message.within(&format_args!("process group {:?}", self.group)));
    }

    /// Writes a message about the process, and below it further lines of it, such as a stack.
    pub(crate) fn report_with(&self, message: Message, lines: &[String]) {
        let lines = lines.iter().filter(|line| !line.trim().is_empty());
        let below: Vec<Message> = lines.map(|line| message.line(line)).collect();
        [message].into_iter().chain(below).for_each(|one| self.report(one));
    }

    /// Writes a line about the life of the process.
    pub(crate) fn note(&self, text: &str) {
        self.info(&format!("process group {:?}: {text}", self.group));
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
        // One write for one line, so that lines of several processes do not mix. There is no place
        // to report a log that cannot be written.
        let _ = std::io::stderr().write_all(&line);
    }
}
