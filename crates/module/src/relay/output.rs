//! The response on its way to the client. The part that the client does not take at once waits in a
//! [`Spool`], so that a slow client keeps no worker until `response-buffer-size` is reached.

use std::time::{Duration, Instant};

use httpd::{Flush, Request, SendError};

use crate::request::spool::Spool;

/// So much is passed on to httpd without a look at whether the client takes it. httpd waits for the
/// client when it holds 64 KiB, with head and chunk lengths.
const WINDOW: usize = 63 * 1024;
/// The most that is taken from the spool at once while the worker may send more.
const PIECE: usize = 16 * 1024;

/// The way to the client.
#[derive(Debug, Default)]
pub(super) struct Output {
    /// The part that the client has not taken.
    spool: Spool,
    /// Bytes that were passed on to httpd since it was known to hold none.
    unchecked: usize,
    /// Something was passed on to httpd.
    passed: bool,
    /// Something was passed on that filters may still hold.
    unflushed: bool,
    /// Since when the client has taken nothing although something waits for it.
    blocked: Option<Instant>,
}

/// The state of the client while the worker has nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Client {
    /// It has taken something.
    Takes,
    /// It may take something when its socket can be written to, which may last so long.
    Waits(Duration),
}

impl Output {
    /// Whether the client may have seen something.
    pub(super) fn is_begun(&self) -> bool {
        self.passed
    }

    /// Whether something waits that could be passed on, or made to leave.
    pub(super) fn has_more(&self) -> bool {
        self.unflushed || !self.spool.is_empty()
    }

    /// Passes a piece on as far as the client takes it, and keeps the rest. If more than `most`
    /// bytes would be kept, the client is waited for.
    pub(super) fn send(
        &mut self,
        request: &mut Request<'_>,
        mut piece: &[u8],
        most: u64,
    ) -> Result<(), SendError> {
        while !piece.is_empty() && self.spool.is_empty() {
            let room = self.room(request);
            if room == 0 {
                break;
            }
            let (now, later) = piece.split_at(piece.len().min(room));
            self.pass(request, now)?;
            piece = later;
        }
        let fits = self.spool.len().saturating_add(piece.len() as u64) <= most;
        if piece.is_empty() || (fits && self.spool.push(piece).is_ok()) {
            return Ok(());
        }
        self.drain(request)?;
        self.pass(request, piece)
    }

    /// How much httpd takes now without waiting for the client.
    fn room(&mut self, request: &mut Request<'_>) -> usize {
        if self.unchecked < WINDOW {
            // Where nothing is known of the client it is not passed anything while the worker has
            // more.
            let known = request.has_pending_output().is_some();
            return if known { WINDOW - self.unchecked } else { 0 };
        }
        if request.has_pending_output() == Some(true) && request.push_output().is_err() {
            // The attempt to pass something on reports it.
            return WINDOW;
        }
        if request.has_pending_output() != Some(false) {
            return 0;
        }
        (self.unchecked, self.blocked) = (0, None);
        WINDOW
    }

    /// Takes from what waits. If it cannot be read again, the client must not take the rest for the
    /// whole.
    fn take(&mut self, request: &mut Request<'_>, room: &mut [u8]) -> Result<usize, SendError> {
        self.spool.take(room).map_err(|_| give_up(request))
    }

    /// Passes bytes on to httpd.
    fn pass(&mut self, request: &mut Request<'_>, piece: &[u8]) -> Result<(), SendError> {
        self.unchecked = self.unchecked.saturating_add(piece.len());
        self.note_passed();
        request.send(piece, Flush::Later)
    }

    /// Notes that something else was passed on to httpd.
    pub(super) fn note_passed(&mut self) {
        (self.passed, self.unflushed) = (true, true);
    }

    /// Passes a piece of what waits on; false if nothing waits, or the client takes nothing now.
    fn pass_some(&mut self, request: &mut Request<'_>) -> Result<bool, SendError> {
        if self.spool.is_empty() {
            return Ok(false);
        }
        let room = match request.has_pending_output() {
            None => WINDOW,
            Some(_) => self.room(request),
        };
        if room == 0 {
            return Ok(false);
        }
        // Not on the stack: each thread of a child would keep its pages.
        let mut piece = vec![0; room.min(PIECE)];
        let count = self.take(request, &mut piece)?;
        self.pass(request, &piece[..count])?;
        Ok(true)
    }

    /// Passes on what the client takes without being waited for.
    pub(super) fn pass_what_is_taken(
        &mut self,
        request: &mut Request<'_>,
    ) -> Result<(), SendError> {
        if request.has_pending_output().is_none() {
            self.drain(request)?;
            return self.flush(request);
        }
        while self.pass_some(request)? {}
        if self.spool.is_empty() && Self::client_has_all(request)? {
            self.flush(request)?;
        }
        Ok(())
    }

    /// Passes everything on that waits, however long the client takes.
    pub(super) fn drain(&mut self, request: &mut Request<'_>) -> Result<(), SendError> {
        let mut piece = vec![0; if self.spool.is_empty() { 0 } else { WINDOW }];
        while !self.spool.is_empty() {
            let count = self.take(request, &mut piece)?;
            self.pass(request, &piece[..count])?;
        }
        Ok(())
    }

    /// Has filters pass on what they hold.
    pub(super) fn flush(&mut self, request: &mut Request<'_>) -> Result<(), SendError> {
        if std::mem::take(&mut self.unflushed) { request.flush() } else { Ok(()) }
    }

    /// Whether httpd holds nothing for the client, after one more attempt to send it.
    fn client_has_all(request: &mut Request<'_>) -> Result<bool, SendError> {
        if request.has_pending_output() == Some(true) {
            request.push_output()?;
        }
        Ok(request.has_pending_output() != Some(true))
    }

    /// Passes something on while the worker has nothing. A client that has taken nothing for
    /// `limit` is given up.
    pub(super) fn serve_client(
        &mut self,
        request: &mut Request<'_>,
        limit: Duration,
    ) -> Result<Client, SendError> {
        if self.pass_some(request)? {
            self.blocked = None;
            return Ok(Client::Takes);
        }
        if Self::client_has_all(request)? {
            self.flush(request)?;
            return Ok(Client::Takes);
        }
        let now = Instant::now();
        let left = limit.saturating_sub(now - *self.blocked.get_or_insert(now));
        if left.is_zero() { Err(give_up(request)) } else { Ok(Client::Waits(left)) }
    }

    /// Notes that the client's socket can be written to.
    pub(super) fn note_client(&mut self) {
        self.blocked = None;
    }
}

/// Ends the client's connection.
fn give_up(request: &mut Request<'_>) -> SendError {
    request.abort_connection();
    SendError
}
