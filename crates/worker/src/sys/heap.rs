//! The C library's heap, as far as it can be told what to do.

#[cfg(target_env = "gnu")]
pub(crate) use gnu::{keep_free_chunks, trim_heap};

/// Other C libraries are left to themselves.
#[cfg(not(target_env = "gnu"))]
pub(crate) fn keep_free_chunks() -> usize {
    0
}

/// Other C libraries are left to themselves.
#[cfg(not(target_env = "gnu"))]
pub(crate) fn trim_heap() {}

#[cfg(target_env = "gnu")]
mod gnu {
    use core::ffi::c_void;
    use std::collections::HashMap;

    /// What a fork copies at a time, in bytes.
    const PAGE: usize = 4096;
    /// A chunk of this size or more leaves at least half a page free.
    const LARGE_CHUNK: usize = PAGE / 2;
    const LARGE_CHUNKS: [usize; 8] =
        [128 << 10, 64 << 10, 32 << 10, 16 << 10, 8 << 10, 4 << 10, 3 << 10, LARGE_CHUNK];

    /// Takes the free chunks in pages that are in use for the most part, for the rest of the process's
    /// life, and says how many bytes these are. What is allocated from now on lies side by side, and not
    /// between what a forked process shares.
    pub(crate) fn keep_free_chunks() -> usize {
        let top = top();
        // Large ones first, since a smaller one is cut out of them.
        let large: Vec<_> = LARGE_CHUNKS.iter().flat_map(|size| free_chunks(*size, top)).collect();
        let sizes = (24..LARGE_CHUNK).step_by(16).rev();
        let small: Vec<Chunk> = sizes.flat_map(|size| free_chunks(size, top)).collect();
        let mut pages: HashMap<usize, usize> = HashMap::new();
        for chunk in &small {
            *pages.entry(chunk.page()).or_default() += chunk.size;
        }
        // A page that is free for the most part is as good as a new one.
        let (kept, others): (Vec<_>, Vec<_>) =
            small.into_iter().partition(|chunk| pages[&chunk.page()] < PAGE / 2);
        large.into_iter().chain(others).for_each(Chunk::give_back);
        kept.iter().map(|chunk| chunk.size).sum()
    }

    /// Gives free memory back to the kernel.
    pub(crate) fn trim_heap() {
        // SAFETY: the function may be called at any time.
        unsafe {
            libc::malloc_trim(0);
        }
    }

    /// Memory that was got from malloc and that nobody uses.
    struct Chunk {
        start: *mut c_void,
        size: usize,
    }

    impl Chunk {
        fn page(&self) -> usize {
            self.start.addr() / PAGE
        }

        fn give_back(self) {
            // SAFETY: it is what malloc gave, and is given back once.
            unsafe { libc::free(self.start) };
        }
    }

    /// Where the part of the heap begins that is free to the end.
    fn top() -> usize {
        // SAFETY: the function may be called at any time; nothing is asked for.
        let end = unsafe { libc::sbrk(0) };
        // SAFETY: the function may be called at any time.
        let facts = unsafe { libc::mallinfo() };
        end.addr().saturating_sub(usize::try_from(facts.keepcost).unwrap_or(0))
    }

    /// All free chunks from which one of this size can be cut and that lie before `top`.
    fn free_chunks(size: usize, top: usize) -> Vec<Chunk> {
        let mut chunks = Vec::new();
        loop {
            // SAFETY: memory is asked for.
            let start = unsafe { libc::malloc(size) };
            let chunk = Chunk { start, size };
            if start.is_null() || start.addr() >= top {
                chunk.give_back();
                return chunks;
            }
            chunks.push(chunk);
        }
    }
}
