//! The lines that the processes of a group write to their standard output and standard error.
//!
//! They have a pipe and not the error log itself: a process of a group's user could make that
//! shorter, or read what others have written to the terminal that httpd logs to. `wsgid` copies
//! what comes, in whole lines.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use wsgi::printable::{printable, whole_characters};

use crate::sys::{raised, unread};

/// So much is copied for a group before others have their turn.
const MOST: usize = 64 * 1024;
/// A line that is longer is copied in parts.
const LONGEST_LINE: usize = 8 * 1024;
/// A line without an end is copied as it is when nothing has followed for so long.
const WAIT_LIMIT: Duration = Duration::from_millis(500);

/// The pipe of a group, and the log that it leads to.
#[derive(Debug)]
pub(crate) struct GroupLog {
    reader: File,
    writer: OwnedFd,
    /// The log of the group's virtual host; `None` for standard error, httpd's own.
    log: Option<File>,
    /// The beginning of a line.
    unfinished: Vec<u8>,
    /// When the last of it came.
    came: Instant,
}

impl GroupLog {
    /// A pipe to `log`, or to standard error.
    pub(crate) fn new(log: Option<OwnedFd>) -> std::io::Result<Self> {
        let (reader, writer) = nix::unistd::pipe2(OFlag::O_CLOEXEC)?;
        // Only this end: that it never blocks must not be seen at the other one.
        nix::fcntl::fcntl(&reader, nix::fcntl::FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok(Self {
            reader: reader.into(),
            writer: raised(&writer)?,
            log: log.map(File::from),
            unfinished: Vec::new(),
            came: Instant::now(),
        })
    }

    /// The end for processes.
    pub(crate) fn writer(&self) -> &OwnedFd {
        &self.writer
    }

    /// Becomes readable when something was written.
    pub(crate) fn reader(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }

    /// Copies what has come.
    pub(crate) fn copy(&mut self) {
        self.copy_up_to(MOST);
        if self.due().is_some_and(|moment| moment <= Instant::now()) {
            self.end_line();
        }
    }

    /// When the beginning of a line is copied that nothing follows.
    pub(crate) fn due(&self) -> Option<Instant> {
        (!self.unfinished.is_empty()).then(|| self.came + WAIT_LIMIT)
    }

    /// Copies everything: no process writes any more.
    pub(crate) fn finish(&mut self) {
        // Only the bytes that the pipe holds: a process that was left behind may write for ever.
        self.copy_up_to(2 * MOST);
        self.end_line();
    }

    fn copy_up_to(&mut self, most: usize) {
        if unread(self.reader.as_fd()) == 0 {
            return;
        }
        let mut piece = vec![0; 16 * 1024];
        for _ in 0..most / piece.len() {
            match self.reader.read(&mut piece) {
                Ok(count) if count > 0 => self.take(&piece[..count]),
                _ => break,
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.came = Instant::now();
        let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        let (lines, unfinished) = bytes.split_at(end);
        if !lines.is_empty() {
            let mut whole = std::mem::take(&mut self.unfinished);
            whole.extend_from_slice(lines);
            self.write(&whole);
        }
        self.unfinished.extend_from_slice(unfinished);
        if self.unfinished.len() > LONGEST_LINE {
            let cut = self.unfinished.split_off(whole_characters(&self.unfinished));
            self.end_line();
            self.unfinished = cut;
        }
    }

    fn end_line(&mut self) {
        if !self.unfinished.is_empty() {
            let mut line = std::mem::take(&mut self.unfinished);
            line.push(b'\n');
            self.write(&line);
        }
    }

    /// Writes whole lines at once, so that those of several processes do not mix.
    fn write(&self, lines: &[u8]) {
        let lines = &*printable(lines, &['\n', '\t']);
        // A log that cannot be written cannot be told of that either.
        let _ = match &self.log {
            Some(log) => (&*log).write_all(lines),
            None => std::io::stderr().write_all(lines),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log that writes to a pipe, and what arrives there.
    fn log() -> (GroupLog, File, File) {
        let (reader, writer) = nix::unistd::pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK).unwrap();
        let log = GroupLog::new(Some(writer)).unwrap();
        let process = File::from(log.writer().try_clone().unwrap());
        (log, process, reader.into())
    }

    fn arrived(file: &mut File) -> String {
        let mut text = vec![0; 256 * 1024];
        let count = file.read(&mut text).unwrap_or(0);
        String::from_utf8(text[..count].to_vec()).unwrap()
    }

    #[test]
    fn lines_are_copied_whole() {
        let (mut log, mut process, mut copy) = log();
        process.write_all(b"one\ntw").unwrap();
        log.copy();
        assert_eq!(arrived(&mut copy), "one\n");
        assert!(log.due().is_some());
        process.write_all(b"o\n").unwrap();
        log.copy();
        assert_eq!((arrived(&mut copy).as_str(), log.due()), ("two\n", None));
        process.write_all(b"the last").unwrap();
        log.finish();
        assert_eq!(arrived(&mut copy), "the last\n");
    }

    #[test]
    fn nothing_is_done_to_a_terminal() {
        let (mut log, mut process, mut copy) = log();
        process.write_all(b"a\tb \x1b[2J\x07 caf\xc3\xa9\r\xc2\x9b2J\x9b\n").unwrap();
        log.copy();
        let shown = "a\tb \\x1b[2J\\x07 caf\u{e9}\\x0d\\xc2\\x9b2J\\x9b\n";
        assert_eq!(arrived(&mut copy), shown);
    }

    #[test]
    fn a_line_without_an_end_is_no_burden() {
        let (mut log, mut process, mut copy) = log();
        process.write_all(&[b'x'; LONGEST_LINE + 1]).unwrap();
        log.copy();
        assert_eq!(arrived(&mut copy).len(), LONGEST_LINE + 2, "and the end of the line");
        assert!(log.unfinished.is_empty());
        // Nor is a character cut in two, whose second half would be no character.
        let text = "x".to_owned() + &"\u{201c}".repeat(LONGEST_LINE / 3 + 1);
        process.write_all(&text.as_bytes()[..=LONGEST_LINE]).unwrap();
        log.copy();
        let unfinished = &text.as_bytes()[LONGEST_LINE + 1..];
        process.write_all(&[unfinished, b"\n"].concat()).unwrap();
        log.copy();
        assert_eq!(arrived(&mut copy).replace('\n', ""), text);
    }
}
