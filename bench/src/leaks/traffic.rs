//! Kinds of requests, and clients that send them.

use std::fs::File;
use std::net::Shutdown;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum;
use testkit::{Call, ClientError, Connection, Httpd};

/// The script below the `ServerRoot`.
pub(super) const SCRIPT: &str = "app/leaks.wsgi";

/// The requests of the clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Traffic {
    /// Short answers.
    Plain,
    /// Answers by `wsgi.file_wrapper`.
    Files,
    /// Exceptions before and after the first piece.
    Exceptions,
    /// Clients that close in the middle of an answer.
    Aborted,
    /// Bodies of 40 KB.
    Uploads,
    /// A script that changes after every fiftieth request.
    Reloads,
    /// An access hook before each answer.
    Hooks,
}

/// Clients at a time.
const CLIENTS: usize = 3;

/// Requests between two changes of the script.
const UNCHANGED: u32 = 50;

/// Bytes of an upload.
const BODY: usize = 40_000;

impl Traffic {
    /// All of them, in the order in which they are measured.
    pub(super) const ALL: [Self; 7] = [
        Self::Plain,
        Self::Files,
        Self::Exceptions,
        Self::Aborted,
        Self::Uploads,
        Self::Reloads,
        Self::Hooks,
    ];

    /// For people.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Files => "files",
            Self::Exceptions => "exceptions",
            Self::Aborted => "aborted",
            Self::Uploads => "uploads",
            Self::Reloads => "reloads",
            Self::Hooks => "hooks",
        }
    }

    /// Lines of the configuration that it needs.
    pub(super) fn lines(self) -> &'static str {
        match self {
            Self::Hooks => "<Location />\nWSGIAccessScript {root}/app/leaks.wsgi\n</Location>",
            _ => "",
        }
    }

    /// Sends so many requests. An error where one has another answer than it should have.
    pub(super) fn send(self, httpd: &Httpd, requests: u32) -> Result<()> {
        let next = AtomicU32::new(0);
        let client = || -> Result<()> {
            let mut connection = None;
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= requests {
                    return Ok(());
                }
                if self == Self::Reloads && number.is_multiple_of(UNCHANGED) {
                    touch(httpd)?;
                }
                self.ask(httpd, number, &mut connection)?;
            }
        };
        thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
            clients
                .into_iter()
                .try_for_each(|client| client.join().expect("a client returns its errors"))
        })
    }

    fn ask(self, httpd: &Httpd, number: u32, kept: &mut Option<Connection>) -> Result<()> {
        match self {
            Self::Plain | Self::Reloads | Self::Hooks => answer(httpd, kept, httpd.get("/"), 200),
            Self::Files => answer(httpd, kept, httpd.get("/file"), 200),
            Self::Uploads => answer(httpd, kept, httpd.post("/body", vec![b'x'; BODY]), 200),
            Self::Exceptions if number.is_multiple_of(2) => {
                answer(httpd, kept, httpd.get("/raise"), 500)
            }
            Self::Exceptions => match httpd.get("/raise-late").try_send() {
                Err(ClientError::Cut { .. }) => Ok(()),
                other => anyhow::bail!("a response that fails was not cut: {other:?}"),
            },
            Self::Aborted => {
                let mut connection = httpd.get("/large").start()?;
                ensure!(connection.head()?.status == 200, "no answer to be broken off");
                connection.writer()?.shutdown(Shutdown::Both).context("cannot break off")
            }
        }
    }
}

/// Has every thread of the child and of the worker serve something: each costs 200 KB from then on,
/// and some would be asked for the first time after many requests only.
pub(super) fn wake_all(httpd: &Httpd) -> Result<()> {
    let client = || -> Result<()> {
        (0..ROUNDS).try_for_each(|_| {
            let status = httpd.get("/wait").try_send()?.status;
            ensure!(status == 200, "{status} in place of 200");
            Ok(())
        })
    };
    thread::scope(|scope| {
        let clients: Vec<_> = (0..THREADS).map(|_| scope.spawn(client)).collect();
        clients.into_iter().try_for_each(|one| one.join().expect("a client returns its errors"))
    })
}

/// Threads of the only child of httpd.
const THREADS: usize = 8;

/// Requests of each that make it likely that all threads are busy at once.
const ROUNDS: usize = 20;

/// Asks on the kept connection, or on a new one where the server has closed it.
fn answer(httpd: &Httpd, kept: &mut Option<Connection>, call: Call, status: u16) -> Result<()> {
    let reply = kept.as_mut().and_then(|connection| call.clone().send_on(connection).ok());
    let reply = if let Some(reply) = reply {
        reply
    } else {
        let mut connection = httpd.connect()?;
        let reply = call.send_on(&mut connection)?;
        *kept = Some(connection);
        reply
    };
    if reply.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
        *kept = None;
    }
    ensure!(reply.status == status, "{} in place of {status}: {}", reply.status, reply.text());
    Ok(())
}

/// Gives the script a time of change that it never had.
fn touch(httpd: &Httpd) -> Result<()> {
    static CHANGES: AtomicU32 = AtomicU32::new(0);
    let moment =
        Duration::from_secs(1_000_000 + u64::from(CHANGES.fetch_add(1, Ordering::Relaxed)));
    let path = httpd.root().join(SCRIPT);
    let file = File::options().append(true).open(&path);
    file.and_then(|file| file.set_modified(SystemTime::UNIX_EPOCH + moment))
        .with_context(|| format!("cannot touch {}", path.display()))
}
