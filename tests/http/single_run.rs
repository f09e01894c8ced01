//! Tests that take long, and so run once and not with each Python and each MPM.
//!
//! They belong to the run with the system's Python and the event MPM; the others say that they
//! leave them out.

use std::fs;
use std::io::{self, Write as _};

use testkit::{Mpm, installation};

/// Whether this run is the one for long tests. If it is not, that is printed, past the capture of
/// the output of tests.
pub(crate) fn is_this(test: &str) -> bool {
    let (python, mpm) = (installation::python(), Mpm::from_environment().unwrap());
    let is_system = fs::canonicalize(&python).ok() == fs::canonicalize("/usr/bin/python3").ok();
    let now = is_system && mpm == Mpm::Event;
    if !now {
        let line = format!(
            "{test}: left out with {} and {}: it runs with the system's Python and event only\n",
            python.display(),
            mpm.name()
        );
        io::stdout().write_all(line.as_bytes()).unwrap();
    }
    now
}
