//! `cargo xtask dist`: the four files that are the product, in one folder that can be moved.
//!
//! Files are replaced by rename, because a running httpd has the old ones mapped. It does not
//! install anything and does not test anything.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process;

use anyhow::{Context, Result};
use clap::Args;

use crate::{command, debian, project};

#[derive(Args)]
pub(crate) struct Options {
    /// Cargo features to build with; with any, the folder is `target/dist-test`.
    #[arg(long, value_delimiter = ',')]
    features: Vec<String>,
}

/// Cargo's name of the file, the name it gets in the folder, and its mode.
const FILES: [(&str, &str, u32); 4] = [
    ("libmod_wsgi.so", "mod_wsgi.so", 0o644),
    ("lib_mod_wsgi.so", "_mod_wsgi.abi3.so", 0o644),
    ("wsgid", "wsgid", 0o755),
    ("dormouse", "dormouse", 0o755),
];
const PACKAGES: [&str; 4] = ["module", "extension", "supervisor", "express"];
/// The profile of `Cargo.toml` that users get.
pub(crate) const PROFILE: &str = "distribution";

/// Builds the folder and prints where it is.
pub(crate) fn run(options: &Options) -> Result<()> {
    debian::install(debian::BUILD)?;
    let folder = build(&options.features)?;
    println!("{}", folder.display());
    Ok(())
}

/// Builds the folder, `target/dist` or, with features, `target/dist-test`, and gives its path.
pub(crate) fn build(features: &[String]) -> Result<PathBuf> {
    let mut build = command::cargo("build");
    build.args(["--profile", PROFILE]);
    for package in PACKAGES {
        build.args(["--package", package]);
    }
    if !features.is_empty() {
        build.arg("--features").arg(features.join(","));
    }
    command::run(&mut build)?;

    let target = project::target();
    let folder = target.join(if features.is_empty() { "dist" } else { "dist-test" });
    fill(&folder, &target.join(PROFILE))?;
    Ok(folder)
}

fn fill(folder: &Path, built: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    // Whatever the umask says: httpd's children run as another user and load these files.
    fs::set_permissions(folder, Permissions::from_mode(0o755))
        .with_context(|| format!("cannot open {} to httpd's user", folder.display()))?;
    for (from, to, mode) in FILES {
        replace(&built.join(from), &folder.join(to), mode)?;
    }
    remove_strangers(folder)
}

fn replace(from: &Path, to: &Path, mode: u32) -> Result<()> {
    let new = to.with_extension(format!("new-{}", process::id()));
    fs::copy(from, &new)
        .with_context(|| format!("cannot copy {} to {}", from.display(), new.display()))?;
    fs::set_permissions(&new, Permissions::from_mode(mode))
        .and_then(|()| fs::rename(&new, to))
        .with_context(|| format!("cannot put {} in its place", to.display()))
}

/// The folder holds exactly what is listed, also after a file got another name.
fn remove_strangers(folder: &Path) -> Result<()> {
    for entry in
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?
    {
        let entry = entry?;
        if FILES.iter().any(|(_, name, _)| entry.file_name() == *name) {
            continue;
        }
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(&path)
        } else {
            fs::remove_file(&path)
        }
        .with_context(|| format!("cannot remove {}", path.display()))?;
    }
    Ok(())
}
