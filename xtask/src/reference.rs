//! `cargo xtask reference`: the pages that are made from catalogues, made anew.

use std::fs;

use anyhow::{Context, Result};

use crate::{command, project};

/// The pages, by the names that the example `reference` of the crate `wsgi` knows them by.
const PAGES: [&str; 2] = ["directives", "errors"];

/// Writes the pages.
pub(crate) fn run() -> Result<()> {
    for name in PAGES {
        let mut print = command::cargo("run");
        print.args(["--quiet", "--package", "wsgi", "--example", "reference", "--", name]);
        let page = command::output(&mut print)?;
        let path = format!("docs/{name}.md");
        // The last line end was taken off.
        fs::write(project::root().join(&path), page + "\n")
            .with_context(|| format!("{path} cannot be written"))?;
        println!("{path} was written");
    }
    Ok(())
}
