//! One TCP connection: bytes out, replies in.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use super::{ClientError, Interim, Reply};
use crate::wait::LIMIT;

/// A connection to the server. Kept open until it is dropped.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    /// Received and not yet read.
    buffer: Vec<u8>,
    framing: Framing,
    trailers: Vec<(String, String)>,
    /// Whether the reply that comes next answers a HEAD request, and so has no body.
    pub(super) next_has_no_body: bool,
}

/// How the end of the current body shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Ended,
    Length(u64),
    Chunked,
    UntilClose,
}

impl Connection {
    /// Connects; every later read and write has [`LIMIT`].
    pub fn open(address: SocketAddr) -> Result<Self, ClientError> {
        let stream = TcpStream::connect_timeout(&address, LIMIT).map_err(ClientError::Connect)?;
        let limited = stream
            .set_read_timeout(Some(LIMIT))
            .and_then(|()| stream.set_write_timeout(Some(LIMIT)))
            .and_then(|()| stream.set_nodelay(true));
        limited.map_err(ClientError::Connect)?;
        Ok(Self {
            stream,
            buffer: Vec::new(),
            framing: Framing::Ended,
            trailers: Vec::new(),
            next_has_no_body: false,
        })
    }

    /// Changes the limit for reads.
    ///
    /// # Panics
    /// When it is zero.
    pub fn limit_reads(&self, limit: Duration) {
        self.stream.set_read_timeout(Some(limit)).expect("a limit above zero is always accepted");
    }

    /// Sends the bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), ClientError> {
        self.stream.write_all(bytes).map_err(ClientError::Send)
    }

    /// Tells the server that nothing more will be sent; replies can still be read.
    pub fn end_sending(&self) -> Result<(), ClientError> {
        self.stream.shutdown(Shutdown::Write).map_err(ClientError::Send)
    }

    /// A second handle to send with, while this one receives.
    pub fn writer(&self) -> Result<TcpStream, ClientError> {
        self.stream.try_clone().map_err(ClientError::Send)
    }

    /// Ends both directions, also for [`Connection::writer`].
    pub(super) fn shut_down(&self) {
        // Fails only where the peer was faster.
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    /// The next final reply, whole.
    pub fn reply(&mut self) -> Result<Reply, ClientError> {
        let mut reply = self.head()?;
        loop {
            match self.piece() {
                Ok(Some(piece)) => reply.body.extend(piece),
                Ok(None) => break,
                Err(ClientError::Cut { reply: cut, missing }) => {
                    reply.body.extend(cut.body);
                    return Err(ClientError::Cut { reply: Box::new(reply), missing });
                }
                Err(error) => return Err(error),
            }
        }
        reply.trailers = std::mem::take(&mut self.trailers);
        Ok(reply)
    }

    /// The head of the next final reply, and the interim ones before it; the body stays empty and
    /// comes through [`Connection::piece`].
    pub fn head(&mut self) -> Result<Reply, ClientError> {
        let mut interim = Vec::new();
        loop {
            let head = self.any_head()?;
            if (100..200).contains(&head.status) && head.status != 101 {
                interim.push(Interim { status: head.status, headers: head.headers });
                continue;
            }
            let reply = Reply { interim, ..head };
            self.framing = self.framing_of(&reply)?;
            self.next_has_no_body = false;
            return Ok(reply);
        }
    }

    /// The next head, which must be an interim one.
    pub fn interim(&mut self) -> Result<Interim, ClientError> {
        let Reply { status, headers, .. } = self.any_head()?;
        if (100..200).contains(&status) {
            return Ok(Interim { status, headers });
        }
        Err(ClientError::Malformed(format!("{status} in place of an interim response")))
    }

    /// Whether a final head, and not an interim one, comes next.
    pub(super) fn final_head_is_next(&mut self) -> Result<bool, ClientError> {
        while self.buffer.len() < "HTTP/1.1 1".len() {
            if self.fill("a status line")? == 0 {
                return Err(self.no_head());
            }
        }
        Ok(self.buffer["HTTP/1.1 ".len()] != b'1')
    }

    /// The next piece of the body as it came: a chunk, or what one read gave. `None` at its end.
    ///
    /// A body that ends early is [`ClientError::Cut`] with the bytes of the piece that was cut.
    pub fn piece(&mut self) -> Result<Option<Vec<u8>>, ClientError> {
        match self.framing {
            Framing::Ended => Ok(None),
            Framing::Length(0) => {
                self.end();
                Ok(None)
            }
            Framing::Length(left) => {
                if self.buffer.is_empty() && self.fill_body()? == 0 {
                    return Err(cut(Vec::new(), format!("{left} bytes of content-length")));
                }
                let size = usize::try_from(left)
                    .map_or(self.buffer.len(), |left| left.min(self.buffer.len()));
                self.framing = Framing::Length(left - size as u64);
                Ok(Some(self.buffer.drain(..size).collect()))
            }
            Framing::UntilClose => {
                if self.buffer.is_empty() && self.fill_body()? == 0 {
                    self.end();
                    return Ok(None);
                }
                Ok(Some(std::mem::take(&mut self.buffer)))
            }
            Framing::Chunked => self.chunk(),
        }
    }

    /// Waits until the server has closed the connection; fails if it sends something instead.
    pub fn closed(&mut self) -> Result<(), ClientError> {
        if self.buffer.is_empty() {
            match self.fill("the end of the connection") {
                Ok(0) => return Ok(()),
                Err(ClientError::Receive { source, .. })
                    if source.kind() == io::ErrorKind::ConnectionReset =>
                {
                    return Ok(());
                }
                Err(error) => return Err(error),
                Ok(_) => {}
            }
        }
        Err(ClientError::Malformed(format!("{:?} in place of the end", lossy(&self.buffer))))
    }

    fn any_head(&mut self) -> Result<Reply, ClientError> {
        let line = self.line("a status line")?.ok_or_else(|| self.no_head())?;
        let (status, reason) = status_line(&line)?;
        Ok(Reply { status, reason, headers: self.headers()?, ..Reply::default() })
    }

    fn headers(&mut self) -> Result<Vec<(String, String)>, ClientError> {
        let mut headers = Vec::new();
        loop {
            let line = self.line("headers")?.ok_or_else(|| self.no_head())?;
            if line.is_empty() {
                return Ok(headers);
            }
            let (name, value) =
                line.split_once(':').ok_or_else(|| ClientError::Malformed(line.clone()))?;
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
    }

    fn framing_of(&self, reply: &Reply) -> Result<Framing, ClientError> {
        if self.next_has_no_body || matches!(reply.status, 101 | 204 | 304) {
            return Ok(Framing::Ended);
        }
        if let Some(coding) = reply.header("transfer-encoding") {
            if coding.eq_ignore_ascii_case("chunked") {
                return Ok(Framing::Chunked);
            }
            return Err(ClientError::Malformed(format!("transfer-encoding {coding}")));
        }
        match reply.header("content-length") {
            Some(length) => {
                let malformed = || ClientError::Malformed(format!("content-length {length}"));
                length.parse().map(Framing::Length).map_err(|_| malformed())
            }
            None => Ok(Framing::UntilClose),
        }
    }

    fn chunk(&mut self) -> Result<Option<Vec<u8>>, ClientError> {
        let Some(line) = self.line("a chunk")? else {
            return Err(cut(Vec::new(), "the last chunk".to_owned()));
        };
        let digits = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(digits, 16)
            .map_err(|_| ClientError::Malformed(format!("chunk size {line:?}")))?;
        if size == 0 {
            self.trailers = self.headers()?;
            self.end();
            return Ok(None);
        }
        while self.buffer.len() < size + 2 {
            if self.fill_body()? == 0 {
                let came = self.buffer.len().min(size);
                let missing = format!("{} of {size} bytes of a chunk", size - came);
                return Err(cut(self.buffer.drain(..came).collect(), missing));
            }
        }
        let data = self.buffer.drain(..size).collect();
        let end: Vec<u8> = self.buffer.drain(..2).collect();
        if end != b"\r\n" {
            return Err(ClientError::Malformed(format!("{:?} after a chunk", lossy(&end))));
        }
        Ok(Some(data))
    }

    fn end(&mut self) {
        self.framing = Framing::Ended;
    }

    /// A line without its end; `None` if the connection was closed before it was complete.
    fn line(&mut self, part: &'static str) -> Result<Option<String>, ClientError> {
        loop {
            if let Some(end) = self.buffer.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Ok(Some(lossy(&line).trim_end_matches(['\r', '\n']).to_owned()));
            }
            if self.fill(part)? == 0 {
                return Ok(None);
            }
        }
    }

    fn no_head(&self) -> ClientError {
        match self.buffer.as_slice() {
            [] => ClientError::NoReply,
            some => ClientError::CutHead(lossy(some)),
        }
    }

    /// Like [`Connection::fill`], but a reset counts as the end: the body is cut either way.
    fn fill_body(&mut self) -> Result<usize, ClientError> {
        match self.fill("the body") {
            Err(ClientError::Receive { source, .. })
                if source.kind() == io::ErrorKind::ConnectionReset
                    && self.framing != Framing::UntilClose =>
            {
                Ok(0)
            }
            outcome => outcome,
        }
    }

    /// Receives something; zero bytes at the end of the connection.
    fn fill(&mut self, part: &'static str) -> Result<usize, ClientError> {
        let mut bytes = [0; 16 * 1024];
        let size = loop {
            match self.stream.read(&mut bytes) {
                Ok(size) => break size,
                // The kernel says so of sockets with a time limit when the process was stopped and
                // goes on, though it has no handler.
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(source) => return Err(ClientError::Receive { part, source }),
            }
        };
        self.buffer.extend_from_slice(&bytes[..size]);
        Ok(size)
    }
}

fn status_line(line: &str) -> Result<(u16, String), ClientError> {
    let parsed = line.strip_prefix("HTTP/1.").and_then(|rest| {
        let (_minor, rest) = rest.split_once(' ')?;
        let (status, reason) = rest.split_once(' ').unwrap_or((rest, ""));
        Some((status.parse().ok()?, reason.to_owned()))
    });
    parsed.ok_or_else(|| ClientError::Malformed(line.to_owned()))
}

fn cut(body: Vec<u8>, missing: String) -> ClientError {
    ClientError::Cut { reply: Box::new(Reply { body, ..Reply::default() }), missing }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// A connection whose server says this, whatever it is asked, and closes.
    fn hears(text: &'static str) -> Connection {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            listener.accept().unwrap().0.write_all(text.as_bytes()).unwrap();
        });
        let connection = Connection::open(address).unwrap();
        server.join().unwrap();
        connection
    }

    #[test]
    fn chunks_trailers_and_interim_responses_are_kept() {
        let text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\
                    Transfer-Encoding: chunked\r\n\r\n\
                    2\r\nab\r\n1\r\nc\r\n0\r\nX-T: 1\r\n\r\n";
        let reply = hears(text).reply().unwrap();
        assert_eq!((reply.status, reply.text()), (200, "abc".to_owned()));
        assert_eq!(reply.interim[0].status, 100);
        assert_eq!(reply.trailers, [("X-T".to_owned(), "1".to_owned())]);
    }

    #[test]
    fn pieces_are_the_chunks_as_sent() {
        let text =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
        let mut connection = hears(text);
        connection.head().unwrap();
        assert_eq!(connection.piece().unwrap().unwrap(), b"ab");
        assert_eq!(connection.piece().unwrap().unwrap(), b"c");
        assert_eq!(connection.piece().unwrap(), None);
        connection.closed().unwrap();
    }

    #[test]
    fn a_missing_last_chunk_is_a_cut() {
        let text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n";
        let error = hears(text).reply().unwrap_err();
        let ClientError::Cut { reply, missing } = error else { panic!("{error:?}") };
        assert_eq!((reply.text(), missing.as_str()), ("ab".to_owned(), "the last chunk"));
    }

    #[test]
    fn a_short_body_is_a_cut() {
        let error = hears("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc").reply().unwrap_err();
        let ClientError::Cut { reply, missing } = error else { panic!("{error:?}") };
        assert_eq!(
            (reply.text(), missing.as_str()),
            ("abc".to_owned(), "2 bytes of content-length")
        );
    }

    #[test]
    fn a_short_chunk_is_a_cut() {
        let text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab";
        let error = hears(text).reply().unwrap_err();
        let ClientError::Cut { reply, missing } = error else { panic!("{error:?}") };
        assert_eq!((reply.text(), missing.as_str()), ("ab".to_owned(), "3 of 5 bytes of a chunk"));
    }

    #[test]
    fn silence_and_half_a_head_are_told_apart() {
        assert!(matches!(hears("").reply(), Err(ClientError::NoReply)));
        assert!(matches!(hears("HTTP/1.1 200 O").reply(), Err(ClientError::CutHead(_))));
    }

    #[test]
    fn a_body_without_length_ends_with_the_connection() {
        assert_eq!(hears("HTTP/1.1 200 OK\r\n\r\nabc").reply().unwrap().text(), "abc");
    }
}
