//! httpd's error log as lines with a level, and what a test says about it beforehand.
//!
//! Reads the format that httpd writes without `ErrorLogFormat`. A line without such a prefix (the
//! standard error of any process of the server) counts as a warning: nothing writes there when all
//! is well.

use std::fmt;
use std::path::PathBuf;

/// A level of httpd's log, the most severe first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are httpd's own")]
pub enum Level {
    Emerg,
    Alert,
    Crit,
    Error,
    Warn,
    Notice,
    Info,
    Debug,
    Trace,
}

/// A line of the error log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The whole line, with its time stamp.
    pub text: String,
    /// [`Level::Warn`] where httpd's prefix is missing.
    pub level: Level,
    /// The module that wrote it, such as `core`; empty where the prefix is missing.
    pub module: String,
}

impl Line {
    fn parse(text: &str) -> Self {
        let parsed = prefix(text);
        let (module, level) = parsed.unwrap_or(("", Level::Warn));
        Self { text: text.to_owned(), level, module: module.to_owned() }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// Reads `[time] [module:level] …`.
fn prefix(text: &str) -> Option<(&str, Level)> {
    let (_time, rest) = text.strip_prefix('[')?.split_once("] [")?;
    let (module, level) = rest.split_once(']')?.0.split_once(':')?;
    let level = match level {
        "emerg" => Level::Emerg,
        "alert" => Level::Alert,
        "crit" => Level::Crit,
        "error" => Level::Error,
        "warn" => Level::Warn,
        "notice" => Level::Notice,
        "info" => Level::Info,
        "debug" => Level::Debug,
        trace if trace.starts_with("trace") => Level::Trace,
        _ => return None,
    };
    Some((module, level))
}

/// Lines that plain httpd logs now and then without a fault.
const HTTPDS_OWN: [&str; 3] = [
    // The event MPM closes its poll set while last connections are still being closed.
    "AH03092: process_lingering_close: apr_pollset_add failure",
    "AH03093: process_socket: apr_pollset_add failure",
    // A child of the event MPM that stops closes the sockets of its threads, which may be doing the
    // same.
    "(9)Bad file descriptor: AH00468: error closing socket",
];

/// The log file and what was announced about it.
#[derive(Debug)]
pub(crate) struct Log {
    path: PathBuf,
    /// Must appear.
    expected: Vec<String>,
    /// May appear.
    allowed: Vec<String>,
}

impl Log {
    pub(crate) fn new(path: PathBuf, allowed: Vec<String>) -> Self {
        Self { path, expected: Vec::new(), allowed }
    }

    /// The text so far; empty while the file does not exist.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.path).unwrap_or_default()).into_owned()
    }

    /// The complete lines so far.
    pub(crate) fn lines(&self) -> Vec<Line> {
        let text = self.text();
        let complete = text.rfind('\n').map_or("", |end| &text[..end]);
        complete.lines().filter(|line| !line.is_empty()).map(Line::parse).collect()
    }

    pub(crate) fn expect(&mut self, part: &str) {
        self.expected.push(part.to_owned());
    }

    pub(crate) fn allow(&mut self, part: &str) {
        self.allowed.push(part.to_owned());
    }

    /// Whether everything that was announced as coming has come.
    pub(crate) fn is_complete(&self) -> bool {
        let text = self.text();
        self.expected.iter().all(|part| text.contains(part))
    }

    /// One finding for each line that was not announced, and for each announced one that is
    /// missing.
    pub(crate) fn findings(&self) -> Vec<String> {
        let lines = self.lines();
        let known = |line: &Line| {
            let announced = self.expected.iter().chain(&self.allowed).map(String::as_str);
            announced.chain(HTTPDS_OWN).any(|part| line.text.contains(part))
        };
        let stray = lines
            .iter()
            .filter(|line| line.level <= Level::Warn && !known(line))
            .map(|line| format!("not announced: {line}"));
        let text = self.text();
        let missing = self
            .expected
            .iter()
            .filter(|part| !text.contains(part.as_str()))
            .map(|part| format!("announced, but never logged: {part}"));
        stray.chain(missing).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WARNING: &str = "[Mon Nov 23 06:44:01.123456 2026] [core:warn] [pid 1:tid 2] AH00098: x";
    const NOTICE: &str = "[Mon Nov 23 06:44:01.123456 2026] [mpm_event:notice] [pid 1:tid 2] y";

    fn log_of(text: &str) -> (tempfile::TempDir, Log) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("error_log");
        std::fs::write(&path, text).unwrap();
        (directory, Log::new(path, Vec::new()))
    }

    #[test]
    fn a_prefix_gives_module_and_level() {
        assert_eq!(prefix(WARNING), Some(("core", Level::Warn)));
        assert_eq!(prefix("[t] [wsgi:trace1] x"), Some(("wsgi", Level::Trace)));
        assert_eq!(prefix("Fatal Python error: init"), None);
    }

    #[test]
    fn a_warning_must_be_announced() {
        let (_directory, mut log) = log_of(&format!("{NOTICE}\n{WARNING}\n"));
        assert_eq!(log.findings(), [format!("not announced: {WARNING}")]);
        log.expect("AH00098");
        assert!(log.findings().is_empty());
    }

    #[test]
    fn a_line_without_prefix_must_be_announced() {
        let (_directory, log) = log_of("Fatal Python error: init\n");
        assert_eq!(log.findings(), ["not announced: Fatal Python error: init"]);
    }

    #[test]
    fn an_announced_line_must_come() {
        let (_directory, mut log) = log_of("");
        log.expect("WSGI0174");
        assert!(!log.is_complete());
        assert_eq!(log.findings(), ["announced, but never logged: WSGI0174"]);
    }
}
