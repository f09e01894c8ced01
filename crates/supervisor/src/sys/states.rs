//! The states of the groups, which httpd's processes read.

use std::num::NonZeroUsize;
use std::os::fd::OwnedFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::mman::{MapFlags, ProtFlags, mmap};
use wsgi::protocol::queue::GroupState;

/// The words of all groups, mapped until this process ends.
#[derive(Debug)]
pub(crate) struct States {
    words: NonNull<AtomicU32>,
    count: usize,
}

impl States {
    /// Maps the memory file, which has a word for each of `count` groups.
    pub(crate) fn new(file: &OwnedFd, count: usize) -> nix::Result<Self> {
        let length =
            NonZeroUsize::new(count.max(1) * size_of::<AtomicU32>()).unwrap_or(NonZeroUsize::MIN);
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: the kernel chooses the place. httpd's parent has made the file with this length
        // and sealed it, so it never gets shorter; the words are only used atomically.
        let words = unsafe { mmap(None, length, protection, MapFlags::MAP_SHARED, file, 0)? };
        Ok(Self { words: words.cast(), count })
    }

    /// Publishes the state of the group at `index`.
    pub(crate) fn set(&self, index: usize, state: GroupState) {
        if index < self.count {
            // SAFETY: the index is within the mapping, which is never unmapped.
            unsafe { self.words.add(index).as_ref() }.store(state as u32, Ordering::Relaxed);
        }
    }
}
