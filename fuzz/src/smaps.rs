//! The kernel's report on a process's memory, with names of files that a group has chosen.

use wsgi::process::smaps::{GroupMemory, Memory, Role};

/// The text of `/proc/PID/smaps_rollup`. Figures are read or missing, and can be summed.
///
/// # Panics
/// Where a sum goes beyond all numbers.
pub(crate) fn smaps(bytes: &[u8]) {
    let Some(memory) = Memory::parse(&String::from_utf8_lossy(bytes)) else { return };
    let _ = (memory.alone(), memory.shared());
    let mut group = GroupMemory::default();
    for _ in 0..3 {
        group.add(&Role::Worker("site".into()), memory);
    }
    assert!(group.memory.rss >= memory.rss);
    let sum: Memory = [memory, group.memory].into_iter().sum();
    assert!(sum.pss >= memory.pss);
}
