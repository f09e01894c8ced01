//! The response: how far it has come, and what may go out when.

use std::time::Instant;

use python::{Attached, Error, Exception};
use wsgi::protocol::response::{ResponseStatus, content_length, trimmed};

use crate::exchange::Gone;
use crate::request::lease::Live;

/// How far the response has come.
#[derive(Debug, Default)]
pub(crate) struct Response {
    pub(crate) head: Option<Head>,
    /// The head has gone out.
    pub(crate) sent: bool,
    /// The client, or the Apache child between it and the engine, takes no more of the response.
    pub(crate) gone: bool,
    /// Bytes that the application's Content-Length still allows.
    left: Option<u64>,
    /// Bytes beyond the Content-Length that were dropped.
    pub(crate) dropped: u64,
    /// The whole response, or its last part, which leaves when the request ends.
    held: Option<Vec<u8>>,
}

/// Up to so many bytes of a response are held until the request ends. More are sent at once, so
/// that the client has them while the application goes on.
const MOST_HELD: usize = 16 << 10;

/// The arguments of `start_response`.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: ResponseStatus,
    pub(crate) headers: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Why nothing could be sent.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum ResponseError {
    #[error("the application has not called start_response() before its first output")]
    NotStarted,
    #[error("the value of the Content-Length header must be digits only: {0:?}")]
    Length(String),
    #[error("response data write error: {0}")]
    Gone(#[from] Gone),
}

impl ResponseError {
    pub(crate) fn raise(self, py: Attached<'_>) -> Error<'_> {
        let class = match self {
            Self::NotStarted => Exception::RuntimeError,
            Self::Length(_) => Exception::ValueError,
            Self::Gone(_) => Exception::OsError,
        };
        Error::new(py, class, &self.to_string())
    }
}

impl Response {
    /// The length that the application has given. Its header holds no blanks afterwards.
    fn length_header(&mut self) -> std::result::Result<Option<u64>, ResponseError> {
        let headers = &mut self.head.as_mut().ok_or(ResponseError::NotStarted)?.headers;
        let is_length = |name: &[u8]| name.eq_ignore_ascii_case(b"content-length");
        let given = headers.iter_mut().rfind(|(name, _)| is_length(name));
        let Some((_, value)) = given else { return Ok(None) };
        let wrong = || ResponseError::Length(String::from_utf8_lossy(value).into_owned());
        let length = content_length(value).ok_or_else(wrong)?;
        *value = trimmed(value).to_vec();
        Ok(Some(length))
    }

    /// How many of so many bytes may go out. The others are counted as dropped.
    fn allow(&mut self, length: usize) -> usize {
        let Some(left) = &mut self.left else { return length };
        let allowed = usize::try_from(*left).unwrap_or(usize::MAX).min(length);
        self.dropped += (length - allowed) as u64;
        *left -= allowed as u64;
        allowed
    }

    /// The status code that the application has given last.
    pub(crate) fn status(&self) -> Option<u16> {
        self.head.as_ref().map(|head| head.status.code)
    }

    /// Bytes that the application has promised and not sent.
    pub(crate) fn missing(&self) -> u64 {
        self.left.unwrap_or(0)
    }
}

impl Live {
    /// Sends the head if it has not gone out yet.
    pub(crate) fn send_head(&mut self) -> std::result::Result<(), ResponseError> {
        if self.response.gone {
            return Err(Gone.into());
        }
        if !self.response.sent {
            if self.response.left.is_none() {
                self.response.left = self.response.length_header()?;
            }
            let head = self.response.head.as_ref().ok_or(ResponseError::NotStarted)?;
            let result = self.exchange.head(&head.status, &head.headers);
            self.note(result)?;
            self.response.sent = true;
        }
        Ok(())
    }

    /// Holds a piece of a response that the application has finished, and all of which it has given
    /// at once: it leaves with the end of the request. False if the piece has to be sent, because
    /// it is too long for that, or because the request is metered. Never blocks.
    pub(crate) fn hold(&mut self, bytes: &[u8]) -> std::result::Result<bool, ResponseError> {
        if self.response.gone {
            return Err(Gone.into());
        }
        let length = self.response.held.as_ref().map_or(0, Vec::len);
        if length + bytes.len() > MOST_HELD || self.meter.is_some() {
            return Ok(false);
        }
        if self.response.held.is_none() && !self.response.sent {
            self.response.left = self.response.length_header()?;
        }
        let allowed = self.response.allow(bytes.len());
        self.response.held.get_or_insert_default().extend_from_slice(&bytes[..allowed]);
        Ok(true)
    }

    /// Sends what was held, when nothing more comes. The thread is not attached.
    pub(crate) fn send_held(&mut self) {
        let Some(held) = self.response.held.take() else { return };
        if self.send_head().is_ok() && !held.is_empty() {
            let result = self.exchange.last_data(&held);
            // If the client is gone, it does not matter any more.
            let _ = self.note(result);
        }
    }

    /// Forgets what was held: the rest of it will not come.
    pub(crate) fn forget_held(&mut self) {
        self.response.held = None;
    }

    /// Sends what was held, when more comes.
    fn release_held(&mut self) -> std::result::Result<(), ResponseError> {
        let Some(held) = self.response.held.take() else { return Ok(()) };
        self.send_head()?;
        let result = if held.is_empty() { Ok(()) } else { self.exchange.data(&held) };
        self.note(result)
    }

    /// Sends a piece of the body, as much of it as the Content-Length allows.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> std::result::Result<(), ResponseError> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.metered(bytes.len(), |live| live.send_allowed(bytes))
    }

    fn send_allowed(&mut self, bytes: &[u8]) -> std::result::Result<(), ResponseError> {
        self.release_held()?;
        self.send_head()?;
        let bytes = &bytes[..self.response.allow(bytes.len())];
        if bytes.is_empty() {
            return Ok(());
        }
        let result = self.exchange.data(bytes);
        self.note(result)
    }

    /// Sends a file from `offset` to `size`, or as much as the Content-Length says.
    pub(crate) fn send_file(
        &mut self,
        file: &std::fs::File,
        offset: u64,
        size: u64,
    ) -> std::result::Result<(), ResponseError> {
        use std::os::fd::AsFd;
        let rest = size.saturating_sub(offset);
        let length = match self.response.length_header()? {
            Some(given) => given.min(rest),
            None => rest,
        };
        if let Some(head) = &mut self.response.head
            && !head.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(b"content-length"))
        {
            let value = rest.to_string().into_bytes();
            head.headers.push((b"Content-Length".to_vec(), value));
        }
        self.send_head()?;
        if let Some(left) = &mut self.response.left {
            *left -= length;
        }
        if length == 0 {
            return Ok(());
        }
        let result = self.metered(usize::try_from(length).unwrap_or(usize::MAX), |live| {
            live.exchange.file(file.as_fd(), offset, length)
        });
        self.note(result)
    }

    /// Does something with `offered` bytes of the body, and notes it if the request is metered.
    fn metered<R>(&mut self, offered: usize, work: impl FnOnce(&mut Self) -> R) -> R {
        let began = self.meter.is_some().then(Instant::now);
        let result = work(self);
        if let (Some(meter), Some(began)) = (&mut self.meter, began) {
            meter.output.add(offered, began.elapsed());
        }
        result
    }

    fn note(
        &mut self,
        result: std::result::Result<(), Gone>,
    ) -> std::result::Result<(), ResponseError> {
        self.response.gone |= result.is_err();
        result.map_err(ResponseError::from)
    }
}
