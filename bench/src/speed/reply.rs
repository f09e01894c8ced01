//! A reply as far as a measurement looks at it: its status and its length.

/// Bytes of a reply that has begun.
#[derive(Debug, Default)]
pub(super) struct Reply {
    /// The head, until it is whole.
    head: Vec<u8>,
    state: State,
    /// Bytes of the body.
    length: u64,
    status: u16,
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
                let seen = Seen { status: self.status, length: self.length };
                self.head.clear();
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
                    self.length += *length;
                    self.state = State::Chunk(*length + 2);
                }
                _ if *is_over => {}
                byte => match char::from(byte).to_digit(16) {
                    Some(digit) => *length = *length * 16 + u64::from(digit),
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

    fn head<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], Unreadable> {
        let before = self.head.len();
        self.head.extend_from_slice(bytes);
        let from = before.saturating_sub(3);
        let Some(end) = self.head[from..].windows(4).position(|four| four == b"\r\n\r\n") else {
            return Ok(&[]);
        };
        let end = from + end + 4;
        let head = str::from_utf8(&self.head[..end]).map_err(|_| Unreadable)?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        self.status = status.ok_or(Unreadable)?;
        let header = |name: &str| {
            head.lines().find_map(|line| {
                let (found, value) = line.split_once(':')?;
                found.eq_ignore_ascii_case(name).then_some(value.trim())
            })
        };
        self.state = match (header("content-length"), header("transfer-encoding")) {
            (Some(length), _) => State::Body(length.parse().map_err(|_| Unreadable)?),
            (None, Some("chunked")) => State::ChunkLength(0, false),
            _ => return Err(Unreadable),
        };
        Ok(&bytes[end - before..])
    }
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
        let seen = |status, length| Ok(Some(Seen { status, length }));
        let text = "HTTP/1.1 200 OK\r\nContent-LENGTH: 5\r\nA: b\r\n\r\nhello";
        assert!(read(text).iter().all(|found| *found == seen(200, 5)));
        let text = "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n";
        assert!(read(text).iter().all(|found| *found == seen(404, 0)));
        let text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                    5\r\nhello\r\n1A;x=1f\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\nT: 1\r\n\r\n";
        assert!(read(text).iter().all(|found| *found == seen(200, 31)));
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
