//! Files that are mapped into a process, such as libraries, as `/proc/PID/smaps` tells.

use std::io::BufRead;

/// A private mapping of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileMapping {
    /// The first address.
    pub start: usize,
    /// The first address behind it.
    pub end: usize,
    /// Kilobytes of pages that the process has written to, and that are no longer the file's.
    pub anonymous: u64,
}

impl FileMapping {
    /// Whether all of it is as it is in the file.
    pub fn is_unchanged(&self) -> bool {
        self.anonymous == 0
    }
}

/// All private mappings of files. Each begins with a line of `start-end permissions offset device inode
/// path`; lines of `Name: value` follow. The text is never held as a whole: whoever asks wants to save
/// memory. What cannot be read ends it.
pub fn parse(text: impl BufRead) -> Vec<FileMapping> {
    let mut found: Vec<FileMapping> = Vec::new();
    let mut wanted = false;
    for line in text.lines().map_while(Result::ok) {
        let line = line.as_str();
        if let Some((mapping, of_file)) = head(line) {
            wanted = of_file;
            found.extend(wanted.then_some(mapping));
        } else if let Some(value) = line.strip_prefix("Anonymous:")
            && wanted
            && let Some(last) = found.last_mut()
            && let Some(kilobytes) = value.trim().strip_suffix(" kB")
        {
            last.anonymous = kilobytes.parse().unwrap_or(u64::MAX);
        }
    }
    found
}

/// A first line: the mapping, and whether it is a private one of a file. Until the kernel has said
/// otherwise, all of it was written to.
fn head(line: &str) -> Option<(FileMapping, bool)> {
    let mut words = line.split_ascii_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let address = |text| usize::from_str_radix(text, 16).ok();
    let mapping = FileMapping { start: address(start)?, end: address(end)?, anonymous: u64::MAX };
    let is_private = words.next()?.ends_with('p');
    let is_file = words.nth(2)? != "0";
    Some((mapping, is_private && is_file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_mappings_of_files_are_found() {
        let text = "\
1000-3000 r-xp 00001000 fd:01 77                     /usr/lib/a b.so (deleted)
Rss:                   8 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me
3000-4000 r--p 00003000 fd:01 77                     /usr/lib/a b.so (deleted)
Anonymous:             4 kB
5000-6000 rw-p 00000000 00:00 0                      [heap]
Anonymous:             4 kB
6000-7000 rw-s 00000000 00:01 9                      /dev/zero (deleted)
Anonymous:             0 kB
8000-9000 r--p 00000000 fd:01 78                     /usr/lib/c.so
";
        let found = parse(text.as_bytes());
        let expected = [(0x1000, 0x3000, 0), (0x3000, 0x4000, 4), (0x8000, 0x9000, u64::MAX)];
        let expected =
            expected.map(|(start, end, anonymous)| FileMapping { start, end, anonymous });
        assert_eq!(found, expected);
        let unchanged: Vec<bool> = found.iter().map(FileMapping::is_unchanged).collect();
        assert_eq!(unchanged, [true, false, false], "what was not said is not taken for granted");
    }

    #[test]
    fn this_process_maps_its_program() {
        let text = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let here = this_process_maps_its_program as fn() as usize;
        let found = parse(text.as_bytes());
        let program = found.iter().find(|one| (one.start..one.end).contains(&here)).unwrap();
        assert!(program.is_unchanged(), "{program:?}");
    }
}
