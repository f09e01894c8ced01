//! A load: clients that number their requests, look at every answer, and keep what became of each.
//!
//! Every other client keeps its connection for some requests, as browsers do; the others use a new
//! one each time. A kept connection may be closed by any server in the moment in which the next
//! request is sent. A client that gets no byte then asks again on a new connection, as RFC 9110
//! allows it for GET.

mod record;

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::client::{Call, ClientError, Connection, Reply};
use crate::httpd::{Httpd, Setup};
use crate::installation;

pub use record::{Answer, Outcome, Record, Served};

/// Clients to be started.
#[derive(Clone, Debug)]
#[must_use = "nothing is asked before `start`"]
pub struct Load {
    address: SocketAddr,
    target: String,
    clients: usize,
    pause: Duration,
    /// The body of every answer; `None` where the application echoes the request's number.
    body: Option<Vec<u8>>,
}

/// Requests of a kept connection.
const PER_CONNECTION: usize = 20;

/// Where the application that counts is mounted, and its script below the `ServerRoot`.
const COUNT: &str = "/count";

/// The script of the application that counts, below the `ServerRoot`.
pub const COUNT_SCRIPT: &str = "app/count.wsgi";

/// Mounts a copy of `count.wsgi`, which belongs to this server and so may be changed.
///
/// # Panics
/// When `tests/apps` cannot be read.
pub fn counting(setup: Setup) -> Setup {
    let path = installation::apps().join("count.wsgi");
    let script =
        fs::read(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    setup
        .file(COUNT_SCRIPT, script)
        .conf(&format!("WSGIScriptAlias {COUNT} {{root}}/{COUNT_SCRIPT}"))
}

impl Load {
    /// Requests to the application that [`counting`] has mounted; `path` is `/` or `/slow`.
    ///
    /// # Panics
    /// When the directory of the script cannot be opened to the users of process groups.
    pub fn of_count(httpd: &Httpd, path: &str) -> Self {
        let directory = httpd.root().join("app");
        fs::set_permissions(&directory, Permissions::from_mode(0o777))
            .unwrap_or_else(|error| panic!("cannot open {}: {error}", directory.display()));
        Self::new(httpd.address(), &format!("{COUNT}{path}"), None)
    }

    /// Requests for something whose content is known, such as a static file.
    pub fn of_content(address: SocketAddr, target: &str, content: impl Into<Vec<u8>>) -> Self {
        Self::new(address, target, Some(content.into()))
    }

    fn new(address: SocketAddr, target: &str, body: Option<Vec<u8>>) -> Self {
        Self { address, target: target.to_owned(), clients: 4, pause: Duration::ZERO, body }
    }

    /// The number of clients, in place of 4.
    pub fn clients(mut self, clients: usize) -> Self {
        self.clients = clients;
        self
    }

    /// How long a client waits after each answer, in place of not at all.
    pub fn pause(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// Starts the clients, each in a thread of its own.
    pub fn start(self) -> Running {
        let (stop, right) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let client = |number: usize| {
            let client = Client {
                load: self.clone(),
                number,
                connection: None,
                used: 0,
                answers: Vec::new(),
                right: Arc::clone(&right),
            };
            let stop = Arc::clone(&stop);
            thread::spawn(move || client.run(&stop))
        };
        let clients = (0..self.clients).map(client).collect();
        Running { clients, stop, right }
    }
}

/// Clients that ask. Dropped, they end after the request that they are at.
#[derive(Debug)]
pub struct Running {
    clients: Vec<JoinHandle<Vec<Answer>>>,
    stop: Arc<AtomicBool>,
    right: Arc<AtomicUsize>,
}

impl Running {
    /// How many right answers there are so far.
    pub fn right(&self) -> usize {
        self.right.load(Ordering::Relaxed)
    }

    /// Ends the clients, and gives what became of each request.
    ///
    /// # Panics
    /// When a client has panicked.
    pub fn finish(mut self) -> Record {
        self.stop.store(true, Ordering::Relaxed);
        let clients = self.clients.drain(..);
        Record::new(clients.flat_map(|client| client.join().expect("a client does not panic")))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

struct Client {
    load: Load,
    number: usize,
    connection: Option<Connection>,
    /// Requests of the connection.
    used: usize,
    answers: Vec<Answer>,
    right: Arc<AtomicUsize>,
}

impl Client {
    fn run(mut self, stop: &AtomicBool) -> Vec<Answer> {
        while !stop.load(Ordering::Relaxed) {
            // The second time on a new connection, and so the last.
            if self.ask() == Outcome::Closed {
                self.ask();
            }
            thread::sleep(self.load.pause);
        }
        self.answers
    }

    fn ask(&mut self) -> Outcome {
        let id = format!("{}-{}", self.number, self.answers.len());
        let begin = Instant::now();
        let was_kept = self.connection.is_some();
        let outcome = self.attempt(&id).unwrap_or_else(|error| fault(&error, was_kept));
        if outcome == Outcome::Right {
            self.right.fetch_add(1, Ordering::Relaxed);
        } else {
            self.connection = None;
        }
        self.answers.push(Answer { id, begin, end: Instant::now(), outcome: outcome.clone() });
        outcome
    }

    fn attempt(&mut self, id: &str) -> Result<Outcome, ClientError> {
        let address = self.load.address;
        let mut connection = if let Some(kept) = self.connection.take() {
            kept
        } else {
            self.used = 0;
            Connection::open(address)?
        };
        let target = format!("{}?{id}", self.load.target);
        let reply = Call::new(address, "GET", &target).send_on(&mut connection)?;
        self.used += 1;
        let closes =
            reply.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        if self.number.is_multiple_of(2) && self.used < PER_CONNECTION && !closes {
            self.connection = Some(connection);
        }
        Ok(judge(&reply, id, self.load.body.as_deref()))
    }
}

fn judge(reply: &Reply, id: &str, content: Option<&[u8]>) -> Outcome {
    let wrong = |what: &str| Outcome::Wrong(format!("{} {what}", reply.status));
    match reply.status {
        200 => {
            let is_right = match content {
                Some(content) => reply.body == content,
                None => reply.body == echo(id),
            };
            if is_right { Outcome::Right } else { wrong(&format!("{} bytes", reply.body.len())) }
        }
        502 => Outcome::Lost,
        503 => Outcome::Refused,
        _ => wrong(&reply.reason),
    }
}

/// The answer of `count.wsgi`.
fn echo(id: &str) -> Vec<u8> {
    let filling = [b'x'; 8192];
    [id.as_bytes(), &filling, id.as_bytes()].concat()
}

fn fault(error: &ClientError, was_kept: bool) -> Outcome {
    let closed = match error {
        ClientError::NoReply => true,
        ClientError::Send(source) | ClientError::Receive { source, .. } => {
            matches!(source.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
        }
        _ => false,
    };
    match error {
        ClientError::Cut { .. } | ClientError::CutHead(_) => Outcome::Cut,
        ClientError::Receive { part: "headers" | "the body" | "a chunk", .. } if closed => {
            Outcome::Cut
        }
        ClientError::Malformed(what) => Outcome::Wrong(format!("not HTTP: {what}")),
        _ if closed && was_kept => Outcome::Closed,
        error => Outcome::Unanswered(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, body: &[u8]) -> Reply {
        Reply { status, body: body.to_owned(), ..Reply::default() }
    }

    #[test]
    fn an_answer_must_be_the_one_to_its_request() {
        let judged = |status, body: &[u8]| judge(&reply(status, body), "3-7", None);
        assert_eq!(judged(200, &echo("3-7")), Outcome::Right);
        assert_eq!(judged(200, &echo("3-8")), Outcome::Wrong("200 8198 bytes".to_owned()));
        assert_eq!(judged(503, b""), Outcome::Refused);
        assert_eq!(judged(502, b""), Outcome::Lost);
        assert_eq!(judge(&reply(200, b"x"), "3-7", Some(b"x")), Outcome::Right);
    }

    #[test]
    fn only_a_kept_connection_may_be_closed_without_an_answer() {
        assert_eq!(fault(&ClientError::NoReply, true), Outcome::Closed);
        let fresh = fault(&ClientError::NoReply, false);
        assert!(matches!(fresh, Outcome::Unanswered(_)), "{fresh:?}");
        let half = ClientError::CutHead("HTTP/1.1 2".to_owned());
        assert_eq!(fault(&half, true), Outcome::Cut);
    }
}
