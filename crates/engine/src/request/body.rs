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
    /// The exchange has been asked once.
    begun: bool,
    error: Option<BodyError>,
}

impl Body {
    /// A body whose first bytes have come with the request.
    pub(crate) fn new(first: &[u8], more: bool) -> Self {
        Self { buffer: first.to_vec(), start: 0, more, begun: !first.is_empty(), error: None }
    }

    /// Reads `limit` bytes, or fewer at the end.
    pub(crate) fn read(
        &mut self,
        exchange: &mut dyn Exchange,
        limit: usize,
    ) -> Result<Vec<u8>, BodyError> {
        self.check()?;
        if limit == 0 && !self.begun && self.more {
            self.ask(exchange, &mut [])?;
        }
        let mut bytes = self.take(limit);
        while bytes.len() < limit && self.more {
            let length = bytes.len();
            let step = (limit - length).min(length.clamp(CHUNK, STEP));
            bytes.resize(length + step, 0);
            let count = self.read_into(exchange, &mut bytes[length..])?;
            bytes.truncate(length + count);
        }
        Ok(bytes)
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
            let waiting = self.take(rest.len());
            rest[..waiting.len()].copy_from_slice(&waiting);
            filled += waiting.len();
            let rest = &mut room[filled..];
            if rest.is_empty() || !self.more {
                return Ok(filled);
            }
            if rest.len() < CHUNK {
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
        let bytes = self.buffer[self.start..end].to_vec();
        self.start = end;
        if self.start == self.buffer.len() {
            self.buffer = Vec::new();
            self.start = 0;
        }
        bytes
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
                Ok(count)
            }
            Err(error) => {
                self.error = Some(error.clone());
                Err(error)
            }
        }
    }
}
