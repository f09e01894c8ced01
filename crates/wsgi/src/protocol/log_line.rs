//! A line for an error log, with the place in the source that it comes from.

use std::time::Duration;

use crate::level::Level;
use crate::protocol::codec::{CodecError, Reader, Writer};
use crate::time_zone::TimeZone;

/// A line for an error log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLine<'a> {
    /// How serious it is.
    pub level: Level,
    /// Where it comes from.
    pub source: Source<'a>,
    /// The text, without an end of line.
    pub text: &'a [u8],
}

/// A place in the source of an application, which httpd's log format `%F` shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Source<'a> {
    /// The file; empty where it is not known.
    pub file: &'a [u8],
    /// The line.
    pub line: u32,
}

impl<'a> LogLine<'a> {
    /// A line of which it is not known where it comes from.
    pub fn new(level: Level, text: &'a [u8]) -> Self {
        Self { level, source: Source::default(), text }
    }

    /// The line as httpd's usual format has it, with its end, for processes that write without
    /// httpd. Control characters are blanked, so that it stays one line.
    #[must_use]
    pub fn formatted(&self, zone: &TimeZone, since_1970: Duration, process: u32) -> Vec<u8> {
        let (time, name) = (zone.local(since_1970), self.level.name());
        let mut line = format!("[{time}] [wsgi:{name}] [pid {process}] ").into_bytes();
        line.extend(
            self.text.iter().map(|byte| if byte.is_ascii_control() { b' ' } else { *byte }),
        );
        line.push(b'\n');
        line
    }

    /// Appends the payload of a log frame.
    pub fn encode(self, buffer: &mut Vec<u8>) {
        Writer::new(buffer)
            .u8(self.level.number())
            .bytes(self.source.file)
            .u32(self.source.line)
            .bytes(self.text);
    }

    /// Reads the payload of a log frame.
    pub fn decode(payload: &'a [u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(payload);
        let line = Self {
            level: Level::from_number(reader.u8()?).ok_or(CodecError::Value("level"))?,
            source: Source { file: reader.bytes()?, line: reader.u32()? },
            text: reader.bytes()?,
        };
        reader.end()?;
        Ok(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_stay_lines() {
        let line = LogLine::new(Level::Warning, b"two\nlines\x1b");
        let text = line.formatted(&TimeZone::default(), Duration::ZERO, 7);
        let expected = "[Thu Jan 01 00:00:00.000000 1970] [wsgi:warn] [pid 7] two lines \n";
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }

    proptest! {
        #[test]
        fn lines_round_trip(level in 1u8..=8, file: Vec<u8>, line: u32, text: Vec<u8>) {
            let level = Level::from_number(level).unwrap();
            let line = LogLine { level, source: Source { file: &file, line }, text: &text };
            let mut buffer = Vec::new();
            line.encode(&mut buffer);
            prop_assert_eq!(LogLine::decode(&buffer), Ok(line));
        }

        #[test]
        fn nothing_panics(payload: Vec<u8>) {
            let _ = LogLine::decode(&payload);
        }
    }
}
