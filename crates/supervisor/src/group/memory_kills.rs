//! Whether the kernel has killed processes because there was no memory left.

use std::sync::atomic::{AtomicU64, Ordering};

/// How often the kernel had done so when it was last asked about; the first time it says nothing
/// new.
static KNOWN: AtomicU64 = AtomicU64::new(u64::MAX);

/// Notes what there was before.
pub(crate) fn begin() {
    KNOWN.store(count(), Ordering::Relaxed);
}

/// Whether the kernel has done so since the last call. It counts for the whole machine, so this is
/// a good guess and no proof.
pub(crate) fn is_new() -> bool {
    let count = count();
    count > KNOWN.swap(count, Ordering::Relaxed)
}

fn count() -> u64 {
    let text = std::fs::read_to_string("/proc/vmstat").unwrap_or_default();
    parse(&text).unwrap_or(0)
}

fn parse(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("oom_kill "))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_figure_is_found() {
        assert_eq!(parse("nr_free_pages 3\noom_kill 7\nlast 1\n"), Some(7));
        assert_eq!(parse("nr_free_pages 3\n"), None);
    }
}
