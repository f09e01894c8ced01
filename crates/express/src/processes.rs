//! The processes of running servers, found through `/proc`.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;

use wsgi::process::plan::{GROUP_VARIABLE, TEMPLATE_TITLE};
use wsgi::process::smaps::{Memory, Role};

/// A process of a server, and its memory if we may see that.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) role: Role,
    pub(crate) memory: Option<Memory>,
}

/// All processes of the machine: parents and names.
pub(crate) struct Machine(BTreeMap<i32, Entry>);

struct Entry {
    parent: i32,
    name: String,
}

/// The name of the supervisor's program.
const SUPERVISOR: &str = "wsgid";

impl Machine {
    /// The processes of now.
    pub(crate) fn now() -> Self {
        let entries = fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        Self(pids.filter_map(|pid| Some((pid, Entry::read(pid)?))).collect())
    }

    /// The servers that have process groups: the parents of supervisors.
    pub(crate) fn servers(&self) -> Vec<i32> {
        let supervisors = self.0.values().filter(|entry| entry.name == SUPERVISOR);
        let mut servers: Vec<i32> = supervisors
            .map(|entry| entry.parent)
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
            for (pid, entry) in self.0.iter().filter(|(_, entry)| entry.parent == up) {
                let role = self.role(*pid, entry, up == parent, &first.name);
                found.extend(Process::read(*pid, role));
            }
            index += 1;
        }
        found.sort_by(|a, b| (&a.role, a.pid).cmp(&(&b.role, b.pid)));
        found
    }

    fn role(&self, pid: i32, entry: &Entry, of_parent: bool, httpd: &str) -> Role {
        if of_parent && entry.name == SUPERVISOR {
            return Role::Supervisor;
        }
        if of_parent && entry.name == httpd {
            return Role::Child;
        }
        let of_supervisor = self.0.get(&entry.parent).is_some_and(|up| up.name == SUPERVISOR);
        match group(pid).filter(|_| of_supervisor) {
            Some(group) if is_template(pid) => Role::Template(group),
            Some(group) => Role::Worker(group),
            None => Role::Program,
        }
    }
}

impl Entry {
    fn read(pid: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in parentheses may hold anything, so the fields are counted from its end.
        let (front, fields) = stat.rsplit_once(") ")?;
        let name = front.split_once(" (")?.1.to_owned();
        let mut fields = fields.split(' ');
        if matches!(fields.next()?, "Z" | "X") {
            return None;
        }
        Some(Self { parent: fields.next()?.parse().ok()?, name })
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
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    environment.split(|byte| *byte == 0).find_map(|variable| {
        let value = variable.strip_prefix(GROUP_VARIABLE.as_bytes())?.strip_prefix(b"=")?;
        Some(String::from_utf8_lossy(value).into_owned())
    })
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
