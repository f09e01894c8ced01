//! Free blocks of Python's allocator, between those that are in use.
//!
//! A process that was forked gets a copy of each page that it writes to. New objects go to free
//! blocks first, which lie scattered between objects that the processes share, so a few bytes cost
//! a page each. Before a fork such blocks are therefore taken and kept; afterwards new objects lie
//! side by side.

use core::ffi::c_void;
use std::collections::HashMap;

use pyo3_ffi as ffi;

use crate::attach::attached::Attached;

/// Sizes of blocks are multiples of this many bytes.
const STEP: usize = 16;
/// Larger blocks come from the C library.
const LARGEST: usize = 512;
/// Blocks side by side for so many bytes are a pool that is not in use: from 3.10 on pools have 16
/// KiB, of which a header and the rest of the division are no blocks.
const ROW: usize = 16 * 1024 - LARGEST - 64;
/// So many bytes of a size without such a row: this allocator works differently.
const MOST: usize = 4 << 20;
/// The head of a pool has no more bytes.
const HEAD: usize = 64;
/// The unit that a fork copies.
const PAGE: usize = 4096;

impl Attached<'_> {
    /// Takes the free blocks of pages that are in use, for the rest of the process's life, and says
    /// how many bytes these are. Other allocators than Python's own are left as they were.
    pub fn reserve_free_blocks(self) -> usize {
        (STEP..=LARGEST).step_by(STEP).map(keep).sum()
    }

    /// Forgets what CPython remembers of the attributes of classes. It finds them again; but names
    /// that code has put together, such as for `getattr`, were kept alive by that, each in another
    /// page.
    pub fn forget_attributes(self) {
        // SAFETY: the thread is attached.
        unsafe { ffi::PyType_ClearCache() };
    }
}

/// The same for blocks of one size. Python's allocator first gives what is free in pools that are
/// in use, in any order, and then a whole pool from its beginning to its end.
fn keep(size: usize) -> usize {
    let mut blocks: Vec<*mut c_void> = Vec::new();
    let mut row = 0;
    while row * size < ROW {
        // SAFETY: the thread is attached.
        let block = unsafe { ffi::PyObject_Malloc(size) };
        if block.is_null() || blocks.len() * size > MOST {
            give_back(blocks.into_iter().chain([block]));
            return 0;
        }
        let follows = blocks.last().is_some_and(|last| last.addr() + size == block.addr());
        row = if follows { row + 1 } else { 1 };
        blocks.push(block);
    }
    give_back(blocks.split_off(blocks.len() - row).into_iter());
    let mut pages: HashMap<usize, usize> = HashMap::new();
    for block in &blocks {
        *pages.entry(block.addr() / PAGE).or_default() += size;
    }
    // A page that holds nothing else is as good as a new one. Blocks do not fill a page, and one
    // may have the head of its pool.
    let (kept, others): (Vec<_>, Vec<_>) =
        blocks.into_iter().partition(|block| pages[&(block.addr() / PAGE)] < PAGE - size - HEAD);
    give_back(others.into_iter());
    kept.len() * size
}

/// The block that was given back last is given out first: from the front to the back, again.
fn give_back(blocks: impl DoubleEndedIterator<Item = *mut c_void>) {
    for block in blocks.rev() {
        // SAFETY: the thread is attached; `keep` got the block and no other code uses it. Null is
        // no block, and nothing happens.
        unsafe { ffi::PyObject_Free(block) };
    }
}
