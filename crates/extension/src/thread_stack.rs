//! Stacks of the threads that run applications.
//!
//! Rust gives its threads 2 MiB, which recursion through C code uses up sooner than Python's own
//! limit stops it. These get what the system gives to a thread. Only what is used of a stack takes
//! memory.

use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};

/// The size where the system sets no limit.
const USUAL: u64 = 8 << 20;

/// Bytes of a stack: as the configuration says, else as the system gives to threads (`ulimit -s`).
pub(crate) fn size(configured: Option<u64>) -> usize {
    let system = || match getrlimit(Resource::RLIMIT_STACK) {
        Ok((soft, _)) if soft != RLIM_INFINITY => soft,
        _ => USUAL,
    };
    usize::try_from(configured.unwrap_or_else(system)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_comes_before_the_system() {
        assert_eq!(size(Some(3 << 20)), 3 << 20);
        let (soft, _) = getrlimit(Resource::RLIMIT_STACK).unwrap();
        let expected = if soft == RLIM_INFINITY { USUAL } else { soft };
        assert_eq!(size(None) as u64, expected);
    }
}
