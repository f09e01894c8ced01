//! The processes of running servers, found through `/proc`.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;

use procfs::process::{Stat, all_processes};
use wsgi::process::plan::{GROUP_VARIABLE, TEMPLATE_TITLE};
use wsgi::process::smaps::{Memory, Role};

/// A process of a server, and its memory if we may see that.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) role: Role,
    pub(crate) memory: Option<Memory>,
}

/// All processes of the machine that have not ended.
pub(crate) struct Machine(BTreeMap<i32, Stat>);

/// The name of the supervisor's program.
const SUPERVISOR: &str = "wsgid";

impl Machine {
    /// The processes of now.
    pub(crate) fn now() -> Self {
        let processes = all_processes().into_iter().flatten().filter_map(Result::ok);
        let stats = processes.filter_map(|process| process.stat().ok());
        let living = stats.filter(|stat| !matches!(stat.state, 'Z' | 'X'));
        Self(living.map(|stat| (stat.pid, stat)).collect())
    }

    /// The servers that have process groups: the parents of supervisors.
    pub(crate) fn servers(&self) -> Vec<i32> {
        let supervisors = self.0.values().filter(|entry| entry.comm == SUPERVISOR);
        let mut servers: Vec<i32> = supervisors
            .map(|entry| entry.ppid)
            // One whose httpd was killed is ending.
            .filter(|parent| *parent > 1 && self.0.contains_key(parent))
            .collect();
        servers.sort_unstable();
        servers.dedup();
        servers
    }

    /// The server whose parent process is `parent`; empty if there is no such process.
    pub(crate) fn server(&self, parent: i32) -> Vec<Process> {
        let Some(first) = self.0.get(&parent) else { return Vec::new() };
        let mut found: Vec<Process> = Process::read(parent, Role::Parent).into_iter().collect();
        let mut index = 0;
        while let Some(up) = found.get(index).map(|process| process.pid) {
            for (pid, entry) in self.0.iter().filter(|(_, entry)| entry.ppid == up) {
                let role = self.role(*pid, entry, up == parent, &first.comm);
                found.extend(Process::read(*pid, role));
            }
            index += 1;
        }
        found.sort_by(|a, b| (&a.role, a.pid).cmp(&(&b.role, b.pid)));
        found
    }

    fn role(&self, pid: i32, entry: &Stat, of_parent: bool, httpd: &str) -> Role {
        if of_parent && entry.comm == SUPERVISOR {
            return Role::Supervisor;
        }
        if of_parent && entry.comm == httpd {
            return Role::Child;
        }
        let of_supervisor = self.0.get(&entry.ppid).is_some_and(|up| up.comm == SUPERVISOR);
        match group(pid).filter(|_| of_supervisor) {
            Some(group) if is_template(pid) => Role::Template(group),
            Some(group) => Role::Worker(group),
            None => Role::Program,
        }
    }
}

impl Process {
    /// `None` if it has ended meanwhile.
    fn read(pid: i32, role: Role) -> Option<Self> {
        let memory = match fs::read_to_string(format!("/proc/{pid}/smaps_rollup")) {
            Ok(text) => Some(Memory::parse(&text)?),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => None,
            Err(_) => return None,
        };
        Some(Self { pid, role, memory })
    }
}

/// The name of the process group that a process was started for; `None` if we may not know.
fn group(pid: i32) -> Option<String> {
    let environment = procfs::process::Process::new(pid).and_then(|process| process.environ());
    let group = environment.ok()?.remove(OsStr::new(GROUP_VARIABLE))?;
    Some(group.to_string_lossy().into_owned())
}

fn is_template(pid: i32) -> bool {
    let title = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let end = title.iter().position(|byte| *byte == 0).unwrap_or(title.len());
    title[..end].ends_with(TEMPLATE_TITLE.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_and_its_children_are_found() {
        let me = i32::try_from(std::process::id()).unwrap();
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let found = Machine::now().server(me);
        let child_pid = i32::try_from(child.id()).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!((found[0].pid, &found[0].role), (me, &Role::Parent));
        assert!(found[0].memory.is_some_and(|memory| memory.private > 0));
        assert!(found.iter().any(|one| one.pid == child_pid && one.role == Role::Program));
        assert!(Machine::now().server(-1).is_empty());
    }
}
