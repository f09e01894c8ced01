//! The process's own log: lines in httpd's format on standard error, which is the group's error log.

use std::io::Write;

use engine::ServerLog;
use wsgi::level::Level;
use wsgi::log_line::LogLine;

/// Lines for what belongs to no request.
#[derive(Debug)]
pub(crate) struct ProcessLog {
    most: u8,
}

impl ProcessLog {
    /// A log that keeps lines up to httpd's level `most`.
    pub(crate) fn new(most: u8) -> Self {
        Self { most }
    }
}

impl ServerLog for ProcessLog {
    fn logs(&self, level: Level) -> bool {
        level.number() <= self.most
    }

    fn write(&self, line: LogLine<'_>) {
        let LogLine { level, text, .. } = line;
        if !self.logs(level) {
            return;
        }
        let time = chrono::Local::now().format("%a %b %d %H:%M:%S%.6f %Y");
        let (name, process) = (level.name(), std::process::id());
        let mut line = format!("[{time}] [wsgi:{name}] [pid {process}] ").into_bytes();
        line.extend(text.iter().map(|byte| if byte.is_ascii_control() { b' ' } else { *byte }));
        line.push(b'\n');
        // One write for one line, so that lines of several processes do not mix. Nobody is left to
        // hear of a log that cannot be written.
        let _ = std::io::stderr().write_all(&line);
    }
}
