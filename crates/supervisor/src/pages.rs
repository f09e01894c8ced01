//! Pages of this program and its libraries that starting and ending processes has touched.

use std::fs::File;
use std::io::BufReader;
use std::time::Duration;

use wsgi::mappings;

use crate::sys;

/// For so long nothing must have happened before they are given back: what happens comes in bursts.
pub(crate) const QUIET: Duration = Duration::from_millis(200);

/// Gives back what can be read from the files again: most of it is not needed until a process ends.
pub(crate) fn give_back() {
    let Ok(text) = File::open("/proc/self/smaps").map(BufReader::new) else { return };
    mappings::parse(text).iter().filter(|one| one.is_unchanged()).for_each(sys::forget);
}
