//! Scripts that were loaded before this process was forked from its template.
//!
//! Such a script is not loaded anew in a worker that finds it changed: the worker serves on with
//! what it has until others, forked from a new template, take its place.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};

use wsgi::lock::lock;

/// The scripts, and what was told about them.
#[derive(Debug, Default)]
pub(crate) struct Preloaded {
    scripts: Mutex<HashMap<Vec<u8>, Told>>,
    changed: AtomicBool,
}

/// The last report about a script.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Nothing,
    /// That it was changed, and had this modification time.
    Changed(Option<i64>),
}

impl Preloaded {
    /// Notes a script that was loaded.
    pub(crate) fn add(&self, script: &[u8]) {
        self.lock().insert(script.to_vec(), Told::Nothing);
    }

    /// A script was found changed; true if it is one of these, which has to do for now.
    pub(crate) fn keeps(&self, script: &[u8], modified: Option<i64>) -> bool {
        let mut scripts = self.lock();
        let Some(told) = scripts.get_mut(script) else { return false };
        if *told != Told::Changed(modified) {
            *told = Told::Changed(modified);
            self.changed.store(true, Ordering::Relaxed);
        }
        true
    }

    /// Whether a script was found changed since the last call.
    pub(crate) fn take_changed(&self) -> bool {
        // Read first: most requests leave the page shared.
        self.changed.load(Ordering::Relaxed) && self.changed.swap(false, Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Vec<u8>, Told>> {
        // Nothing that panics is done under the lock.
        lock(&self.scripts)
    }
}
