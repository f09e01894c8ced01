//! Bytes that wait between a client and a worker that differ in speed.
//!
//! The first of them are kept in memory, the others in a file without a name.

use std::fs::File;
use std::os::unix::fs::FileExt;

/// Up to so many bytes are kept in memory.
const IN_MEMORY: usize = 64 * 1024;

/// A queue of bytes.
#[derive(Debug, Default)]
pub(crate) struct Spool {
    memory: Vec<u8>,
    /// How much of `memory` was taken.
    taken: usize,
    /// The bytes that came when `memory` was full.
    file: Option<Overflow>,
}

/// A file of which a part was taken.
#[derive(Debug)]
struct Overflow {
    file: File,
    taken: u64,
    length: u64,
}

impl Spool {
    /// How many bytes wait.
    pub(crate) fn len(&self) -> u64 {
        let in_file = self.file.as_ref().map_or(0, |file| file.length - file.taken);
        (self.memory.len() - self.taken) as u64 + in_file
    }

    /// Whether none waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Puts all of `bytes` at the end; nothing of them if that fails.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        if self.file.is_none() && self.memory.len() + bytes.len() <= IN_MEMORY {
            self.memory.extend_from_slice(bytes);
            return Ok(());
        }
        let overflow = match &mut self.file {
            Some(overflow) => overflow,
            None => self.file.insert(Overflow { file: tempfile::tempfile()?, taken: 0, length: 0 }),
        };
        overflow.file.write_all_at(bytes, overflow.length)?;
        overflow.length += bytes.len() as u64;
        Ok(())
    }

    /// Takes bytes from the front into `room`; gives how many. 0 if none waits.
    pub(crate) fn take(&mut self, room: &mut [u8]) -> std::io::Result<usize> {
        let rest = &self.memory[self.taken..];
        if !rest.is_empty() {
            let count = rest.len().min(room.len());
            room[..count].copy_from_slice(&rest[..count]);
            self.taken += count;
            if self.taken == self.memory.len() {
                (self.memory, self.taken) = (Vec::new(), 0);
            }
            return Ok(count);
        }
        let Some(overflow) = &mut self.file else { return Ok(0) };
        let left = usize::try_from(overflow.length - overflow.taken).unwrap_or(usize::MAX);
        let length = left.min(room.len());
        overflow.file.read_exact_at(&mut room[..length], overflow.taken)?;
        overflow.taken += length as u64;
        if overflow.taken == overflow.length {
            self.file = None;
        }
        Ok(length)
    }
}
