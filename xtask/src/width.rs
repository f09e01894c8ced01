//! The width of lines: rustfmt breaks neither comments nor strings, so it does not hold its own
//! limit.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{command, project};

/// `max_width` of `rustfmt.toml`.
const WIDTH: usize = 100;

/// Fails with a list of the lines of Rust files that are wider.
pub(crate) fn check() -> Result<()> {
    let mut list = Command::new("git");
    list.args(["ls-files", "--cached", "--others", "--exclude-standard", "*.rs"]);
    let files = command::output(list.current_dir(project::root()))?;
    let mut findings = Vec::new();
    for file in files.lines() {
        let path = project::root().join(file);
        // A file that was removed is in the list until that is committed.
        if !path.exists() {
            continue;
        }
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {file}"))?;
        findings.extend(wide(&text).map(|(line, width)| format!("{file}:{line}: {width}")));
    }
    if !findings.is_empty() {
        bail!(
            "{} lines have more than {WIDTH} characters:\n{}",
            findings.len(),
            findings.join("\n")
        );
    }
    Ok(())
}

/// The number and width of each line that is too wide.
fn wide(text: &str) -> impl Iterator<Item = (usize, usize)> {
    let widths = text.lines().map(|line| line.chars().count()).enumerate();
    widths.filter(|(_, width)| *width > WIDTH).map(|(index, width)| (index + 1, width))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_lines_are_found() {
        let text = format!("{}\n{}\n{}", "x".repeat(WIDTH), "ü".repeat(WIDTH), "ü".repeat(101));
        assert_eq!(wide(&text).collect::<Vec<_>>(), [(3, 101)]);
    }

    #[test]
    fn the_width_is_that_of_rustfmt() {
        let settings = fs::read_to_string(project::root().join("rustfmt.toml")).unwrap();
        assert!(settings.contains(&format!("max_width = {WIDTH}\n")), "{settings}");
    }
}
