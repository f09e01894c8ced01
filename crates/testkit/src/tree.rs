//! The processes of a server, found through /proc.
//!
//! Found by descent from httpd's parent process, by its session, and by a mark in the environment,
//! so that a process whose parent has died is still known. A zombie does not count: it has ended,
//! and who reaps it is not the server's affair.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use procfs::process::Stat;

/// The role of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// httpd's parent process.
    Parent,
    /// A child of httpd that serves requests, or helps it as the daemon of `mod_cgid` does.
    Child,
    /// `wsgid`.
    Supervisor,
    /// A process with the engine in it, which is not httpd's.
    Worker,
    /// One that workers are forked from.
    Template,
    /// Anything else, such as a program that an application started.
    Other,
}

/// A process as it was at one moment.
#[derive(Clone, Debug)]
pub struct Process {
    /// Its id.
    pub pid: i32,
    /// The id of its parent at that moment.
    pub ppid: i32,
    /// Its role.
    pub kind: Kind,
    /// Its program; empty where the kernel does not tell.
    pub exe: PathBuf,
    /// The command line that `ps` shows.
    pub command: String,
    /// The id of its session.
    pub session: i32,
    /// With the pid, tells a process from a later one.
    started: u64,
}

/// Memory of a process in bytes, from `smaps_rollup`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// All resident pages.
    pub rss: u64,
    /// Resident pages, each divided by the number of processes that share it.
    pub pss: u64,
    /// Resident pages that no other process has.
    pub private: u64,
}

impl Memory {
    /// Of the process, if it lives.
    pub fn of(pid: i32) -> Result<Self> {
        let rollup = procfs::process::Process::new(pid).and_then(|process| process.smaps_rollup());
        let maps = rollup.with_context(|| format!("cannot read the memory of process {pid}"))?;
        let maps = maps.memory_map_rollup.0;
        let sum = |names: &[&str]| {
            let values = maps.iter().flat_map(|map| &map.extension.map);
            values.filter(|(name, _)| names.contains(&name.as_str())).map(|(_, value)| value).sum()
        };
        Ok(Self {
            rss: sum(&["Rss"]),
            pss: sum(&["Pss"]),
            private: sum(&["Private_Clean", "Private_Dirty"]),
        })
    }
}

/// All processes that a server was ever seen with.
#[derive(Debug)]
pub struct Tree {
    parent: i32,
    httpd: PathBuf,
    mark: String,
    seen: BTreeSet<(i32, u64)>,
    /// Those whose environment was read and has no mark, so that it is read once.
    unmarked: BTreeSet<(i32, u64)>,
}

impl Tree {
    /// `parent` is the first process, and `httpd` the program; `mark` is a `NAME=value` of its
    /// environment that no other process has.
    pub fn new(parent: i32, httpd: &Path, mark: String) -> Self {
        let httpd = httpd.canonicalize().unwrap_or_else(|_| httpd.to_owned());
        Self { parent, httpd, mark, seen: BTreeSet::new(), unmarked: BTreeSet::new() }
    }

    /// Those that live, parents before children.
    pub fn processes(&mut self) -> Vec<Process> {
        let all: BTreeMap<i32, Stat> = pids().filter_map(|pid| Some((pid, stat(pid)?))).collect();
        let ours: Vec<&Stat> = all.values().filter(|stat| self.is_ours(stat, &all)).collect();
        let mut found: Vec<Process> = ours.into_iter().filter_map(process).collect();
        for process in &mut found {
            self.seen.insert((process.pid, process.started));
            process.kind = self.kind(process);
        }
        found.sort_by_key(|process| (process.kind, process.started, process.pid));
        found
    }

    fn is_ours(&mut self, stat: &Stat, all: &BTreeMap<i32, Stat>) -> bool {
        if stat.session == self.parent || self.seen.contains(&(stat.pid, stat.starttime)) {
            return true;
        }
        let mut at = stat;
        while let Some(up) = all.get(&at.ppid) {
            if up.pid == self.parent {
                return true;
            }
            at = up;
        }
        self.has_mark(stat)
    }

    /// Reads the environment of each process once: a look at all processes is repeated until what
    /// it waits for has come, and a machine that runs tests has many.
    fn has_mark(&mut self, stat: &Stat) -> bool {
        let process = (stat.pid, stat.starttime);
        if self.unmarked.contains(&process) {
            return false;
        }
        let environment = fs::read(format!("/proc/{}/environ", stat.pid)).unwrap_or_default();
        let mark = self.mark.as_bytes();
        let has_mark = environment.split(|&byte| byte == 0).any(|variable| variable == mark);
        // It is empty for a moment while a program starts.
        if !has_mark && !environment.is_empty() {
            self.unmarked.insert(process);
        }
        has_mark
    }

    fn kind(&self, process: &Process) -> Kind {
        if process.pid == self.parent {
            Kind::Parent
        } else if process.exe == self.httpd {
            Kind::Child
        } else if process.exe.file_name().is_some_and(|name| name == "wsgid") {
            Kind::Supervisor
        } else if maps(process.pid).is_ok_and(|maps| maps.contains("/_mod_wsgi.abi3.so")) {
            // Its title says so; it has no other mark.
            let template = process.command.ends_with(" template");
            if template { Kind::Template } else { Kind::Worker }
        } else {
            Kind::Other
        }
    }
}

/// The text of `/proc/PID/maps`.
pub(crate) fn maps(pid: i32) -> Result<String> {
    let path = format!("/proc/{pid}/maps");
    fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))
}

fn pids() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// `None` for a process that has ended or is a zombie.
fn stat(pid: i32) -> Option<Stat> {
    let stat = procfs::process::Process::new(pid).and_then(|process| process.stat()).ok()?;
    (!matches!(stat.state, 'Z' | 'X')).then_some(stat)
}

/// The process, whose role is not looked at; `None` when it has ended.
fn process(stat: &Stat) -> Option<Process> {
    let &Stat { pid, ppid, session, starttime: started, .. } = stat;
    let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let command = String::from_utf8_lossy(&command).replace('\0', " ").trim_end().to_owned();
    Some(Process { pid, ppid, kind: Kind::Other, exe: program(pid), command, session, started })
}

/// The program's path, also after its file was replaced.
fn program(pid: i32) -> PathBuf {
    let exe = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
    let text = exe.to_string_lossy();
    text.strip_suffix(" (deleted)").map(PathBuf::from).unwrap_or(exe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_read() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let process = process(&stat(pid).unwrap()).unwrap();
        assert_eq!(process.exe, std::env::current_exe().unwrap());
        let memory = Memory::of(pid).unwrap();
        assert!(memory.rss >= memory.pss && memory.pss >= memory.private && memory.private > 0);
        assert!(maps(pid).unwrap().contains(" r-xp "));
    }
}
