//! Files that are mapped into a process, such as libraries, as `/proc/PID/smaps` tells.

/// A private mapping of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mapping {
    /// The first address.
    pub(crate) start: usize,
    /// The first address behind it.
    pub(crate) end: usize,
    /// The file's path.
    pub(crate) file: String,
    /// Whether the process can write to it.
    pub(crate) writable: bool,
    /// Kilobytes of pages that the process has written to, and that are no longer the file's.
    pub(crate) anonymous: u64,
    /// Kilobytes of such pages that are swapped out: they count as anonymous no more.
    pub(crate) swapped: u64,
}

impl Mapping {
    /// Whether all of it is as it is in the file, and stays so.
    pub(crate) fn is_constant(&self) -> bool {
        !self.writable && self.anonymous == 0 && self.swapped == 0
    }

    /// Whether the address is in it.
    pub(crate) fn has(&self, address: usize) -> bool {
        (self.start..self.end).contains(&address)
    }
}

/// All private mappings of files, one after the other: the caller wants to save memory. Each begins
/// with a line of `start-end permissions offset device inode path`; lines of `Name: value` follow.
pub(crate) fn parse(lines: impl Iterator<Item = String>) -> impl Iterator<Item = Mapping> {
    let mut lines = lines.fuse();
    let mut current: Option<Mapping> = None;
    std::iter::from_fn(move || {
        loop {
            let Some(line) = lines.next() else { return current.take() };
            if let Some((mapping, of_file)) = head(&line) {
                let ended = std::mem::replace(&mut current, of_file.then_some(mapping));
                if ended.is_some() {
                    return ended;
                }
            } else if let Some(mapping) = &mut current
                && let Some((name, value)) = line.split_once(':')
            {
                let place = match name {
                    "Anonymous" => &mut mapping.anonymous,
                    "Swap" => &mut mapping.swapped,
                    _ => continue,
                };
                let kilobytes = value.trim().strip_suffix(" kB").map(str::parse);
                *place = kilobytes.and_then(Result::ok).unwrap_or(u64::MAX);
            }
        }
    })
}

/// A first line: the mapping, and whether it is a private one of a file. Until the kernel has said
/// otherwise, all of it was written to.
fn head(line: &str) -> Option<(Mapping, bool)> {
    let mut words = line.splitn(6, ' ');
    let (start, end) = words.next()?.split_once('-')?;
    let address = |text| usize::from_str_radix(text, 16).ok();
    let (start, end) = (address(start)?, address(end)?);
    let permissions = words.next()?;
    let is_file = words.nth(2)? != "0";
    let file = words.next().unwrap_or_default().trim_start().to_owned();
    let writable = permissions.contains('w');
    let mapping = Mapping { start, end, file, writable, anonymous: u64::MAX, swapped: u64::MAX };
    Some((mapping, permissions.ends_with('p') && is_file))
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
Swap:                  0 kB
VmFlags: rd ex mr mw me
3000-4000 r--p 00003000 fd:01 77                     /usr/lib/a b.so (deleted)
Anonymous:             4 kB
4000-5000 rw-p 00003000 fd:01 77                     /usr/lib/a b.so (deleted)
Anonymous:             0 kB
5000-6000 rw-p 00000000 00:00 0                      [heap]
Anonymous:             4 kB
6000-7000 rw-s 00000000 00:01 9                      /dev/zero (deleted)
Anonymous:             0 kB
8000-9000 r--p 00000000 fd:01 78                     /usr/lib/c.so
9000-a000 r--p 00001000 fd:01 78                     /usr/lib/c.so
Anonymous:             0 kB
Swap:                  4 kB
SwapPss:               4 kB
a000-b000 r--p 00002000 fd:01 78                     /usr/lib/c.so
Anonymous:             0 kB
";
        let found: Vec<Mapping> = parse(text.lines().map(str::to_owned)).collect();
        let places: Vec<_> = found.iter().map(|one| (one.start, one.end, one.anonymous)).collect();
        let expected = [
            (0x1000, 0x3000, 0),
            (0x3000, 0x4000, 4),
            (0x4000, 0x5000, 0),
            (0x8000, 0x9000, u64::MAX),
            (0x9000, 0xa000, 0),
            (0xa000, 0xb000, 0),
        ];
        assert_eq!(places, expected);
        let constant: Vec<bool> = found.iter().map(Mapping::is_constant).collect();
        assert_eq!(
            constant,
            [true, false, false, false, false, false],
            "what was swapped out was written to, and what was not said is not taken for granted"
        );
        assert_eq!(found[0].file, "/usr/lib/a b.so (deleted)");
        assert!(found[0].has(0x1000) && !found[0].has(0x3000));
    }
}
