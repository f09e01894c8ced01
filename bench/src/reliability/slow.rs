//! Slow uploads and slow readers, and what all other requests see of them.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use testkit::load::{Load, Record};
use testkit::{Httpd, Mode};

use super::{Amount, milliseconds, server};
use crate::report::{Findings, Verdict, table};

/// Clients of each kind.
const CLIENTS: usize = 60;

/// Bytes of an upload, and of an answer that is read slowly.
const UPLOAD: usize = 100_000;
const DOWNLOAD: usize = 8 << 20;

/// `/digest` tells the length of the body, `/large` answers 8 MiB, `/` a word.
const SCRIPT: &str = "
PIECE = bytes(65536)

def application(environ, start_response):
    start_response('200 OK', [('Content-Type', 'application/octet-stream')])
    if environ['PATH_INFO'] == '/digest':
        return [str(len(environ['wsgi.input'].read())).encode()]
    if environ['PATH_INFO'] == '/large':
        return (PIECE for _ in range(128))
    return [b'well']
";

/// Room for all of them, since httpd keeps a thread for each, and for others.
const SIZES: &str = "StartServers 3\nServerLimit 5\nThreadsPerChild 64\nMaxRequestWorkers 320\n\
                     MinSpareThreads 1\nMaxSpareThreads 320";

/// Every other client of the load, and how long each waits: a server that is asked a little.
const OTHERS: usize = 4;
const PAUSE: Duration = Duration::from_millis(5);

/// A group of 2 × 5 threads, first idle but for the others, then with all slow clients.
pub(super) fn run(amount: &Amount) -> Result<Findings> {
    let httpd = server("slow")
        .mode(Mode::Daemon)
        .daemon("processes=2 threads=5")
        .file("app/app.wsgi", SCRIPT)
        .conf("WSGIScriptAlias / {root}/app/app.wsgi")
        .conf(SIZES)
        .start();
    // Both workers have loaded the application before anything is measured.
    others(&httpd, amount.load / 2);
    let idle = others(&httpd, amount.load);
    let done = AtomicBool::new(false);
    let (busy, slow) = thread::scope(|scope| -> Result<_> {
        let slow = scope.spawn(|| slow_clients(httpd.address(), &done));
        let busy = others(&httpd, amount.load);
        done.store(true, Ordering::Relaxed);
        Ok((busy, slow.join().expect("a client returns its errors")?))
    })?;
    let p99 = |record: &Record| record.quantile(0.99).map(milliseconds);
    let ratio = p99(&busy).zip(p99(&idle)).map(|(busy, idle)| busy / idle);
    let line = |name: &str, record: &Record| {
        let time = |share| {
            let time = record.quantile(share).map(milliseconds).unwrap_or_default();
            format!("{time:.1}")
        };
        let count = record.answers().len().to_string();
        let failed = record.failures().count().to_string();
        vec![name.to_owned(), count, failed, time(0.5), time(0.99), time(1.0)]
    };
    let lines = [line("idle", &idle), line("with slow clients", &busy)];
    let count = |count: usize| Some(f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
    Ok(Findings {
        text: table(&["others", "requests", "failed", "p50, ms", "p99, ms", "longest, ms"], &lines),
        verdicts: vec![
            Verdict::at_most("others: failed", 0.0, "", count(busy.failures().count())),
            Verdict::at_most("others: p99 with slow clients ÷ idle", 3.0, "", ratio),
            Verdict::at_most("slow clients: not answered in full", 0.0, "", count(slow)),
        ],
    })
}

fn others(httpd: &Httpd, length: Duration) -> Record {
    let load = Load::of_content(httpd.address(), "/", "well").clients(OTHERS).pause(PAUSE).start();
    thread::sleep(length);
    load.finish()
}

/// How long slow clients wait between two pieces.
const TICK: Duration = Duration::from_millis(100);

/// Bytes that an upload sends in a tick, and a reader takes.
const SENT: usize = 200;
const TAKEN: usize = 16 << 10;

struct Client {
    stream: TcpStream,
    sent: usize,
    /// Bytes of the answer, with its head.
    received: Vec<u8>,
    expected: usize,
    ended: bool,
}

/// All slow clients, from one thread: slow until it is done, and then as fast as the server. Gives
/// how many had no right answer.
fn slow_clients(address: SocketAddr, done: &AtomicBool) -> Result<usize> {
    let connect = |head: String, expected: usize| -> Result<Client> {
        let mut stream = TcpStream::connect(address).context("a slow client cannot connect")?;
        stream.write_all(head.as_bytes())?;
        let sent = if expected == 0 { 0 } else { UPLOAD };
        Ok(Client { stream, sent, received: Vec::new(), expected, ended: false })
    };
    let upload = format!(
        "POST /digest HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {UPLOAD}\r\n\r\n"
    );
    let download = "GET /large HTTP/1.0\r\nHost: x\r\n\r\n";
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(connect(upload.clone(), 0)?);
        clients.push(connect(download.to_owned(), DOWNLOAD)?);
    }
    while !done.load(Ordering::Relaxed) {
        for client in &mut clients {
            client.go_on(SENT, TAKEN)?;
        }
        thread::sleep(TICK);
    }
    for client in &mut clients {
        client.stream.set_read_timeout(Some(testkit::LIMIT))?;
        client.stream.write_all(&vec![b'x'; UPLOAD - client.sent])?;
        client.sent = UPLOAD;
        if !client.ended {
            client.stream.read_to_end(&mut client.received)?;
        }
    }
    Ok(clients.iter().filter(|client| !client.is_right()).count())
}

impl Client {
    fn go_on(&mut self, send: usize, take: usize) -> Result<()> {
        if self.sent < UPLOAD {
            let size = send.min(UPLOAD - self.sent);
            self.stream.write_all(&vec![b'x'; size])?;
            self.sent += size;
            return Ok(());
        }
        if self.ended {
            return Ok(());
        }
        let mut bytes = vec![0; take];
        self.stream.set_nonblocking(true)?;
        let read = self.stream.read(&mut bytes);
        self.stream.set_nonblocking(false)?;
        match read {
            Ok(0) => self.ended = true,
            Ok(size) => self.received.extend_from_slice(&bytes[..size]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error).context("a slow client"),
        }
        Ok(())
    }

    fn is_right(&self) -> bool {
        let Some(end) = self.received.windows(4).position(|four| four == b"\r\n\r\n") else {
            return false;
        };
        let body = &self.received[end + 4..];
        let is_ok =
            self.received.starts_with(b"HTTP/1.") && self.received[8..].starts_with(b" 200 ");
        // The answer to an upload is its length, in a body with or without chunks.
        let upload = || body.windows(6).any(|six| six == b"100000");
        is_ok && if self.expected == 0 { upload() } else { body.len() == self.expected }
    }
}
