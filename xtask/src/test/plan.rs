//! Which tests run: the options, and the runs that they ask for.

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};

use crate::debian_root::Suite;
use crate::pythons::{self, Python};

#[derive(Args)]
pub(crate) struct Options {
    /// Only tests whose name contains one of these.
    pub(crate) filter: Vec<String>,
    /// Only this MPM (may be repeated), with the system's Python unless --python says otherwise;
    /// and neither unit tests nor fuzz targets.
    #[arg(long, value_enum)]
    pub(crate) mpm: Vec<Mpm>,
    /// Only this Python, a path or a version such as 3.13 (may be repeated); and neither unit tests
    /// nor fuzz targets.
    #[arg(long)]
    pub(crate) python: Vec<String>,
    /// The integration tests with each Python of another Debian and the event MPM, in a root
    /// directory below `target/roots` that is made with debootstrap; for root only.
    #[arg(long, value_enum, conflicts_with = "quick")]
    pub(crate) root: Option<Suite>,
    /// Unit tests, and the integration tests with the system's Python and the event MPM, except for
    /// those that take longest: less than three minutes once everything is built.
    #[arg(long, conflicts_with_all = ["mpm", "python"])]
    pub(crate) quick: bool,
}

/// The modules of `tests/http` that `--quick` leaves out: a limit of a minute, two clients that
/// make some hundred calls, a thousand requests of each kind, fifty restarts.
pub(crate) const LONG: [&str; 4] = ["hanging_templates", "httpbin", "leaks", "restarts"];

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mpm {
    Event,
    Worker,
    Prefork,
}

impl Mpm {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Worker => "worker",
            Self::Prefork => "prefork",
        }
    }
}

/// One run of the integration tests.
pub(crate) struct Run {
    pub(crate) python: Python,
    pub(crate) mpm: Mpm,
}

/// The system's Python with every MPM and the others with event, unless the caller chooses.
pub(crate) fn plan(options: &Options, pythons: &[Python]) -> Result<Vec<Run>> {
    const ALL: [Mpm; 3] = [Mpm::Event, Mpm::Worker, Mpm::Prefork];
    let system = pythons.first().context("there is no Python")?;
    if options.quick {
        return Ok(pairs(std::slice::from_ref(system), &[Mpm::Event]));
    }
    Ok(match (options.python.is_empty(), options.mpm.is_empty()) {
        (true, true) => {
            let mut runs = pairs(std::slice::from_ref(system), &ALL);
            runs.extend(pairs(&pythons[1..], &[Mpm::Event]));
            runs
        }
        (true, false) => pairs(std::slice::from_ref(system), &options.mpm),
        (false, none) => {
            let chosen = pythons::choose(pythons, &options.python)?;
            pairs(&chosen, if none { &[Mpm::Event] } else { &options.mpm })
        }
    })
}

/// Each of these Pythons with each of these MPMs.
pub(crate) fn pairs(pythons: &[Python], mpms: &[Mpm]) -> Vec<Run> {
    let with = |python: &Python| {
        let python = python.clone();
        mpms.iter().map(move |&mpm| Run { python: python.clone(), mpm })
    };
    pythons.iter().flat_map(with).collect()
}

pub(crate) fn title(run: &Run) -> String {
    let remark = if run.python.embeddable { "" } else { " (no libpython: daemon mode only)" };
    format!("Python {} × {}{remark}", run.python.version, run.mpm.name())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project;

    fn plan_of(mpm: Vec<Mpm>, python: &[&str]) -> Vec<String> {
        let python = python.iter().map(ToString::to_string).collect();
        titles(&Options { filter: Vec::new(), mpm, python, root: None, quick: false })
    }

    fn titles(options: &Options) -> Vec<String> {
        let python_at = |version: &str| Python {
            binary: format!("/opt/{version}/bin/python3").into(),
            version: version.into(),
            embeddable: true,
        };
        let pythons = ["3.11.2", "3.12.1", "3.13.0"].map(python_at);
        plan(options, &pythons).unwrap().iter().map(title).collect()
    }

    #[test]
    fn the_system_python_meets_every_mpm_and_the_others_event() {
        assert_eq!(
            plan_of(vec![], &[]),
            [
                "Python 3.11.2 × event",
                "Python 3.11.2 × worker",
                "Python 3.11.2 × prefork",
                "Python 3.12.1 × event",
                "Python 3.13.0 × event"
            ]
        );
    }

    #[test]
    fn a_choice_is_kept_to() {
        assert_eq!(plan_of(vec![Mpm::Prefork], &[]), ["Python 3.11.2 × prefork"]);
        assert_eq!(plan_of(vec![], &["3.13"]), ["Python 3.13.0 × event"]);
        assert_eq!(plan_of(vec![Mpm::Worker], &["3.12"]), ["Python 3.12.1 × worker"]);
    }

    #[test]
    fn a_quick_run_has_one_python_and_one_mpm() {
        let options =
            Options { filter: vec![], mpm: vec![], python: vec![], root: None, quick: true };
        assert_eq!(titles(&options), ["Python 3.11.2 × event"]);
    }

    #[test]
    fn the_modules_that_a_quick_run_leaves_out_exist() {
        for module in LONG {
            let path = project::root().join("tests/http").join(module).with_extension("rs");
            assert!(path.is_file(), "{}", path.display());
        }
    }
}
