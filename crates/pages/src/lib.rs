//! Pages of programs and libraries that starting or ending something has touched, and that cost
//! memory for as long as a process keeps them.
//!
//! Pages that can be read from the files again are given back to the kernel: code that reads them
//! later gets the same content, after a moment.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::fs::File;
use std::io::{BufRead, BufReader};

mod mapping;

use mapping::Mapping;

/// Gives back those of all files. Nothing happens where the kernel does not say what is mapped.
pub fn give_back() {
    mappings().filter(Mapping::is_constant).for_each(|mapping| forget(&mapping));
}

/// Gives back those of the program or library that this code is part of, in a process that is
/// another program's. Nothing happens where the kernel does not say what is mapped.
pub fn give_back_own() {
    let here = (give_back_own as fn() as *const c_void).addr();
    let Some(own) = mappings().find(|mapping| mapping.has(here)) else { return };
    let is_own = |mapping: &Mapping| mapping.is_constant() && mapping.file == own.file;
    mappings().filter(is_own).for_each(|mapping| forget(&mapping));
}

/// The private mappings of files in this process.
fn mappings() -> impl Iterator<Item = Mapping> {
    let text = File::open("/proc/self/smaps").map(BufReader::new);
    mapping::parse(text.into_iter().flat_map(|text| text.lines().map_while(Result::ok)))
}

/// Lets the kernel take the pages of a mapping from this process.
fn forget(mapping: &Mapping) {
    assert!(mapping.is_constant(), "what was written would be lost");
    // SAFETY: the range is a private mapping of a file that this process cannot write to and did
    // not write to, as the kernel has just said; code that reads there gets the file's content
    // again.
    unsafe {
        let length = mapping.end - mapping.start;
        libc::madvise(mapping.start as *mut c_void, length, libc::MADV_DONTNEED);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kilobytes that this process has in memory of what it has not made itself.
    fn resident() -> u64 {
        let text = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap();
        let figure = |name| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap()
        };
        figure("Rss:") - figure("Anonymous:")
    }

    #[test]
    fn pages_are_given_back_and_come_again() {
        let before = resident();
        give_back();
        let after = resident();
        assert!(after < before, "{before} kB, and then {after}");
        give_back_own();
        assert!(resident() < before);
    }

    #[test]
    fn the_own_program_is_found() {
        let here = (give_back_own as fn() as *const c_void).addr();
        let own = mappings().find(|mapping| mapping.has(here)).unwrap();
        assert!(own.is_constant(), "{own:?}");
        assert_eq!(own.file, std::env::current_exe().unwrap().display().to_string());
    }
}
