//! `cargo xtask reference`: the pages that are made from catalogues in the code, made anew or
//! compared.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::{command, project};

/// The pages of `docs`, by the names that the example `reference` of the crate `wsgi` knows.
const PAGES: [&str; 2] = ["directives", "errors"];

/// Writes all pages.
pub(crate) fn write() -> Result<()> {
    for name in PAGES {
        let path = path(name);
        fs::write(project::root().join(&path), text(name)?)
            .with_context(|| format!("{path} cannot be written"))?;
        println!("{path} was written");
    }
    Ok(())
}

/// Fails where a page is not what would be written.
pub(crate) fn check() -> Result<()> {
    let mut stale = Vec::new();
    for name in PAGES {
        let path = path(name);
        let kept = fs::read_to_string(project::root().join(&path)).unwrap_or_default();
        if kept != text(name)? {
            stale.push(path);
        }
    }
    if !stale.is_empty() {
        bail!("stale: {}; `cargo xtask reference` writes them anew", stale.join(", "));
    }
    Ok(())
}

fn path(name: &str) -> String {
    format!("docs/{name}.md")
}

fn text(name: &str) -> Result<String> {
    let mut print = command::cargo("run");
    print.args(["--quiet", "--package", "wsgi", "--example", "reference", "--", name]);
    // The last line end was taken off.
    Ok(command::output(&mut print)? + "\n")
}
