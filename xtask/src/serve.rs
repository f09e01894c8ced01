//! `cargo xtask serve`: from a fresh clone to an application in the browser.

use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;

use crate::mount_namespace::MountNamespace;
use crate::{debian, dist, project};

#[derive(Args)]
pub(crate) struct Options {
    /// A WSGI script (by default examples/hello.py), then options of `dormouse start-server`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "APP] [OPTION")]
    arguments: Vec<OsString>,
}

/// The user that Debian has for web servers.
const WEB_USER: &str = "www-data";

/// Becomes the server; returns only when that failed.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    debian::install(debian::BUILD.iter().chain(debian::RUN))?;
    let folder = dist::build(&[])?;
    let arguments = complete(&options.arguments, debian::is_root());

    let namespace = MountNamespace::of(needed(&arguments).chain([folder.clone()]));
    namespace.check()?;
    if namespace.is_needed() {
        eprintln!(
            "note: {} is closed to {WEB_USER}; opened for this server alone",
            namespace.list()
        );
    }
    let error = namespace.around(&folder.join("dormouse"))?.args(&arguments).exec();
    Err(error).context("cannot run dormouse")
}

/// The whole command line of dormouse: an application and, for root, a user, unless given.
fn complete(given: &[OsString], root: bool) -> Vec<OsString> {
    let has = |option: &str| {
        given.iter().filter_map(|word| word.to_str()).any(|word| {
            word == option || word.strip_prefix(option).is_some_and(|rest| rest.starts_with('='))
        })
    };
    let mut arguments = vec!["start-server".into()];
    let application_is_first =
        given.first().is_some_and(|word| !word.to_string_lossy().starts_with('-'));
    if !application_is_first && !has("--entry-point") && !has("--application-type") {
        arguments.push(project::root().join("examples/hello.py").into());
    }
    arguments.extend(given.iter().cloned());
    for option in ["--user", "--group"] {
        if root && !has(option) {
            arguments.extend([option.into(), WEB_USER.into()]);
        }
    }
    arguments
}

/// The paths that the server has to reach: whatever in its command line exists, and its Python.
fn needed(arguments: &[OsString]) -> impl Iterator<Item = PathBuf> {
    let environment = env::var_os("VIRTUAL_ENV").map(PathBuf::from);
    let values = arguments.iter().map(|word| match word.to_str().and_then(|w| w.split_once('=')) {
        Some((_, value)) => PathBuf::from(value),
        None => PathBuf::from(word),
    });
    let absolute = values.filter_map(|path| std::path::absolute(path).ok());
    let working = env::current_dir().ok();
    absolute.filter(|path| path.exists()).chain(environment).chain(working)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str], root: bool) -> Vec<String> {
        let given: Vec<_> = words.iter().map(OsString::from).collect();
        let complete = complete(&given, root).into_iter();
        complete.map(|word| word.into_string().unwrap()).collect()
    }

    #[test]
    fn the_example_is_served_unless_an_application_is_given() {
        assert!(words(&[], false)[1].ends_with("/examples/hello.py"));
        assert!(words(&["--port", "9000"], false)[1].ends_with("/examples/hello.py"));
        assert_eq!(words(&["app.py"], false), ["start-server", "app.py"]);
        assert_eq!(words(&["--entry-point=a.py"], false), ["start-server", "--entry-point=a.py"]);
    }

    #[test]
    fn root_serves_as_the_web_user() {
        assert_eq!(words(&["a.py"], true)[2..], ["--user", "www-data", "--group", "www-data"]);
        assert_eq!(words(&["a.py", "--user=bob"], true)[3..], ["--group", "www-data"]);
    }
}
