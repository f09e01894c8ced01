//! The C library's heap, as far as it can be told what to do.

#[cfg(target_env = "gnu")]
pub(crate) use gnu::{expect_bodies, reserve_free_chunks, trim_heap};

/// Other C libraries are left to themselves.
#[cfg(not(target_env = "gnu"))]
pub(crate) fn reserve_free_chunks() -> usize {
    0
}

/// Other C libraries are left to themselves.
#[cfg(not(target_env = "gnu"))]
pub(crate) fn trim_heap() {}

/// Other C libraries are left to themselves.
#[cfg(not(target_env = "gnu"))]
pub(crate) fn expect_bodies() {}

#[cfg(target_env = "gnu")]
mod gnu {
    use core::ffi::c_void;
    use std::collections::HashMap;
    use std::thread;

    /// The unit that a fork copies, in bytes.
    const PAGE: usize = 4096;
    /// A chunk of this size or more leaves at least half a page free.
    const LARGE_CHUNK: usize = PAGE / 2;
    const LARGE_CHUNKS: [usize; 8] =
        [128 << 10, 64 << 10, 32 << 10, 16 << 10, 8 << 10, 4 << 10, 3 << 10, LARGE_CHUNK];
    /// The smallest chunk in malloc's own count, and what each has beyond what was asked for.
    const SMALLEST: usize = 24;
    const HEAD: usize = 8;
    /// What a request may have in memory of its body and its response, in bytes.
    const USUAL_BODY: usize = 256 << 10;
    /// Room for so many from the start, since a list that grows leaves chunks behind. It lies in
    /// the heap: to give back memory that malloc got from the kernel makes it get less from there.
    const MANY: usize = 4 * 1024;

    /// Takes the free chunks in pages that others use, for the rest of the process's life, and says
    /// how many bytes these are. Chunks allocated from now on lie side by side, and not between
    /// those that a forked process shares. The process has no other threads.
    pub(crate) fn reserve_free_chunks() -> usize {
        let top = top();
        let mut large = Vec::with_capacity(MANY);
        let mut small = Vec::with_capacity(MANY);
        let mut behind = Vec::with_capacity(LARGE_CHUNK / 16 + LARGE_CHUNKS.len());
        // Large ones first, since a smaller one is cut out of them.
        for size in LARGE_CHUNKS {
            behind.extend(take(size, top, &mut large));
        }
        for size in (SMALLEST..LARGE_CHUNK).step_by(16).rev() {
            behind.extend(take(size, top, &mut small));
        }
        let mut pages: HashMap<usize, usize> = HashMap::with_capacity(MANY / 4);
        for chunk in &small {
            *pages.entry(chunk.page()).or_default() += chunk.size + HEAD;
        }
        // A page without a used chunk is as good as a new one.
        let is_kept = |chunk: &Chunk| pages[&chunk.page()] < PAGE;
        let kept = small.iter().filter(|chunk| is_kept(chunk)).map(|chunk| chunk.size).sum();
        small.retain(|chunk| !is_kept(chunk));
        give_back(large.into_iter().chain(small).chain(behind).collect());
        kept
    }

    /// Gives free memory back to the kernel.
    pub(crate) fn trim_heap() {
        // SAFETY: the function may be called at any time.
        unsafe {
            libc::malloc_trim(0);
        }
    }

    /// Has malloc expect that what bodies and responses take comes and goes. At first it gives a
    /// heap's free end back to the kernel as soon as it is 128 KiB long, so that a body of 64 KiB
    /// costs new pages for each of its copies. Whenever a larger block is given back, which malloc
    /// has got from the kernel for itself, it keeps twice as much of each heap (mallopt(3)); a
    /// process that has loaded an application from a template has often seen one, another one not.
    pub(crate) fn expect_bodies() {
        // SAFETY: memory is asked for, and given back once.
        unsafe { libc::free(std::hint::black_box(libc::malloc(USUAL_BODY))) };
    }

    /// Memory that was got from malloc and is not in use.
    struct Chunk {
        start: *mut c_void,
        size: usize,
    }

    // SAFETY: no other code has its address, and any thread may give it back.
    unsafe impl Send for Chunk {}

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

    /// Takes all free chunks from which one of this size can be cut and that lie before `top`.
    /// Gives the first that does not.
    fn take(size: usize, top: usize, chunks: &mut Vec<Chunk>) -> Option<Chunk> {
        loop {
            // SAFETY: memory is asked for.
            let start = unsafe { libc::malloc(size) };
            if start.is_null() {
                return None;
            }
            let chunk = Chunk { start, size };
            if start.addr() >= top {
                return Some(chunk);
            }
            chunks.push(chunk);
        }
    }

    /// Gives chunks back so that neighbours become one again. A thread keeps the last few of each
    /// size for itself, apart from each other, until it ends: so that is done by one that ends.
    fn give_back(chunks: Vec<Chunk>) {
        let builder = thread::Builder::new().stack_size(64 * 1024);
        let ended = builder.spawn(move || chunks.into_iter().for_each(Chunk::give_back));
        // A chunk that cannot be given back stays taken, which costs no page that was not there.
        let _ = ended.map(thread::JoinHandle::join);
        trim_heap();
    }
}
