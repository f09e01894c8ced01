//! `cargo xtask check`: everything about the source that needs no running server.
//!
//! Every check is made, also after a finding. A tool that is not installed is named at the end.

use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::{command, debian, fuzz, pages, project, width};

const CLIPPY: [&str; 4] = ["--all-targets", "--", "--deny", "warnings"];

/// The fuzz targets are a workspace of their own, which cargo leaves out otherwise.
const FUZZ: [&str; 2] = ["--manifest-path", fuzz::MANIFEST];

/// Fails when a check has failed, and lists the findings.
pub(crate) fn run() -> Result<()> {
    debian::install(debian::BUILD)?;
    let mut checks = Checks::default();
    checks.command(command::cargo("fmt").args(["--all", "--check"]));
    checks.command(command::cargo("fmt").args(FUZZ).arg("--check"));
    checks.take(width::check());
    checks.command(command::cargo("clippy").arg("--workspace").args(CLIPPY));
    checks.command(command::cargo("clippy").args(FUZZ).args(CLIPPY));
    let documentation = ["--workspace", "--no-deps", "--document-private-items"];
    let mut doc = command::cargo("doc");
    checks.command(doc.args(documentation).env("RUSTDOCFLAGS", "--deny warnings"));
    checks.take(pages::check());
    checks.spelling();
    checks.dependencies();
    checks.result()
}

/// The findings, and notes on what could not be checked.
#[derive(Default)]
struct Checks {
    findings: Vec<String>,
    notes: Vec<String>,
}

impl Checks {
    fn take(&mut self, outcome: Result<()>) {
        if let Err(error) = outcome {
            self.findings.push(format!("{error:#}"));
        }
    }

    fn command(&mut self, command: &mut Command) {
        self.take(command::run(command));
    }

    fn note(&mut self, text: &str) {
        self.notes.push(text.to_owned());
    }

    /// Of code and documents; `typos.toml` has the words of the project.
    fn spelling(&mut self) {
        let mut typos = Command::new("typos");
        if is_installed(typos.arg("--version")) {
            self.command(Command::new("typos").current_dir(project::root()));
        } else {
            self.note("spelling was not checked: `cargo install typos-cli` installs the tool");
        }
    }

    /// Licences, doubled and foreign crates, and known advisories, by the rules of `deny.toml`.
    fn dependencies(&mut self) {
        if !is_installed(command::cargo("deny").arg("--version")) {
            self.note(
                "licences and advisories of dependencies were not checked: `cargo install \
                 cargo-deny` installs the tool",
            );
            return;
        }
        self.command(command::cargo("deny").args(["check", "bans", "licenses", "sources"]));
        let is_fetched = command::run(command::cargo("deny").args(["fetch", "db"])).is_ok();
        if !is_fetched && !advisories().is_dir() {
            self.note("advisories were not checked: their database can not be fetched");
            return;
        }
        if !is_fetched {
            self.note("advisories: as of the last time that their database was fetched");
        }
        self.command(command::cargo("deny").args(["check", "--disable-fetch", "advisories"]));
    }

    fn result(self) -> Result<()> {
        for note in &self.notes {
            println!("note: {note}");
        }
        if !self.findings.is_empty() {
            bail!("{} checks failed:\n{}", self.findings.len(), self.findings.join("\n"));
        }
        println!("no findings");
        Ok(())
    }
}

fn is_installed(version: &mut Command) -> bool {
    version.stdout(Stdio::null()).stderr(Stdio::null());
    version.status().is_ok_and(|status| status.success())
}

/// Where cargo-deny keeps the databases of advisories.
fn advisories() -> PathBuf {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(env::home_dir()?.join(".cargo")));
    home.unwrap_or_default().join("advisory-dbs")
}
