//! A request being put together.

use std::io::Write as _;
use std::net::SocketAddr;
use std::thread;

use super::{ClientError, Connection, Reply};

/// A request: told what it carries, then sent.
#[derive(Clone, Debug)]
#[must_use = "nothing is sent before `send`"]
pub struct Call {
    address: SocketAddr,
    method: String,
    target: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Body,
    expects_continue: bool,
}

#[derive(Clone, Debug)]
enum Body {
    None,
    Whole(Vec<u8>),
    Chunks(Vec<Vec<u8>>),
}

impl Call {
    /// A request without a body.
    pub fn new(address: SocketAddr, method: &str, target: &str) -> Self {
        Self {
            address,
            method: method.to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
            body: Body::None,
            expects_continue: false,
        }
    }

    /// Adds a header; a `Host` replaces the usual one. The value goes out as it is.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Gives it a body with `Content-Length`.
    pub fn body(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.body = Body::Whole(bytes.into());
        self
    }

    /// Gives it a body in these chunks.
    pub fn chunked<B: AsRef<[u8]>>(mut self, chunks: impl IntoIterator<Item = B>) -> Self {
        let chunks = chunks.into_iter().map(|chunk| chunk.as_ref().to_owned());
        self.body = Body::Chunks(chunks.filter(|chunk| !chunk.is_empty()).collect());
        self
    }

    /// Asks for `100 Continue`, and sends the body only after it.
    pub fn expect_continue(mut self) -> Self {
        self.expects_continue = true;
        self
    }

    /// Sends it on a connection of its own.
    ///
    /// # Panics
    /// When no complete reply comes.
    #[track_caller]
    pub fn send(self) -> Reply {
        let what = format!("{} {}", self.method, self.target);
        self.try_send().unwrap_or_else(|error| panic!("{what}: {error}"))
    }

    /// Sends it on a connection of its own, which ends with the reply.
    ///
    /// # Panics
    /// Never: the thread that sends only sends.
    pub fn try_send(self) -> Result<Reply, ClientError> {
        let mut connection = Connection::open(self.address)?;
        connection.next_has_no_body = self.method == "HEAD";
        connection.send(&self.head("close"))?;
        if self.expects_continue && connection.final_head_is_next()? {
            return connection.reply();
        }
        let body = self.body_on_the_wire();
        let mut sender = connection.writer()?;
        // Sent while the reply is received: an application may answer while it reads.
        thread::scope(|scope| {
            let sending = scope.spawn(move || sender.write_all(&body));
            let reply = connection.reply();
            // A server that has answered need not read the rest.
            connection.shut_down();
            let sent = sending.join().expect("sending does not panic");
            match (reply, sent) {
                (Err(ClientError::NoReply), Err(error)) => Err(ClientError::Send(error)),
                (reply, _) => reply,
            }
        })
    }

    /// Sends it on a connection that stays open, and gives the reply.
    pub fn send_on(self, connection: &mut Connection) -> Result<Reply, ClientError> {
        self.start_on(connection)?;
        connection.reply()
    }

    /// Sends it on a connection of its own and leaves the reply to be read from there.
    pub fn start(self) -> Result<Connection, ClientError> {
        let mut connection = Connection::open(self.address)?;
        self.start_on(&mut connection)?;
        Ok(connection)
    }

    /// Sends it and leaves the reply to be read.
    pub fn start_on(self, connection: &mut Connection) -> Result<(), ClientError> {
        connection.next_has_no_body = self.method == "HEAD";
        connection.send(&self.head("keep-alive"))?;
        if self.expects_continue && connection.final_head_is_next()? {
            return Ok(());
        }
        connection.send(&self.body_on_the_wire())
    }

    fn head(&self, connection: &str) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target).into_bytes();
        let mut add = |name: &str, value: &[u8]| {
            head.extend_from_slice(name.as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value);
            head.extend_from_slice(b"\r\n");
        };
        if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            add("Host", self.address.to_string().as_bytes());
        }
        add("Connection", connection.as_bytes());
        for (name, value) in &self.headers {
            add(name, value);
        }
        match &self.body {
            Body::None => {}
            Body::Whole(bytes) => add("Content-Length", bytes.len().to_string().as_bytes()),
            Body::Chunks(_) => add("Transfer-Encoding", b"chunked"),
        }
        if self.expects_continue {
            add("Expect", b"100-continue");
        }
        head.extend_from_slice(b"\r\n");
        head
    }

    fn body_on_the_wire(&self) -> Vec<u8> {
        match &self.body {
            Body::None => Vec::new(),
            Body::Whole(bytes) => bytes.clone(),
            Body::Chunks(chunks) => {
                let mut bytes = Vec::new();
                for chunk in chunks {
                    bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                    bytes.extend_from_slice(chunk);
                    bytes.extend_from_slice(b"\r\n");
                }
                bytes.extend_from_slice(b"0\r\n\r\n");
                bytes
            }
        }
    }
}
