//! The engine, run on a real CPython over an exchange in memory.
#![cfg_attr(libpython, expect(clippy::unwrap_used, reason = "a test that cannot go on has failed"))]

#[cfg(libpython)]
mod suite;

#[cfg(not(libpython))]
#[test]
fn libpython_is_there() {
    panic!("the tests cannot run: {}", env!("NO_LIBPYTHON"));
}
