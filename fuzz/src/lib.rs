//! Arbitrary bytes for every reader of what a less trusted side has written, and what must hold
//! then: one module for each fuzz target.
//!
//! A target panics where a rule is broken, and where it takes more memory than its input is worth.
//! The program `fuzz` hands targets to libFuzzer or, built without it, shows them files; the tests
//! run them on the seeds. Faults in memory are not looked for: the code under test has no unsafe.
#![forbid(unsafe_code)]

mod answers;
mod control;
mod directives;
mod environs;
mod frames;
mod headers;
mod log_lines;
mod options;
mod plans;
mod proxies;
mod replies;
mod requests;
mod responses;
mod smaps;
mod target;

pub use target::{TARGETS, Target, VARIABLE};
