//! `cargo xtask fuzz`: the fuzz targets of `fuzz/`, one after the other.
//!
//! libFuzzer guided by coverage, on the pinned toolchain: the instrumentation is a pass of LLVM
//! that stable rustc can be told to run, so neither nightly nor cargo-fuzz is needed. Sanitizers
//! would need nightly, and are not used: the code under test has no unsafe.
//!
//! Inputs that reach new code are kept in `target/fuzz/corpus`, and the next run begins with them.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::tally::Tally;
use crate::{command, debian, project};

#[derive(Args)]
pub(crate) struct Options {
    /// Only these targets.
    #[arg(value_parser = TARGETS)]
    target: Vec<String>,
    /// Seconds for each target.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
}

/// The manifest of the targets' own workspace, below the root.
pub(crate) const MANIFEST: &str = "fuzz/Cargo.toml";

/// The targets, which are directories of `fuzz/seeds`, too.
const TARGETS: [&str; 14] = [
    "answers",
    "control",
    "directives",
    "environs",
    "frames",
    "headers",
    "log_lines",
    "options",
    "plans",
    "proxies",
    "replies",
    "requests",
    "responses",
    "smaps",
];

/// The variable by which the program knows its target.
const VARIABLE: &str = "DORMOUSE_FUZZ";

/// Seconds for each target when all tests are run: the seeds, and a little beyond.
const GLANCE: u64 = 3;

/// Options for rustc: to count the edges that are run, and to show comparisons to the fuzzer.
const FLAGS: [&str; 7] = [
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
];

/// Longer than a request's head that httpd would let through is not worth the time.
const LONGEST: &str = "-max_len=16384";

/// Fails at the first finding, and says which file shows it.
pub(crate) fn run(options: &Options) -> Result<()> {
    let program = Program::build()?;
    let is_chosen =
        |target: &&str| options.target.is_empty() || options.target.iter().any(|one| one == target);
    let mut targets = TARGETS.into_iter().filter(is_chosen);
    targets.try_for_each(|target| program.fuzz(target, options.seconds))
}

/// A glance at each target whose name contains one of the filters; all of them without one.
pub(crate) fn glance(filter: &[String]) -> Result<Tally> {
    let named = |target: &&str| {
        let name = format!("fuzz::{target}");
        filter.is_empty() || filter.iter().any(|part| name.contains(part.as_str()))
    };
    let targets: Vec<&str> = TARGETS.into_iter().filter(named).collect();
    let mut sum = Tally::default();
    if targets.is_empty() {
        return Ok(sum);
    }
    let program = Program::build()?;
    for target in targets {
        match program.fuzz(target, GLANCE) {
            Ok(()) => sum.passed += 1,
            Err(error) => {
                eprintln!("error: {error:#}");
                sum.failed += 1;
            }
        }
    }
    Ok(sum)
}

/// The targets with libFuzzer.
struct Program {
    path: PathBuf,
    /// The corpus that is kept between runs.
    directory: PathBuf,
}

impl Program {
    fn build() -> Result<Self> {
        debian::install(debian::FUZZ)?;
        let host = host()?;
        let directory = project::target().join("fuzz");
        let mut build = command::cargo("build");
        // With a target named, build scripts and macros are left without instrumentation.
        build.args(["--release", "--manifest-path", MANIFEST, "--bin", "fuzz"]);
        build.args(["--target", &host, "--target-dir"]);
        build.arg(&directory).env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\x1f"));
        command::run(&mut build)?;
        Ok(Self { path: directory.join(host).join("release/fuzz"), directory })
    }

    fn fuzz(&self, target: &str, seconds: u64) -> Result<()> {
        let corpus = self.directory.join("corpus").join(target);
        let findings = self.directory.join("findings").join(target);
        for made in [&corpus, &findings] {
            fs::create_dir_all(made).with_context(|| format!("cannot make {}", made.display()))?;
        }
        let mut command = Command::new(&self.path);
        command.env(VARIABLE, target);
        command.args([LONGEST, "-timeout=10", "-verbosity=0", "-print_final_stats=1"]);
        command.arg(format!("-max_total_time={seconds}"));
        // A directory, by its slash at the end.
        command.arg(format!("-artifact_prefix={}/", findings.display()));
        command.arg(&corpus).arg(project::root().join("fuzz/seeds").join(target));
        eprintln!("{target}:");
        if let Err(error) = command::run(&mut command) {
            bail!(
                "{target}: {error:#}\nThe input is in {}. Look at it with\n  {VARIABLE}={target} \
                 cargo run --manifest-path {MANIFEST} FILE",
                findings.display()
            );
        }
        Ok(())
    }
}

/// The triple of this machine.
fn host() -> Result<String> {
    let told = command::output(Command::new("rustc").arg("-vV"))?;
    let host = told.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc -vV names no host")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_target_has_seeds() {
        let seeds = fs::read_dir(project::root().join("fuzz/seeds")).unwrap();
        let mut names: Vec<_> =
            seeds.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names, TARGETS);
    }
}
