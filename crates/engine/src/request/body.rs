//! The request's body as a stream of bytes and lines, buffered.
//!
//! Memory grows with what arrives, never with the size that the application asks for.

use wsgi::protocol::frame::BodyFault;

use crate::exchange::{BodyError, Exchange};

/// Bytes that one small read asks the exchange for.
const CHUNK: usize = 8 << 10;
/// The most that a read asks for at a time.
pub(crate) const STEP: usize = 1 << 20;

/// The state of the body, and the bytes of it that are not yet read.
#[derive(Debug)]
pub(crate) struct Body {
    buffer: Vec<u8>,
    start: usize,
    /// More may come from the exchange.
    more: bool,
    /// How much of that, as far as the client has said so.
    left: Option<u64>,
    /// The exchange has been asked once.
    begun: bool,
    error: Option<BodyError>,
}

impl Body {
    /// A body whose first bytes have come with the request. `left` is how much more there is, or
    /// `None` if that is not known.
    pub(crate) fn new(first: &[u8], left: Option<u64>) -> Self {
        let (more, begun) = (left != Some(0), !first.is_empty());
        Self { buffer: first.to_vec(), start: 0, more, left, begun, error: None }
    }

    /// All that is left, or as much as `limit`, if no more has to come for that.
    pub(crate) fn read_whole(&mut self, limit: usize) -> Option<Vec<u8>> {
        let waiting = self.buffer.len() - self.start;
        let is_whole = self.error.is_none() && (waiting >= limit || !self.more) && limit > 0;
        is_whole.then(|| self.take(limit))
    }

    /// How much there is probably to be read, if the client has said so.
    pub(crate) fn expected(&self) -> Option<usize> {
        let waiting = (self.buffer.len() - self.start) as u64;
        self.left.map(|left| usize::try_from(left.saturating_add(waiting)).unwrap_or(usize::MAX))
    }

    /// Whether there is no more to be read, which is found out if it is not known.
    pub(crate) fn is_at_end(&mut self, exchange: &mut dyn Exchange) -> Result<bool, BodyError> {
        self.check()?;
        if self.start == self.buffer.len() && self.more {
            self.fill(exchange)?;
        }
        Ok(self.start == self.buffer.len())
    }

    /// The first read of an application that reads nothing: it lets the client send the body.
    pub(crate) fn begin(&mut self, exchange: &mut dyn Exchange) -> Result<(), BodyError> {
        self.check()?;
        if !self.begun && self.more {
            self.ask(exchange, &mut [])?;
        }
        Ok(())
    }

    /// Fills `room`, or less of it at the end; the number of bytes is returned.
    pub(crate) fn read_into(
        &mut self,
        exchange: &mut dyn Exchange,
        room: &mut [u8],
    ) -> Result<usize, BodyError> {
        self.check()?;
        let mut filled = 0;
        loop {
            let rest = &mut room[filled..];
            let waiting = &self.buffer[self.start..];
            let count = waiting.len().min(rest.len());
            rest[..count].copy_from_slice(&waiting[..count]);
            self.advance(count);
            filled += count;
            let rest = &mut room[filled..];
            if rest.is_empty() || !self.more {
                return Ok(filled);
            }
            // What is known to be all needs no room beside it.
            let is_rest = self.left.is_some_and(|left| left <= rest.len() as u64);
            if rest.len() < CHUNK && !is_rest {
                self.fill(exchange)?;
            } else {
                filled += self.ask(exchange, rest)?;
            }
        }
    }

    /// Reads up to and including the next `\n`, at most `limit` bytes.
    pub(crate) fn line(
        &mut self,
        exchange: &mut dyn Exchange,
        limit: Option<usize>,
    ) -> Result<Vec<u8>, BodyError> {
        self.check()?;
        let limit = limit.unwrap_or(usize::MAX);
        let mut searched = 0;
        loop {
            let waiting = &self.buffer[self.start..];
            let fresh = &waiting[searched..];
            let end = fresh.iter().position(|byte| *byte == b'\n').map(|at| searched + at + 1);
            if end.is_some() || waiting.len() >= limit || !self.more {
                return Ok(self.take(end.unwrap_or(usize::MAX).min(limit)));
            }
            searched = waiting.len();
            self.fill(exchange)?;
        }
    }

    /// Whether the body broke off because the client did, or was silent for too long.
    pub(crate) fn client_left(&self) -> bool {
        let fault = self.error.as_ref().map(|error| error.fault);
        matches!(fault, Some(BodyFault::Gone | BodyFault::Timeout))
    }

    fn check(&self) -> Result<(), BodyError> {
        self.error.clone().map_or(Ok(()), Err)
    }

    fn take(&mut self, limit: usize) -> Vec<u8> {
        let end = self.buffer.len().min(self.start.saturating_add(limit));
        if (self.start, end) == (0, self.buffer.len()) {
            return std::mem::take(&mut self.buffer);
        }
        let bytes = self.buffer[self.start..end].to_vec();
        self.advance(bytes.len());
        bytes
    }

    /// So many bytes of the buffer were read.
    fn advance(&mut self, count: usize) {
        self.start += count;
        if self.start == self.buffer.len() {
            (self.buffer, self.start) = (Vec::new(), 0);
        }
    }

    /// Adds what the exchange has to the buffer.
    fn fill(&mut self, exchange: &mut dyn Exchange) -> Result<(), BodyError> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.drain(..std::mem::take(&mut self.start));
        let length = buffer.len();
        buffer.resize(length + length.clamp(CHUNK, STEP), 0);
        let result = self.ask(exchange, &mut buffer[length..]);
        buffer.truncate(length + result.as_ref().copied().unwrap_or(0));
        self.buffer = buffer;
        result.map(drop)
    }

    fn ask(&mut self, exchange: &mut dyn Exchange, to: &mut [u8]) -> Result<usize, BodyError> {
        self.begun = true;
        match exchange.read(to) {
            Ok(count) => {
                self.more &= count > 0 || to.is_empty();
                // A client may say too little where filters make more of it.
                self.left = self.left.map(|left| left.saturating_sub(count as u64));
                Ok(count)
            }
            Err(error) => {
                self.error = Some(error.clone());
                Err(error)
            }
        }
    }
}
