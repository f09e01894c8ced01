//! The cost of generations of Apache that are kept by slow downloads only.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use testkit::{Httpd, Kind, Mode};

use super::server;
use crate::process_snapshot::ProcessSnapshot;
use crate::report::{Findings, Verdict, figure, megabytes, table};
use crate::wait::until;

/// An application with modules of the standard library, as real ones have them, and an answer of 4
/// MiB.
const SCRIPT: &str = "
import asyncio, decimal, email.message, http.server, json
import logging.config, sqlite3, unittest, xml.dom.minidom
PIECE = bytes(65536)

def application(environ, start_response):
    start_response('200 OK', [('Content-Type', 'application/octet-stream')])
    return (PIECE for _ in range(64))
";

/// Bytes of an answer.
const LENGTH: usize = 64 * 65536;

/// Restarts, with a download under way in each.
const RESTARTS: usize = 5;

/// Children of five generations and one more.
const SIZES: &str = "ServerLimit 12\nStartServers 1\nThreadsPerChild 16\nMaxRequestWorkers 192\n\
                     MinSpareThreads 1\nMaxSpareThreads 192";

/// PSS of the whole tree, with one generation and with six.
pub(super) fn run() -> Result<Findings> {
    let httpd = server("generations")
        .mode(Mode::Daemon)
        .daemon("processes=3 threads=4")
        .file("app/app.wsgi", SCRIPT)
        .conf("WSGIScriptAlias / {root}/app/app.wsgi")
        .conf(SIZES)
        .start();
    warm_up(&httpd)?;
    let one = settled(&httpd)?;
    let mut downloads = Vec::new();
    for _ in 0..RESTARTS {
        downloads.push(begin(&httpd)?);
        httpd.graceful();
        warm_up(&httpd)?;
    }
    let all = settled(&httpd)?;
    let children = httpd.pids(Kind::Child).len();
    for download in &mut downloads {
        let mut rest = Vec::new();
        download.read_to_end(&mut rest).context("a slow download")?;
        ensure!(rest.len() > LENGTH - 1, "a download was cut short: {} bytes", rest.len());
    }
    let lines = [
        vec!["one generation".to_owned(), figure(one.pss), one.processes.to_string()],
        vec![format!("{RESTARTS} restarts later"), figure(all.pss), all.processes.to_string()],
    ];
    let ratio = megabytes(all.pss) / megabytes(one.pss);
    Ok(Findings {
        text: format!(
            "{children} Apache children, {} of them of before.\n\n{}",
            children - 1,
            table(&["", "PSS of the tree, MB", "processes"], &lines)
        ),
        verdicts: vec![Verdict::at_most("memory ÷ that of one generation", 1.3, "", Some(ratio))],
    })
}

/// A look at the tree.
#[derive(Clone, Copy)]
struct Look {
    pss: u64,
    processes: usize,
}

fn look(httpd: &Httpd) -> Look {
    let snapshot = ProcessSnapshot::take(&httpd.processes(), None);
    Look { pss: snapshot.sum().pss, processes: snapshot.members.len() }
}

/// The tree when it has stopped changing.
fn settled(httpd: &Httpd) -> Result<Look> {
    let mut before = look(httpd);
    let mut quiet = 0;
    until("memory has stopped changing", || {
        std::thread::sleep(STEP);
        let now = look(httpd);
        let is_same = now.processes == before.processes && now.pss.abs_diff(before.pss) < STILL;
        quiet = if is_same { quiet + 1 } else { 0 };
        before = now;
        Ok((quiet == 4).then_some(now))
    })
}

/// How long one look waits for the next, and bytes that are no change.
const STEP: Duration = Duration::from_millis(500);
const STILL: u64 = 256 * 1024;

/// Every worker has loaded the application: twelve requests at a time, a few times over.
fn warm_up(httpd: &Httpd) -> Result<()> {
    for _ in 0..4 {
        let begun: Vec<_> = (0..12).map(|_| begin(httpd)).collect::<Result<_>>()?;
        for mut stream in begun {
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest)?;
        }
    }
    Ok(())
}

/// A download of which the first byte has come.
fn begin(httpd: &Httpd) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(httpd.address()).context("cannot connect")?;
    stream.set_read_timeout(Some(testkit::LIMIT))?;
    stream.write_all(b"GET / HTTP/1.0\r\nHost: x\r\n\r\n")?;
    stream.read_exact(&mut [0; 1]).context("no answer to a download")?;
    Ok(stream)
}
