//! The body of a request, as far as it is read before a worker is asked for.

use std::time::{Duration, Instant};

use httpd::{ReadError, Request};
use wsgi::protocol::frame::BodyFault;
use wsgi::protocol::request::{BodyRest, MAX_BODY_BEHIND};

use crate::request::spool::Spool;

/// A longer body is read in pieces of so many bytes.
const PIECE: usize = 64 * 1024;

/// A client that will have sent the rest of its body so soon does not keep a worker for long.
const SOON: Duration = Duration::from_millis(100);

/// A body up to this length travels with the request; one byte more may come out of a filter.
const SMALL_BODY: usize = MAX_BODY_BEHIND as usize - 1;

/// A body up to this length travels in the request's head, which saves the worker a call.
const TINY_BODY: usize = 1024;

/// The part of a body that was read before a worker is asked for, and the error met then.
#[derive(Debug, Default)]
pub(crate) struct BodyRead {
    /// The body's beginning, if it is short.
    pub(crate) first: Vec<u8>,
    /// Beyond that.
    pub(crate) spool: Spool,
    /// The bytes that came behind that and found no room there, as on a full disk.
    pub(crate) beyond: Vec<u8>,
    /// Met by the application when it has read what there is.
    pub(crate) fault: Option<ReadError>,
    /// How much httpd has still to read, in bytes; `u64::MAX` where that is not known.
    pub(crate) left: u64,
}

impl BodyRead {
    /// The part of the beginning that travels in the head, and the part that travels behind it.
    pub(crate) fn first_parts(&self) -> (&[u8], &[u8]) {
        self.first.split_at(if self.first.len() <= TINY_BODY { self.first.len() } else { 0 })
    }

    /// Whether the client may not have sent all of the body yet.
    pub(crate) fn may_go_on(&self) -> bool {
        self.left > 0
    }

    /// So many bytes were read from httpd; 0 is the end.
    pub(crate) fn note_read(&mut self, count: usize) {
        self.left = if count == 0 { 0 } else { self.left.saturating_sub(count as u64) };
    }
}

/// Whether the request announces a body.
pub(crate) fn has_body(request: &Request<'_>) -> bool {
    let headers = request.headers_in();
    headers.get(c"Transfer-Encoding").is_some()
        || headers.get(c"Content-Length").is_some_and(|length| length != b"0")
}

/// Reads a body before a worker is asked for: a short one whole, a longer one into a spool.
pub(crate) fn first_of_body(request: &mut Request<'_>, buffer: u64) -> (BodyRest, BodyRead) {
    let headers = request.headers_in();
    let length = headers.get(c"Content-Length").and_then(wsgi::protocol::response::content_length);
    let chunked = headers.get(c"Transfer-Encoding").is_some();
    // The client's question whether to send the body at all is the application's to answer.
    let asks_first = headers.get(c"Expect").is_some();
    let length = match length {
        _ if chunked || asks_first => {
            let read = BodyRead { left: u64::MAX, ..BodyRead::default() };
            return (BodyRest::Pull, read);
        }
        None | Some(0) => return (BodyRest::None, BodyRead::default()),
        Some(length) => length,
    };
    match usize::try_from(length) {
        Ok(length) if length <= SMALL_BODY => short_body(request, length),
        _ => {
            let mut read = long_body(request, length, length.min(buffer));
            read.left = length.saturating_sub(read.spool.len() + read.beyond.len() as u64);
            (BodyRest::Pull, read)
        }
    }
}

/// Reads a body of `length` bytes.
fn short_body(request: &mut Request<'_>, length: usize) -> (BodyRest, BodyRead) {
    // A filter may make more of it than the client has sent; usually the last byte meets the end.
    let mut body = vec![0; length + 1];
    let (mut filled, mut read) = (0, BodyRead::default());
    let rest = loop {
        match request.read(&mut body[filled..]) {
            Ok(0) => break BodyRest::None,
            Ok(count) if filled + count > length => {
                filled += count;
                break BodyRest::Pull;
            }
            Ok(count) => filled += count,
            Err(fault) => {
                read.fault = Some(fault);
                break BodyRest::Pull;
            }
        }
    };
    body.truncate(filled);
    read.first = body;
    (rest, read)
}

/// Of a body of `length` bytes reads up to `most`, as long as there is room for them. A client that
/// will soon have sent all is not waited for any longer.
fn long_body(request: &mut Request<'_>, length: u64, most: u64) -> BodyRead {
    let mut read = BodyRead::default();
    if most == 0 {
        return read;
    }
    // Not on the stack: each thread of a child would keep its pages.
    let mut piece = vec![0; PIECE];
    let began = Instant::now();
    while read.spool.len() < most {
        let got = read.spool.len();
        if got >= PIECE as u64 && rest_will_take(began.elapsed(), got, length - got) < SOON {
            break;
        }
        let left = usize::try_from(most - got).unwrap_or(usize::MAX);
        let room = left.min(piece.len());
        match request.read_available(&mut piece[..room]) {
            Ok(0) => break,
            Ok(count) => {
                if read.spool.push(&piece[..count]).is_err() {
                    // No more is read ahead: a worker takes what follows as it comes.
                    read.beyond.extend_from_slice(&piece[..count]);
                    break;
                }
            }
            Err(fault) => {
                read.fault = Some(fault);
                break;
            }
        }
    }
    read
}

/// How long the rest of a body will take, if it comes as fast as the part before it.
fn rest_will_take(took: Duration, got: u64, left: u64) -> Duration {
    let nanoseconds = took.as_nanos().saturating_mul(left.into()) / u128::from(got.max(1));
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
}

/// The fault in the terms of the frames.
pub(crate) fn body_fault(error: &ReadError) -> BodyFault {
    match error {
        ReadError::Gone(_) => BodyFault::Gone,
        ReadError::Timeout(_) => BodyFault::Timeout,
        ReadError::TooLarge(_) => BodyFault::TooLarge,
        ReadError::Broken(_) => BodyFault::Broken,
    }
}
