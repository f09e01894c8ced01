//! Requests: eight clients at a time, each on a connection that is kept for a few requests.
//!
//! Kept, because that is how browsers ask; for a few only, because some servers tie a connection to
//! a worker, and every worker is to have its share.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context as _, Result, ensure};
use testkit::{Call, Connection, Reply};

/// Clients at a time.
const CLIENTS: usize = 8;

/// Requests of a connection.
const PER_CONNECTION: usize = 10;

/// How many requests each process answered.
pub(crate) type Answers = BTreeMap<i32, usize>;

/// Sends that many requests to the targets in turn. `python`, if given, is the build that each
/// reply must come from.
pub(crate) fn send(
    address: SocketAddr,
    targets: &[&str],
    requests: usize,
    python: Option<&str>,
) -> Result<Answers> {
    let next = AtomicUsize::new(0);
    let client = || -> Result<Answers> {
        let mut answers = Answers::new();
        let mut connection: Option<Connection> = None;
        let mut used = 0;
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= requests {
                return Ok(answers);
            }
            if used == PER_CONNECTION {
                connection = None;
            }
            if connection.is_none() {
                used = 0;
            }
            let target = targets[number % targets.len()];
            let reply = ask(address, target, &mut connection)?;
            used += 1;
            if let Some(pid) = check(&reply, target, python)? {
                *answers.entry(pid).or_default() += 1;
            }
        }
    };
    let mut sum = Answers::new();
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        for client in clients {
            let answers = client.join().expect("a client returns its errors")?;
            for (pid, count) in answers {
                *sum.entry(pid).or_default() += count;
            }
        }
        Ok(sum)
    })
}

/// One request on a connection of its own; the process that answered.
pub(crate) fn once(address: SocketAddr, target: &str, python: Option<&str>) -> Result<Option<i32>> {
    let reply = Call::new(address, "GET", target).try_send()?;
    check(&reply, target, python)
}

/// Asks on the connection, or on a new one where there is none or the server has closed it.
fn ask(address: SocketAddr, target: &str, place: &mut Option<Connection>) -> Result<Reply> {
    let call = || Call::new(address, "GET", target);
    let kept = place.take().and_then(|mut connection| {
        let reply = call().send_on(&mut connection).ok()?;
        Some((connection, reply))
    });
    let (connection, reply) = if let Some(kept) = kept {
        kept
    } else {
        let mut connection = Connection::open(address)?;
        let reply = call().send_on(&mut connection).with_context(|| format!("GET {target}"))?;
        (connection, reply)
    };
    let closes =
        reply.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    if !closes {
        *place = Some(connection);
    }
    Ok(reply)
}

/// The process that answered, if the reply says so. An error where it is not what was asked for.
fn check(reply: &Reply, target: &str, python: Option<&str>) -> Result<Option<i32>> {
    ensure!(reply.status == 200, "GET {target}: {}\n{}", reply.status, reply.text());
    if let Some(python) = python {
        let found = reply.header("x-python").unwrap_or("none");
        ensure!(found == python, "answered by Python {found}, not by {python}");
    }
    reply.header("x-process").map(|pid| pid.parse().context("X-Process")).transpose()
}
