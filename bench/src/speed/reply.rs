//! A reply as far as a measurement looks at it: its status and its length.

use std::mem;

/// Bytes of a reply that has begun.
#[derive(Debug, Default)]
pub(super) struct Reply {
    /// The head, while it is not whole.
    head: Vec<u8>,
    state: State,
    /// Bytes of the body.
    length: u64,
    status: u16,
    closes: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Head,
    /// So many bytes of the body are to come.
    Body(u64),
    /// The length of a chunk; what was read of it, and whether its digits are over.
    ChunkLength(u64, bool),
    /// So many bytes of a chunk and its end of line are to come.
    Chunk(u64),
    /// Behind the last chunk: characters since the last end of line.
    Trailer(u32),
}

/// A whole reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) status: u16,
    /// Bytes of its body.
    pub(super) length: u64,
    /// Whether the server closes the connection behind it.
    pub(super) closes: bool,
}

/// It is no HTTP, or ends with the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

impl Reply {
    /// Takes bytes that have come; gives the reply once it is whole. Nothing may follow it.
    pub(super) fn take(&mut self, mut bytes: &[u8]) -> Result<Option<Seen>, Unreadable> {
        while !bytes.is_empty() {
            bytes = self.step(bytes)?;
            if self.is_whole() {
                let &mut Self { status, length, closes, .. } = self;
                let seen = Seen { status, length, closes };
                (self.state, self.length) = (State::Head, 0);
                return if bytes.is_empty() { Ok(Some(seen)) } else { Err(Unreadable) };
            }
        }
        Ok(None)
    }

    /// Whether nothing of it has come.
    pub(super) fn is_empty(&self) -> bool {
        self.state == State::Head && self.head.is_empty()
    }

    fn is_whole(&self) -> bool {
        self.state == State::Body(0)
    }

    /// Takes some of the bytes; gives the others.
    fn step<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], Unreadable> {
        let skip = |left: u64| usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        match &mut self.state {
            State::Head => return self.head(bytes),
            State::Body(left) => {
                let count = skip(*left);
                *left -= count as u64;
                self.length += count as u64;
                return Ok(&bytes[count..]);
            }
            State::Chunk(left) => {
                let count = skip(*left);
                *left -= count as u64;
                if *left == 0 {
                    self.state = State::ChunkLength(0, false);
                }
                return Ok(&bytes[count..]);
            }
            State::ChunkLength(length, is_over) => match bytes[0] {
                b'\n' if *length == 0 => self.state = State::Trailer(0),
                b'\n' => {
                    self.length = self.length.saturating_add(*length);
                    self.state = State::Chunk(length.saturating_add(2));
                }
                _ if *is_over => {}
                byte => match char::from(byte).to_digit(16) {
                    Some(digit) => *length = length.saturating_mul(16).saturating_add(digit.into()),
                    None => *is_over = true,
                },
            },
            State::Trailer(characters) => match bytes[0] {
                b'\n' if *characters == 0 => self.state = State::Body(0),
                b'\n' => *characters = 0,
                b'\r' => {}
                _ => *characters += 1,
            },
        }
        Ok(&bytes[1..])
    }

    /// A head that comes whole, as most do, is not copied.
    fn head<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], Unreadable> {
        if self.head.is_empty()
            && let Some(end) = end_of_head(bytes)
        {
            self.read_head(&bytes[..end])?;
            return Ok(&bytes[end..]);
        }
        let before = self.head.len();
        self.head.extend_from_slice(bytes);
        let from = before.saturating_sub(3);
        let Some(end) = end_of_head(&self.head[from..]) else { return Ok(&[]) };
        let mut head = mem::take(&mut self.head);
        self.read_head(&head[..from + end])?;
        head.clear();
        self.head = head;
        Ok(&bytes[from + end - before..])
    }

    fn read_head(&mut self, head: &[u8]) -> Result<(), Unreadable> {
        let head = str::from_utf8(head).map_err(|_| Unreadable)?;
        let mut lines = head.split("\r\n");
        let first = lines.next().unwrap_or_default();
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
        self.status = status.ok_or(Unreadable)?;
        let (mut length, mut is_chunked) = (None, false);
        self.closes = false;
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            let value = value.trim();
            if name.eq_ignore_ascii_case("content-length") {
                length = Some(value.parse().map_err(|_| Unreadable)?);
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                is_chunked = value.eq_ignore_ascii_case("chunked");
            } else if name.eq_ignore_ascii_case("connection") {
                self.closes = value.eq_ignore_ascii_case("close");
            }
        }
        self.state = match (length, is_chunked) {
            (Some(length), false) => State::Body(length),
            (None, true) => State::ChunkLength(0, false),
            _ => return Err(Unreadable),
        };
        Ok(())
    }
}

/// Where the body begins.
fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The reply in pieces of each length.
    fn read(text: &str) -> Vec<Result<Option<Seen>, Unreadable>> {
        (1..=text.len())
            .map(|size| {
                let mut reply = Reply::default();
                text.as_bytes()
                    .chunks(size)
                    .map(|piece| reply.take(piece))
                    .find(|taken| *taken != Ok(None))
                    .unwrap_or(Ok(None))
            })
            .collect()
    }

    #[test]
    fn replies_are_read_in_any_pieces() {
        let seen = |status, length| Ok(Some(Seen { status, length, closes: false }));
        let text = "HTTP/1.1 200 OK\r\nContent-LENGTH: 5\r\nA: b\r\n\r\nhello";
        assert!(read(text).iter().all(|found| *found == seen(200, 5)));
        let text = "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n";
        assert!(read(text).iter().all(|found| *found == seen(404, 0)));
        let text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                    5\r\nhello\r\n1A;x=1f\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\nT: 1\r\n\r\n";
        assert!(read(text).iter().all(|found| *found == seen(200, 31)));
    }

    #[test]
    fn replies_follow_each_other_and_may_be_the_last() {
        let mut reply = Reply::default();
        let text = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nab";
        for _ in 0..2 {
            assert_eq!(reply.take(&text[..30]), Ok(None));
            let seen = reply.take(&text[30..]).unwrap().unwrap();
            assert!(seen == Seen { status: 200, length: 2, closes: true });
        }
        assert_eq!(reply.take(b"HTTP/1.1 204 No\r\nContent-Length: 0\r\n\r"), Ok(None));
        let seen = reply.take(b"\n").unwrap().unwrap();
        assert!(seen == Seen { status: 204, length: 0, closes: false });
    }

    #[test]
    fn what_has_no_end_is_refused() {
        let refused = |text| read(text).contains(&Err(Unreadable));
        assert!(refused("HTTP/1.1 200 OK\r\nA: b\r\n\r\nhello"));
        assert!(refused("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab"));
        assert!(refused("nonsense\r\n\r\n"));
        assert!(!refused("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab"));
    }
}
