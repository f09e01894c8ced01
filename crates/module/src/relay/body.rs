//! The body of a request on its way to a worker.

use wsgi::protocol::frame::{self, FrameType, MAX_PAYLOAD};

use crate::request::body::body_fault;

use super::{Relay, RelayError, WorkerConnection};

impl Relay<'_, '_> {
    /// Answers a `WantBody`: with what was read before, as long as there is some.
    pub(super) fn send_body(
        &mut self,
        connection: &WorkerConnection<'_>,
        wanted: usize,
    ) -> Result<(), RelayError> {
        self.body_taken = true;
        let mut piece = vec![0; wanted.min(MAX_PAYLOAD)];
        let mut answer = Vec::new();
        let read = if !self.body.spool.is_empty() {
            Ok(self.body.spool.take(&mut piece).map_err(RelayError::Spool)?)
        } else if !self.body.beyond.is_empty() {
            let count = self.body.beyond.len().min(piece.len());
            piece[..count].copy_from_slice(&self.body.beyond[..count]);
            self.body.beyond.drain(..count);
            Ok(count)
        } else if let Some(fault) = self.body.fault.take() {
            Err(fault)
        } else {
            self.request.read(&mut piece).inspect(|read| self.body.note_read(*read))
        };
        let read = match read {
            Ok(read) => read,
            Err(error) => {
                frame::write(&mut answer, FrameType::BodyFailed, |payload| {
                    body_fault(&error).encode(error.text().as_bytes(), payload);
                });
                return connection.answer(&answer);
            }
        };
        frame::write(&mut answer, FrameType::Body, |payload| {
            payload.extend_from_slice(&piece[..read]);
        });
        connection.answer(&answer)
    }
}
