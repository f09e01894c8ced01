//! `cargo xtask check`: everything about the source that needs no running server.

use std::process::Stdio;

use anyhow::Result;

use crate::{command, debian, fuzz};

/// Stops at the first finding.
pub(crate) fn run() -> Result<()> {
    debian::install(debian::BUILD)?;
    command::run(command::cargo("fmt").args(["--all", "--check"]))?;
    command::run(command::cargo("clippy").args([
        "--workspace",
        "--all-targets",
        "--",
        "--deny",
        "warnings",
    ]))?;
    // A workspace of its own, which the commands above leave out.
    command::run(command::cargo("fmt").args(["--manifest-path", fuzz::MANIFEST, "--check"]))?;
    command::run(command::cargo("clippy").args([
        "--manifest-path",
        fuzz::MANIFEST,
        "--all-targets",
        "--",
        "--deny",
        "warnings",
    ]))?;
    command::run(
        command::cargo("doc")
            .args(["--workspace", "--no-deps", "--document-private-items"])
            .env("RUSTDOCFLAGS", "--deny warnings"),
    )?;
    if deny_is_installed() {
        command::run(command::cargo("deny").arg("check"))?;
    } else {
        eprintln!("note: cargo-deny is not installed; licences and advisories are not checked");
    }
    Ok(())
}

fn deny_is_installed() -> bool {
    let mut version = command::cargo("deny");
    version.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    version.status().is_ok_and(|status| status.success())
}
