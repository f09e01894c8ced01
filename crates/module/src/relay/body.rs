//! The body of a request on its way to a worker.

use wsgi::protocol::frame::{self, FrameType};

use crate::request::body::body_fault;

use super::{Relay, RelayError, WorkerConnection};

/// The most that is sent at a time, so that few questions are needed. A stream has room for so
/// much.
const PIECE: usize = 128 * 1024;

impl Relay<'_, '_> {
    /// Answers a `WantBody` with what was read before, as long as there is some, and then with what
    /// the client has sent: it is waited for, but not for more than there is then.
    pub(super) fn send_body(
        &mut self,
        connection: &WorkerConnection<'_>,
        wanted: usize,
    ) -> Result<(), RelayError> {
        self.body_taken = true;
        let wanted = wanted.min(PIECE);
        let mut room = std::mem::take(&mut self.piece);
        if room.len() < wanted {
            room.resize(wanted, 0);
        }
        let piece = &mut room[..wanted];
        let read = if !self.body.spool.is_empty() {
            Ok(self.body.spool.take(piece).map_err(RelayError::Spool)?)
        } else if !self.body.beyond.is_empty() {
            let count = self.body.beyond.len().min(piece.len());
            piece[..count].copy_from_slice(&self.body.beyond[..count]);
            self.body.beyond.drain(..count);
            Ok(count)
        } else if let Some(fault) = self.body.fault.take() {
            Err(fault)
        } else {
            self.request.read_available(piece).inspect(|read| self.body.note_read(*read))
        };
        let sent = match read {
            Ok(count) => connection.answer_with(FrameType::Body, &piece[..count]),
            Err(error) => {
                let mut answer = Vec::new();
                frame::write(&mut answer, FrameType::BodyFailed, |payload| {
                    body_fault(&error).encode(error.text().as_bytes(), payload);
                });
                connection.answer(&answer)
            }
        };
        self.piece = room;
        sent
    }
}
