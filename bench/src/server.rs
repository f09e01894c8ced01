//! A running server: httpd, a program of its own, or httpd with a program behind it.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use testkit::{Call, Httpd, Kind, Process, Signal};

use crate::process_snapshot::{ProcessSnapshot, Role};
use crate::program::Program;
use crate::wait::until;

/// The server. Dropped without [`Server::finish`], it is ended all the same.
#[derive(Debug)]
pub(crate) struct Server {
    httpd: Option<Httpd>,
    program: Option<Program>,
    address: SocketAddr,
}

/// The text that httpd logs once it serves, after a start and after each restart.
const SERVING: &str = "resuming normal operations";

impl Server {
    /// httpd and nothing else.
    pub(crate) fn of_httpd(httpd: Httpd) -> Self {
        let address = httpd.address();
        Self { httpd: Some(httpd), program: None, address }
    }

    /// A program that speaks HTTP; returns when it answers.
    pub(crate) fn of_program(program: Program, address: SocketAddr) -> Result<Self> {
        let mut server = Self { httpd: None, program: Some(program), address };
        server.wait_for_program()?;
        Ok(server)
    }

    /// A program behind httpd; returns when both answer.
    pub(crate) fn of_both(httpd: Httpd, program: Program) -> Result<Self> {
        let address = httpd.address();
        let mut server = Self { httpd: Some(httpd), program: Some(program), address };
        server.wait_for_program()?;
        Ok(server)
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its httpd.
    pub(crate) fn httpd(&self) -> Result<&Httpd> {
        self.httpd.as_ref().context("this kind is not httpd")
    }

    /// Its processes now.
    pub(crate) fn snapshot(&mut self) -> ProcessSnapshot {
        let master = self.program.as_ref().map(Program::pid);
        ProcessSnapshot::take(&self.processes(), master)
    }

    /// Its processes when memory has stopped changing: a start or an end has many small steps.
    pub(crate) fn settled(&mut self) -> ProcessSnapshot {
        let mut before = self.snapshot();
        for _ in 0..SETTLING_STEPS {
            thread::sleep(SETTLING);
            let now = self.snapshot();
            let change = now.sum().pss.abs_diff(before.sum().pss);
            if now.members.len() == before.members.len() && change < STILL {
                return now;
            }
            before = now;
        }
        before
    }

    /// Restarts without dropping requests, and waits until every process but the first is new.
    pub(crate) fn restart(&mut self) -> Result<()> {
        let first = self.first()?;
        let before: Vec<i32> = match &mut self.program {
            Some(program) => program.processes().iter().map(|process| process.pid).collect(),
            None => self.processes().iter().map(|process| process.pid).collect(),
        };
        match (&self.program, &self.httpd) {
            (Some(program), _) => program.signal(Signal::SIGHUP)?,
            (None, Some(httpd)) => {
                let served = httpd.log_lines(SERVING).len();
                httpd.signal(first, Signal::SIGUSR1);
                until("httpd serves again", || {
                    Ok((httpd.log_lines(SERVING).len() > served).then_some(()))
                })?;
            }
            (None, None) => {}
        }
        until("the processes of before end", || {
            let now = self.processes();
            let old = |process: &Process| process.pid != first && before.contains(&process.pid);
            Ok((!now.iter().any(old)).then_some(()))
        })?;
        self.wait_for_program()
    }

    /// Ends it. An error where something was left behind.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.end()
    }

    /// The first process: httpd's parent, or the program's.
    pub(crate) fn first(&self) -> Result<i32> {
        if let Some(program) = &self.program {
            return Ok(program.pid());
        }
        let parents = self.httpd()?.pids(Kind::Parent);
        parents.first().copied().context("httpd has ended")
    }

    /// An error that says how it ended, once its first process has.
    pub(crate) fn check(&mut self) -> Result<()> {
        match &mut self.program {
            Some(program) => program.check()?,
            None => drop(self.first()?),
        }
        Ok(())
    }

    /// The ids of the processes with this role.
    pub(crate) fn pids(&mut self, role: Role) -> Vec<i32> {
        self.snapshot().with(role).map(|member| member.pid).collect()
    }

    /// The ids of all its processes.
    pub(crate) fn all_pids(&mut self) -> Vec<i32> {
        self.processes().iter().map(|process| process.pid).collect()
    }

    fn processes(&mut self) -> Vec<Process> {
        let mut all = self.httpd.as_ref().map(Httpd::processes).unwrap_or_default();
        all.extend(self.program.as_mut().map(Program::processes).unwrap_or_default());
        all
    }

    fn wait_for_program(&mut self) -> Result<()> {
        let address = self.address;
        let Some(program) = &mut self.program else { return Ok(()) };
        until("the program answers", || {
            program.check()?;
            // A file that no application has: a server that answers at all is there.
            let reply = Call::new(address, "HEAD", "/favicon.ico").try_send();
            Ok(reply.is_ok_and(|reply| reply.status < 500).then_some(()))
        })
    }

    fn end(&mut self) -> Result<()> {
        let httpd = self.httpd.take().map(Httpd::finish);
        let program = self.program.take().map(Program::finish);
        let ended = [httpd, program].into_iter().flatten().collect::<Result<Vec<()>>>();
        ended.map(drop).context("did not end as it should")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            eprintln!("note: {error:#}");
        }
    }
}

/// How long one look at the memory waits for the next.
const SETTLING: Duration = Duration::from_millis(300);
const SETTLING_STEPS: u32 = 30;

/// Bytes of a tree's memory that do not count as a change.
const STILL: u64 = 64 * 1024;

/// Lets the server rest. An error where it lost a process meanwhile.
pub(crate) fn rest(server: &mut Server, length: Duration) -> Result<()> {
    thread::sleep(length);
    ensure!(server.first().is_ok(), "the server ended while it was idle");
    Ok(())
}
