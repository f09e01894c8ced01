//! What a process costs in memory, as `/proc/PID/smaps_rollup` tells.
//!
//! The reading of the file is left to whoever may do I/O.

use std::iter::Sum;
use std::ops::{Add, AddAssign};

/// The memory of one process, or of several: bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Memory {
    /// Resident: all pages that the process has in memory. Pages of several processes are counted by
    /// each, so a sum over processes says little.
    pub rss: u64,
    /// Proportional: each page divided by the number of processes that have it. The sum over all
    /// processes is what they really cost.
    pub pss: u64,
    /// Pages that no other process has: what ending this one would give back.
    pub private: u64,
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
            found.add(name, kilobytes * 1024);
        }
        Some(Self {
            rss: found.rss?,
            pss: found.pss?,
            private: found.private?,
            swap: found.swap.unwrap_or(0),
        })
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
    swap: Option<u64>,
}

impl Found {
    fn add(&mut self, name: &str, bytes: u64) {
        let place = match name {
            "Rss" => &mut self.rss,
            "Pss" => &mut self.pss,
            "Private_Clean" | "Private_Dirty" => &mut self.private,
            "Swap" => &mut self.swap,
            _ => return,
        };
        *place.get_or_insert(0) += bytes;
    }
}

impl Add for Memory {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            rss: self.rss + other.rss,
            pss: self.pss + other.pss,
            private: self.private + other.private,
            swap: self.swap + other.swap,
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
Shared_Clean:       2100 kB
Private_Clean:       500 kB
Private_Dirty:       700 kB
Swap:                 12 kB
SwapPss:              12 kB
";

    #[test]
    fn figures_are_read_and_summed() {
        let memory = Memory::parse(ROLLUP).unwrap();
        let expected =
            Memory { rss: 3300 << 10, pss: 1411 << 10, private: 1200 << 10, swap: 12 << 10 };
        assert_eq!(memory, expected);
        assert_eq!(memory.shared(), 2100 << 10);
        assert_eq!([memory, memory].into_iter().sum::<Memory>().pss, 2822 << 10);
    }

    #[test]
    fn a_process_that_was_ending_has_no_figures() {
        assert_eq!(Memory::parse(""), None);
        assert_eq!(Memory::parse("Rss: 12 kB\nPss: x kB\n"), None);
    }
}
