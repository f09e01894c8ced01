//! The memory that processes cost, as `/proc/PID/smaps_rollup` tells.
//!
//! The caller, which may do I/O, reads the file.

use std::iter::Sum;
use std::ops::{Add, AddAssign};

/// The memory of one process, or of several: bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Memory {
    /// Resident: all pages that the process has in memory. Pages of several processes are counted
    /// by each, so a sum over processes says little.
    pub rss: u64,
    /// Proportional: each page divided by the number of processes that have it. The sum over all
    /// processes is what they really cost.
    pub pss: u64,
    /// Pages that no other process has: what ending this one would give back.
    pub private: u64,
    /// Resident pages that come from no file: what a process has made itself or shares with the one
    /// that it was forked from.
    pub anonymous: u64,
    /// The proportional part of those.
    pub pss_anonymous: u64,
    /// Pages that were written out to swap; counted in none of the others.
    pub swap: u64,
}

impl Memory {
    /// Reads the text of `/proc/PID/smaps_rollup`, or of `smaps`. `None` where a figure is missing:
    /// the kernel is without it, or the process was ending.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut found = Found::default();
        for line in text.lines() {
            let Some((name, value)) = line.split_once(':') else { continue };
            let Some(kilobytes) = value.trim().strip_suffix(" kB") else { continue };
            let Ok(kilobytes) = kilobytes.trim().parse::<u64>() else { continue };
            found.add(name, kilobytes.saturating_mul(1024));
        }
        Some(Self {
            rss: found.rss?,
            pss: found.pss?,
            private: found.private?,
            anonymous: found.anonymous.unwrap_or(0),
            pss_anonymous: found.pss_anonymous.unwrap_or(0),
            swap: found.swap.unwrap_or(0),
        })
    }

    /// The memory that the process would cost if it had not been forked, and so shared nothing but
    /// files.
    #[must_use]
    pub fn alone(&self) -> u64 {
        self.pss.saturating_sub(self.pss_anonymous).saturating_add(self.anonymous)
    }

    /// Pages that others have too.
    #[must_use]
    pub fn shared(&self) -> u64 {
        self.rss.saturating_sub(self.private)
    }
}

#[derive(Default)]
struct Found {
    rss: Option<u64>,
    pss: Option<u64>,
    private: Option<u64>,
    anonymous: Option<u64>,
    pss_anonymous: Option<u64>,
    swap: Option<u64>,
}

impl Found {
    fn add(&mut self, name: &str, bytes: u64) {
        let place = match name {
            "Rss" => &mut self.rss,
            "Pss" => &mut self.pss,
            "Private_Clean" | "Private_Dirty" => &mut self.private,
            "Anonymous" => &mut self.anonymous,
            "Pss_Anon" => &mut self.pss_anonymous,
            "Swap" => &mut self.swap,
            _ => return,
        };
        let sum = place.get_or_insert(0);
        *sum = sum.saturating_add(bytes);
    }
}

/// The role of a process of a server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// httpd's parent process.
    Parent,
    /// A child of httpd.
    Child,
    /// `wsgid`.
    Supervisor,
    /// The template of a process group.
    Template(String),
    /// A worker of a process group.
    Worker(String),
    /// A program that one of the others has started.
    Program,
}

impl Role {
    /// The process group that it belongs to.
    #[must_use]
    pub fn group(&self) -> Option<&str> {
        match self {
            Self::Template(group) | Self::Worker(group) => Some(group),
            _ => None,
        }
    }
}

/// The processes of a process group together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupMemory {
    /// How many workers there are.
    pub workers: usize,
    /// Whether there is a template.
    pub template: bool,
    /// The memory of all of them.
    pub memory: Memory,
    /// The memory that the workers would cost, each started by itself; about, since the pages of
    /// files that they share are shared with others, too.
    pub without_template: u64,
}

impl GroupMemory {
    /// Adds a process.
    pub fn add(&mut self, role: &Role, memory: Memory) {
        self.memory += memory;
        if matches!(role, Role::Template(_)) {
            self.template = true;
        } else {
            self.workers += 1;
            self.without_template = self.without_template.saturating_add(memory.alone());
        }
    }
}

impl Add for Memory {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            rss: self.rss.saturating_add(other.rss),
            pss: self.pss.saturating_add(other.pss),
            private: self.private.saturating_add(other.private),
            anonymous: self.anonymous.saturating_add(other.anonymous),
            pss_anonymous: self.pss_anonymous.saturating_add(other.pss_anonymous),
            swap: self.swap.saturating_add(other.swap),
        }
    }
}

impl AddAssign for Memory {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Memory {
    fn sum<I: Iterator<Item = Self>>(items: I) -> Self {
        items.fold(Self::default(), Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLLUP: &str = "\
55d0c8a00000-7ffd2b5fe000 ---p 00000000 00:00 0                          [rollup]
Rss:                3300 kB
Pss:                1411 kB
Pss_Dirty:           600 kB
Pss_Anon:            811 kB
Anonymous:          1300 kB
Shared_Clean:       2100 kB
Private_Clean:       500 kB
Private_Dirty:       700 kB
Swap:                 12 kB
SwapPss:              12 kB
";

    #[test]
    fn figures_are_read_and_summed() {
        let memory = Memory::parse(ROLLUP).unwrap();
        let expected = Memory {
            rss: 3300 << 10,
            pss: 1411 << 10,
            private: 1200 << 10,
            anonymous: 1300 << 10,
            pss_anonymous: 811 << 10,
            swap: 12 << 10,
        };
        assert_eq!(memory, expected);
        assert_eq!(memory.alone(), 1900 << 10);
        assert_eq!(memory.shared(), 2100 << 10);
        assert_eq!([memory, memory].into_iter().sum::<Memory>().pss, 2822 << 10);
    }

    /// The text names files, and a group names its files as it likes.
    #[test]
    fn figures_beyond_all_memory_are_the_most_there_is() {
        let most = format!("Rss: {0} kB\nPss: 1 kB\nPrivate_Dirty: {0} kB\n", u64::MAX);
        let text = format!("{most}Private_Clean: 4 kB\nAnonymous: {} kB\n", u64::MAX);
        let memory = Memory::parse(&text).unwrap();
        assert_eq!((memory.rss, memory.pss, memory.private), (u64::MAX, 1024, u64::MAX));
        let mut group = GroupMemory::default();
        group.add(&Role::Worker("a".into()), memory);
        group.add(&Role::Worker("a".into()), memory);
        assert_eq!((group.memory.rss, group.without_template), (u64::MAX, u64::MAX));
    }

    #[test]
    fn a_process_that_was_ending_has_no_figures() {
        assert_eq!(Memory::parse(""), None);
        assert_eq!(Memory::parse("Rss: 12 kB\nPss: x kB\n"), None);
    }
}
