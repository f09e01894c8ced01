//! Where a server's memory is: what its processes have of each mapping.

use std::collections::BTreeMap;
use std::fs;

use wsgi::process::smaps::Memory;

use crate::process_snapshot::{ProcessSnapshot, Role};
use crate::report::{figure, fine, or_dash, table};

/// The memory of one mapping that the processes of each role have together.
type Shares = BTreeMap<Role, Memory>;

/// Names of mappings, with what may be done with them, and the share of each role.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mappings {
    found: BTreeMap<String, Shares>,
}

/// Bytes of PSS in all processes from which on a mapping has a line of its own.
const WORTH_A_LINE: u64 = 32 * 1024;

impl Mappings {
    /// Reads those of all processes that still live.
    pub(crate) fn take(snapshot: &ProcessSnapshot) -> Self {
        let mut all = Self::default();
        for member in &snapshot.members {
            let text = fs::read_to_string(format!("/proc/{}/smaps", member.pid));
            all.add(member.role, &text.unwrap_or_default());
        }
        all
    }

    fn add(&mut self, role: Role, smaps: &str) {
        for section in sections(smaps) {
            let (head, rest) = section.split_once('\n').unwrap_or((section, ""));
            let Some(memory) = Memory::parse(rest) else { continue };
            *self.found.entry(name(head)).or_default().entry(role).or_default() += memory;
        }
    }

    /// The table: PSS of each mapping in all processes, and in those of each role, with private
    /// bytes in parentheses; the largest first.
    pub(crate) fn table(&self, snapshot: &ProcessSnapshot) -> String {
        let roles = Role::ALL.into_iter().filter(|(role, _)| snapshot.with(*role).next().is_some());
        let roles: Vec<_> = roles.collect();
        let mut head = vec!["PSS (private), MB".to_owned(), "all".to_owned()];
        let count = |role| snapshot.with(role).count();
        head.extend(roles.iter().map(|(role, name)| format!("{name} × {}", count(*role))));
        let sum = |shares: &Shares| shares.values().copied().sum::<Memory>();

        let mut lines: Vec<_> = self.found.iter().collect();
        lines.sort_by_key(|(_, shares)| std::cmp::Reverse(sum(shares).pss));
        let (large, small): (Vec<_>, Vec<_>) =
            lines.into_iter().partition(|(_, shares)| sum(shares).pss >= WORTH_A_LINE);
        let mut others = Shares::new();
        for (role, memory) in small.iter().flat_map(|(_, shares)| shares.iter()) {
            *others.entry(*role).or_default() += *memory;
        }
        let rest = format!("{} others", small.len());
        let large = large.into_iter().map(|(name, shares)| (name.as_str(), shares));

        let line = |(name, shares): (&str, &Shares)| {
            let cell = |(role, _): &(Role, &str)| {
                let memory = shares.get(role)?;
                Some(format!("{} ({})", fine(memory.pss), fine(memory.private)))
            };
            let cells = roles.iter().map(|role| or_dash(cell(role)));
            [name.to_owned(), figure(sum(shares).pss)].into_iter().chain(cells).collect()
        };
        let lines: Vec<Vec<String>> = large.chain([(rest.as_str(), &others)]).map(line).collect();
        table(&head.iter().map(String::as_str).collect::<Vec<_>>(), &lines)
    }
}

/// The sections of `/proc/PID/smaps`: a line `start-end permissions offset device inode path`, and
/// lines of `Name: value`.
fn sections(smaps: &str) -> impl Iterator<Item = &str> {
    let is_head = |line: &str| line.split(' ').next().is_some_and(|word| !word.ends_with(':'));
    let mut starts = Vec::new();
    let mut position = 0;
    for line in smaps.split_inclusive('\n') {
        if is_head(line) {
            starts.push(position);
        }
        position += line.len();
    }
    starts.push(smaps.len());
    let pieces: Vec<_> = starts.windows(2).map(|ends| &smaps[ends[0]..ends[1]]).collect();
    pieces.into_iter()
}

/// The file's name, or what the kernel calls the mapping, with its permissions.
fn name(head: &str) -> String {
    let mut words = head.split_ascii_whitespace();
    let permissions = words.nth(1).unwrap_or_default().to_owned();
    let path = words.skip(3).collect::<Vec<_>>().join(" ");
    let file = path.rsplit('/').next().filter(|file| !file.is_empty()).unwrap_or("anonymous");
    format!("{file} {permissions}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMAPS: &str = "\
1000-3000 r-xp 00001000 fd:01 77                     /usr/lib/a b.so (deleted)
Rss:                   8 kB
Pss:                   4 kB
Private_Clean:         0 kB
VmFlags: rd ex mr mw me
5000-6000 rw-p 00000000 00:00 0
Rss:                  80 kB
Pss:                  64 kB
Private_Dirty:        48 kB
";

    #[test]
    fn mappings_are_named_and_summed() {
        let mut mappings = Mappings::default();
        mappings.add(Role::Worker, SMAPS);
        mappings.add(Role::Worker, SMAPS);
        let names: Vec<_> = mappings.found.keys().map(String::as_str).collect();
        assert_eq!(names, ["a b.so (deleted) r-xp", "anonymous rw-p"]);
        let heap = mappings.found["anonymous rw-p"][&Role::Worker];
        assert_eq!((heap.pss, heap.private), (128 << 10, 96 << 10));
    }

    #[test]
    fn small_ones_share_a_line() {
        let mut mappings = Mappings::default();
        mappings.add(Role::Worker, SMAPS);
        let member = crate::process_snapshot::Member {
            pid: 1,
            role: Role::Worker,
            memory: Memory::default(),
        };
        let text = mappings.table(&ProcessSnapshot { members: vec![member] });
        assert!(text.contains("| anonymous rw-p"), "{text}");
        assert!(text.contains("| 1 others"), "{text}");
        assert!(!text.contains("a b.so"), "{text}");
    }
}
