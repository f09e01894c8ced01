//! Text on its way to an error log: one record for each line.

/// The longest record in bytes; httpd cuts at about that.
pub(crate) const RECORD: usize = 8000;

/// Text on its way to a log, cut into lines.
#[derive(Debug, Default)]
pub(crate) struct Lines(Vec<u8>);

impl Lines {
    /// Adds text and takes out the lines that are complete (or too long for a record).
    pub(crate) fn push(&mut self, text: &[u8]) -> Vec<Vec<u8>> {
        self.0.extend_from_slice(text);
        let mut lines = Vec::new();
        let mut rest = self.0.as_slice();
        loop {
            let end = rest.iter().take(RECORD + 1).position(|byte| *byte == b'\n');
            let (line, after) = match end {
                Some(end) => (&rest[..end], &rest[end + 1..]),
                None if rest.len() > RECORD => rest.split_at(RECORD),
                None => break,
            };
            lines.push(line.strip_suffix(b"\r").unwrap_or(line).to_vec());
            rest = after;
        }
        self.0 = rest.to_vec();
        lines
    }

    /// Whether there is a line that has no end.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes out the line that has no end.
    pub(crate) fn rest(&mut self) -> Option<Vec<u8>> {
        Some(std::mem::take(&mut self.0)).filter(|line| !line.is_empty())
    }
}
