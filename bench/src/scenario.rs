//! The scenarios of the measurement, each with the targets that it has to meet.

mod apache;
mod lifecycle;
mod replacement;
mod restarts;
mod sites;
mod tree;

use anyhow::Result;
use clap::ValueEnum;

use crate::memory::Bench;
use crate::report::Findings;
use crate::server_kind::{Mode, ServerKind, Shape};
use crate::workdir::App;

/// A question and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// The cost of httpd's own processes beyond those of a plain httpd.
    Apache,
    /// One line of text from 4 processes.
    Hello,
    /// Django in 4 processes.
    Django,
    /// Django in 16 processes.
    Django16,
    /// A Django project that does more for each request, in 4 processes.
    Library,
    /// Django in httpd's two children.
    Embedded,
    /// 20 sites without visitors.
    Sites,
    /// How soon a new process answers in place of one that ended.
    Replacement,
    /// The resources that graceful restarts leave behind.
    Restarts,
}

impl Scenario {
    /// All of them, in the order in which they run.
    pub(crate) const ALL: [Self; 9] = [
        Self::Apache,
        Self::Hello,
        Self::Django,
        Self::Django16,
        Self::Library,
        Self::Embedded,
        Self::Sites,
        Self::Replacement,
        Self::Restarts,
    ];

    /// For people.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Apache => "Apache's own processes, daemon mode only",
            Self::Hello => "Hello, 4 processes",
            Self::Django => "Django, 4 processes",
            Self::Django16 => "Django, 16 processes",
            Self::Library => "A larger Django project, 4 processes",
            Self::Embedded => "Django embedded, 2 children",
            Self::Sites => "20 idle sites",
            Self::Replacement => "A Django process is replaced",
            Self::Restarts => "Graceful restarts",
        }
    }

    /// Measures every server of the scenario.
    pub(crate) fn run(self, bench: &Bench) -> Findings {
        eprintln!("→ {}", self.title());
        match self {
            Self::Apache => apache::run(bench),
            Self::Hello => tree::hello(bench),
            Self::Django => tree::django(bench),
            Self::Django16 => tree::django16(bench),
            Self::Library => tree::library(bench),
            Self::Embedded => tree::embedded(bench),
            Self::Sites => sites::run(bench),
            Self::Replacement => replacement::run(bench),
            Self::Restarts => restarts::run(bench),
        }
    }
}

/// The measurements of a server, or why it could not be.
#[derive(Debug)]
struct Entry<T> {
    kind: ServerKind,
    outcome: Result<T>,
}

/// Measures each that is wanted; one that fails does not keep the others from it.
fn each<T>(
    bench: &Bench,
    kinds: &[ServerKind],
    measure: impl Fn(ServerKind) -> Result<T>,
) -> Vec<Entry<T>> {
    let entry = |&kind: &ServerKind| {
        eprintln!("  {}", kind.name());
        Entry { kind, outcome: measure(kind) }
    };
    kinds.iter().filter(|kind| !bench.ours || kind.is_ours()).map(entry).collect()
}

/// Measures while another httpd runs. Pages of httpd's program and libraries that only one process
/// uses would be private to it, or not, as other servers on the machine come and go; now they never
/// are.
fn accompanied<T>(bench: &Bench, measure: impl FnOnce() -> T) -> T {
    let shape = Shape::new(App::Hello, Mode::Daemon(1));
    let companion = ServerKind::Plain.start(&bench.workdir, shape);
    if let Err(error) = &companion {
        eprintln!("note: measured without another httpd: {error:#}");
    }
    let found = measure();
    drop(companion);
    found
}

/// The result of this server, if there is one.
fn of<T>(entries: &[Entry<T>], kind: ServerKind) -> Option<&T> {
    let entry = entries.iter().find(|entry| entry.kind == kind)?;
    entry.outcome.as_ref().ok()
}

/// The table's lines: a server's name and its cells.
fn lines<T>(entries: &[Entry<T>], cells: impl Fn(&T) -> Vec<String>) -> Vec<Vec<String>> {
    let line = |entry: &Entry<T>| {
        let found = entry.outcome.as_ref().ok()?;
        Some([vec![entry.kind.name()], cells(found)].concat())
    };
    entries.iter().filter_map(line).collect()
}

/// One line about each server that could not be measured.
fn failures<T>(entries: &[Entry<T>]) -> String {
    let failure = |entry: &Entry<T>| {
        let error = entry.outcome.as_ref().err()?;
        let text = format!("{error:#}");
        // A configuration that is refused is said why in one line; anything else is looked into.
        let refusal = text.lines().find(|line| line.starts_with("WSGI") && line.contains(": "));
        if refusal.is_none() {
            eprintln!("{text}");
        }
        let reason = refusal.or_else(|| text.lines().next()).unwrap_or_default();
        Some(format!("{}: not measured: {reason}\n", entry.kind.name()))
    };
    entries.iter().filter_map(failure).collect()
}
