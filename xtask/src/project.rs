//! Where things are: the root of the workspace and its target directory.
//!
//! Relies on cargo's own rules (`CARGO_TARGET_DIR`, else `target` in the root).

use std::env;
use std::path::{Path, PathBuf};

/// The directory of the workspace's `Cargo.toml`.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is a directory of the workspace")
}

/// Cargo's target directory, absolute.
pub(crate) fn target() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR").filter(|value| !value.is_empty()) {
        // Only an empty path and a lost working directory have no absolute form.
        Some(given) => std::path::absolute(&given).unwrap_or_else(|_| given.into()),
        None => root().join("target"),
    }
}
