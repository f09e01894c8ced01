//! Running other programs: shown before they run, and an error that repeats the command.

use std::env;
use std::ffi::OsStr;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};

use crate::project;

/// A cargo command in the workspace's root, by the cargo that runs this program.
pub(crate) fn cargo(subcommand: &str) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // Made absolute, since cargo would read it relative to the root.
    command.env("CARGO_TARGET_DIR", project::target());
    command.arg(subcommand).current_dir(project::root());
    command
}

/// Prints the command, runs it with the caller's output, and fails unless it succeeds.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    eprintln!("→ {}", line(command));
    let status = command.status().with_context(|| format!("cannot run {}", line(command)))?;
    if !status.success() {
        bail!("{} failed: {status}", line(command));
    }
    Ok(())
}

/// The standard output of the command, without the last line end. Fails unless it succeeds.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let Output { status, stdout, stderr } = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {}", line(command)))?;
    if !status.success() {
        bail!("{} failed: {status}\n{}", line(command), String::from_utf8_lossy(&stderr));
    }
    Ok(String::from_utf8_lossy(&stdout).trim_end().to_owned())
}

/// The command as a person would type it.
pub(crate) fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(quoted).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_can_be_typed_again() {
        let mut command = Command::new("apt-get");
        command.args(["install", "it's here", ""]);
        assert_eq!(line(&command), r"apt-get install 'it'\''s here' ''");
    }
}
