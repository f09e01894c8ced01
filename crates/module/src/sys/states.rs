//! The states of process groups, which `wsgid` writes and httpd's processes read.

use std::num::NonZeroUsize;
use std::os::fd::OwnedFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use wsgi::protocol::queue::GroupState;

/// The words of all groups of a configuration, mapped for reading.
#[derive(Debug)]
pub(crate) struct States {
    words: NonNull<AtomicU32>,
    count: usize,
}

// SAFETY: the words are atomic, and the mapping lives as long as the value.
unsafe impl Send for States {}
// SAFETY: as above.
unsafe impl Sync for States {}

impl States {
    /// Zeroed words for `count` groups, and the memory file that holds them, for `wsgid`. The file
    /// keeps its size for ever, so that no process can take the memory away from another.
    pub(crate) fn new(count: usize) -> nix::Result<(Self, OwnedFd)> {
        let file =
            memfd_create(c"wsgi-states", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?;
        let length =
            NonZeroUsize::new(count.max(1) * size_of::<AtomicU32>()).unwrap_or(NonZeroUsize::MIN);
        nix::unistd::ftruncate(&file, i64::try_from(length.get()).unwrap_or(i64::MAX))?;
        let seals = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL;
        fcntl(&file, FcntlArg::F_ADD_SEALS(seals))?;
        // SAFETY: the kernel chooses the place; the file has that length and keeps it, and it is
        // only looked at as atomic words.
        let words =
            unsafe { mmap(None, length, ProtFlags::PROT_READ, MapFlags::MAP_SHARED, &file, 0)? };
        Ok((Self { words: words.cast(), count }, file))
    }

    /// The state of the group at `index`.
    pub(crate) fn get(&self, index: usize) -> GroupState {
        if index >= self.count {
            return GroupState::Served;
        }
        // SAFETY: the index is within the mapping, which is live.
        let word = unsafe { self.words.add(index).as_ref() };
        GroupState::from_shared(word.load(Ordering::Relaxed))
    }
}

impl Drop for States {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `new` with this length, and nothing refers to it any
        // more.
        let _ = unsafe { munmap(self.words.cast(), self.count.max(1) * size_of::<AtomicU32>()) };
    }
}
