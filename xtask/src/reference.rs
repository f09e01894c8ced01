//! `cargo xtask reference`: the reference page of directives, made anew.

use std::fs;

use anyhow::{Context, Result};

use crate::{command, project};

/// Where the page is.
const PAGE: &str = "docs/directives.md";

/// Writes the page.
pub(crate) fn run() -> Result<()> {
    let mut print = command::cargo("run");
    print.args(["--quiet", "--package", "wsgi", "--example", "reference"]);
    let page = command::output(&mut print)?;
    let path = project::root().join(PAGE);
    // The last line end was taken off.
    fs::write(&path, page + "\n").with_context(|| format!("{PAGE} cannot be written"))?;
    println!("{PAGE} was written");
    Ok(())
}
