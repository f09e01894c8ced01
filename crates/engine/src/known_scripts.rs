//! The scripts that requests were for: the names of their modules, and when the files were changed.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use md5::{Digest, Md5};
use wsgi::lock::lock;
use wsgi::protocol::request::RequestHead;

/// The scripts by their paths.
#[derive(Debug, Default)]
pub(crate) struct KnownScripts(Mutex<HashMap<Box<[u8]>, Arc<KnownScript>>>);

/// Where a directory of scripts is mapped, requests choose among them. Beyond so many, all are
/// forgotten.
const MOST: usize = 256;

/// A script.
#[derive(Debug)]
pub(crate) struct KnownScript {
    name: String,
    /// When the file was changed, in microseconds of the epoch, as this process has seen it; 0 if
    /// it has not looked.
    seen: AtomicI64,
}

impl KnownScripts {
    /// The script with this path.
    pub(crate) fn of(&self, path: &[u8], case_insensitive: bool) -> Arc<KnownScript> {
        let mut scripts = lock(&self.0);
        if let Some(script) = scripts.get(path) {
            return Arc::clone(script);
        }
        if scripts.len() == MOST {
            scripts.clear();
        }
        let name = module_name(path, case_insensitive);
        let script = Arc::new(KnownScript { name, seen: AtomicI64::new(0) });
        scripts.insert(path.into(), Arc::clone(&script));
        script
    }
}

impl KnownScript {
    /// The name of its module in `sys.modules`.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// When its file was changed, in microseconds; `None` if that cannot be told. httpd has looked
    /// at the file for this request. Where it has found what this process had found, too, there is
    /// no need to look again. The thread is not attached.
    pub(crate) fn modified(&self, request: &RequestHead<'_>) -> Option<i64> {
        let seen = self.seen.load(Ordering::Relaxed);
        if seen != 0 && seen == request.script_modified {
            return Some(seen);
        }
        let modified = modified(request.script);
        self.seen.store(modified.unwrap_or(0), Ordering::Relaxed);
        modified
    }
}

/// The name of a script's module in `sys.modules`. Where upper and lower case are alike, so are the
/// paths.
fn module_name(path: &[u8], case_insensitive: bool) -> String {
    let lower = case_insensitive.then(|| path.to_ascii_lowercase());
    Md5::digest(lower.as_deref().unwrap_or(path)).iter().fold(
        "_mod_wsgi_".to_owned(),
        |mut name, byte| {
            write!(name, "{byte:02x}").expect("a String takes all that is written");
            name
        },
    )
}

fn modified(path: &[u8]) -> Option<i64> {
    std::fs::metadata(OsStr::from_bytes(path)).ok().map(|metadata| microseconds(&metadata))
}

/// When a file was changed, in microseconds of the epoch.
pub(crate) fn microseconds(metadata: &std::fs::Metadata) -> i64 {
    metadata.mtime().saturating_mul(1_000_000).saturating_add(metadata.mtime_nsec() / 1000)
}
