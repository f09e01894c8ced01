//! Standard output, which may be a pipe whose reader has gone: `dormouse memory | head`.

use std::io::{self, ErrorKind, Write as _};

use anyhow::{Context as _, Result};

/// Whether standard output is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    There,
    Gone,
}

/// Prints text. A reader that has gone has all that it wanted.
pub(crate) fn print(text: &str) -> Result<Reader> {
    let mut output = io::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Ok(()) => Ok(Reader::There),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(Reader::Gone),
        Err(error) => Err(error).context("standard output cannot be written"),
    }
}
