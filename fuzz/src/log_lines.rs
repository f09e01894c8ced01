//! Log lines of workers, which land in httpd's error log.

use std::time::Duration;

use wsgi::protocol::log_line::LogLine;
use wsgi::time_zone::TimeZone;

/// The payload of a log frame. One that can be read is written again as it was, and stays one
/// line.
///
/// # Panics
/// Where that does not hold.
pub(crate) fn log_lines(bytes: &[u8]) {
    let Ok(line) = LogLine::decode(bytes) else { return };
    let mut again = Vec::new();
    line.encode(&mut again);
    assert_eq!(again, bytes, "a log line is written otherwise than it was read");
    let text = line.formatted(&TimeZone::default(), Duration::from_secs(1_700_000_000), 1);
    let (end, text) = text.split_last().expect("a line has an end");
    assert!(*end == b'\n' && !text.iter().any(u8::is_ascii_control), "more than one line");
}
