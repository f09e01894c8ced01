//! Words of memory that the processes of a group share.

use std::num::NonZeroUsize;
use std::os::fd::OwnedFd;
use std::sync::atomic::AtomicU64;

use nix::sys::mman::{MapFlags, ProtFlags, mmap};
use nix::sys::stat::fstat;

/// Maps a memory file whose size is sealed, for the life of the process.
pub(crate) fn map_words(file: &OwnedFd) -> nix::Result<&'static [AtomicU64]> {
    let size = usize::try_from(fstat(file)?.st_size).unwrap_or(0);
    let count = size / size_of::<AtomicU64>();
    let Some(length) = NonZeroUsize::new(count * size_of::<AtomicU64>()) else { return Ok(&[]) };
    let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    // SAFETY: the kernel chooses the place, which begins a page. The file has that length and keeps
    // it, it is only looked at as atomic words, for which any bytes are a value, and the mapping is
    // never taken away.
    unsafe {
        let words = mmap(None, length, protection, MapFlags::MAP_SHARED, file, 0)?;
        Ok(std::slice::from_raw_parts(words.as_ptr().cast(), count))
    }
}
