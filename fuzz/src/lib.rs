//! What is done with arbitrary bytes, and what must hold then: one function for each fuzz target.
//!
//! A function panics where a rule is broken. The programs in `src/bin` hand them to libFuzzer or, built
//! without it, show them files; the tests run them on the seeds. Memory safety is not looked for: the
//! code under test has no unsafe.
#![forbid(unsafe_code)]

mod directives;
mod frames;
mod headers;
mod replay;

pub use directives::directives;
pub use frames::frames;
pub use headers::headers;
pub use replay::{Target, replay};
