//! The processes of a server at one moment: what each is for, and what it costs.

use std::fs;

use anyhow::{Context as _, Result};
use testkit::{Kind, Process};
use wsgi::process::smaps::Memory;

/// The role of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// httpd's parent process.
    Parent,
    /// A child of httpd that serves requests.
    Child,
    /// `wsgid`.
    Supervisor,
    /// The first process of gunicorn or uWSGI.
    Master,
    /// The process that workers are forked from.
    Template,
    /// A process that runs the application for a client of httpd's or of its own.
    Worker,
}

impl Role {
    /// All of them, in the order of tables.
    pub(crate) const ALL: [(Self, &'static str); 6] = [
        (Self::Parent, "Apache parent"),
        (Self::Child, "Apache child"),
        (Self::Supervisor, "`wsgid`"),
        (Self::Master, "master"),
        (Self::Template, "template"),
        (Self::Worker, "worker"),
    ];

    fn of(process: &Process, master: Option<i32>) -> Self {
        // The name that daemon processes of mod_wsgi and of Dormouse show.
        let is_daemon = |process: &Process| process.command.contains("(wsgi:");
        match process.kind {
            _ if master == Some(process.pid) => Self::Master,
            Kind::Parent => Self::Parent,
            Kind::Supervisor => Self::Supervisor,
            Kind::Template => Self::Template,
            _ if is_daemon(process) => Self::Worker,
            Kind::Child => Self::Child,
            Kind::Worker | Kind::Other => Self::Worker,
        }
    }
}

/// A process and its memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Member {
    pub(crate) pid: i32,
    pub(crate) role: Role,
    pub(crate) memory: Memory,
}

/// All processes of a server.
#[derive(Clone, Debug)]
pub(crate) struct ProcessSnapshot {
    pub(crate) members: Vec<Member>,
}

impl ProcessSnapshot {
    /// Reads the memory of those that still live. `master` is the first process of a program that
    /// is not httpd.
    pub(crate) fn take(processes: &[Process], master: Option<i32>) -> Self {
        let member = |process: &Process| {
            Some(Member {
                pid: process.pid,
                role: Role::of(process, master),
                memory: memory(process.pid)?,
            })
        };
        Self { members: processes.iter().filter_map(member).collect() }
    }

    /// The whole tree.
    pub(crate) fn sum(&self) -> Memory {
        self.members.iter().map(|member| member.memory).sum()
    }

    /// Those with this role.
    pub(crate) fn with(&self, role: Role) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(move |member| member.role == role)
    }

    /// Private bytes of one process of this role, on average; `None` where there is none.
    pub(crate) fn private(&self, role: Role) -> Option<u64> {
        let count = self.with(role).count() as u64;
        let sum: u64 = self.with(role).map(|member| member.memory.private).sum();
        (count > 0).then(|| sum / count)
    }
}

/// `None` for a process that has ended.
fn memory(pid: i32) -> Option<Memory> {
    Memory::parse(&fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?)
}

/// How many descriptors the process has open.
pub(crate) fn descriptors(pid: i32) -> Result<usize> {
    let path = format!("/proc/{pid}/fd");
    let entries = fs::read_dir(&path).with_context(|| format!("cannot read {path}"))?;
    Ok(entries.count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_can_be_read() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let found = memory(pid).unwrap();
        assert!(found.rss >= found.pss && found.pss >= found.private && found.private > 0);
        assert!(descriptors(pid).unwrap() >= 3);
    }

    #[test]
    fn sums_and_averages_are_over_the_right_processes() {
        let member = |pid, role, private| Member {
            pid,
            role,
            memory: Memory { pss: private + 1, private, ..Memory::default() },
        };
        let snapshot = ProcessSnapshot {
            members: vec![
                member(1, Role::Parent, 10),
                member(2, Role::Worker, 20),
                member(3, Role::Worker, 40),
            ],
        };
        assert_eq!(snapshot.sum().pss, 73);
        assert_eq!(snapshot.private(Role::Worker), Some(30));
        assert_eq!(snapshot.private(Role::Template), None);
    }
}
