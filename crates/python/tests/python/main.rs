//! The safe door to CPython, tried on a real one. All tests share one initialised Python.
#![cfg_attr(libpython, expect(clippy::unwrap_used, reason = "a test that cannot go on has failed"))]

#[cfg(libpython)]
mod suite;

#[cfg(not(libpython))]
#[test]
fn libpython_is_there() {
    panic!("the tests cannot run: {}", env!("NO_LIBPYTHON"));
}
