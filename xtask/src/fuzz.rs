//! `cargo xtask fuzz`: the fuzz targets of `fuzz/`, each for its part of the time.
//!
//! libFuzzer guided by coverage, on the pinned toolchain: the instrumentation is a pass of LLVM that
//! stable rustc can be told to run, so neither nightly nor cargo-fuzz is needed. Sanitizers would need
//! nightly, and are not used: the code under test has no unsafe.
//!
//! What was found to reach new code is kept in `target/fuzz/corpus` and begun with the next time.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::{command, debian, project};

#[derive(Args)]
pub(crate) struct Options {
    /// Only these targets.
    #[arg(value_parser = TARGETS)]
    target: Vec<String>,
    /// Seconds in all, divided among the targets.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
}

/// The manifest of the targets' own workspace, below the root.
pub(crate) const MANIFEST: &str = "fuzz/Cargo.toml";

/// The programs of `fuzz/src/bin`.
const TARGETS: [&str; 3] = ["frames", "headers", "directives"];

/// What rustc is told: to count the edges that are run, and to show comparisons to the fuzzer.
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
    debian::install(debian::FUZZ)?;
    let targets: Vec<&str> = match options.target.as_slice() {
        [] => TARGETS.to_vec(),
        some => some.iter().map(String::as_str).collect(),
    };
    let host = host()?;
    let directory = project::target().join("fuzz");
    let mut build = command::cargo("build");
    // With a target named, build scripts and macros are left without instrumentation.
    build.args(["--release", "--manifest-path", MANIFEST, "--target", &host, "--target-dir"]);
    build.arg(&directory).env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\x1f"));
    command::run(&mut build)?;

    let seconds = (options.seconds / targets.len() as u64).max(1);
    for target in targets {
        let program = directory.join(&host).join("release").join(target);
        fuzz(target, &program, &directory, seconds)?;
    }
    Ok(())
}

fn fuzz(target: &str, program: &Path, directory: &Path, seconds: u64) -> Result<()> {
    let corpus = directory.join("corpus").join(target);
    let findings = directory.join("findings").join(target);
    for made in [&corpus, &findings] {
        fs::create_dir_all(made).with_context(|| format!("cannot make {}", made.display()))?;
    }
    let mut command = Command::new(program);
    command.args([LONGEST, "-timeout=10", "-verbosity=0", "-print_final_stats=1"]);
    command.arg(format!("-max_total_time={seconds}"));
    // A directory, by its slash at the end.
    command.arg(format!("-artifact_prefix={}/", findings.display()));
    command.arg(&corpus).arg(project::root().join("fuzz/seeds").join(target));
    if let Err(error) = command::run(&mut command) {
        bail!(
            "{target}: {error:#}\nThe input is in {}. Look at it with\n  cargo run --manifest-path \
             {MANIFEST} --bin {target} FILE",
            findings.display()
        );
    }
    Ok(())
}

/// The triple of this machine.
fn host() -> Result<String> {
    let told = command::output(Command::new("rustc").arg("-vV"))?;
    let host = told.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc -vV names no host")
}
