//! The cost of a whole server with one application: hello, and two Django projects.

use super::lifecycle::Lifecycle;
use super::{Entry, each, failures, lines, of};
use crate::memory::Bench;
use crate::process_snapshot::{ProcessSnapshot, Role};
use crate::report::{Findings, Verdict, figure, fine, megabytes, or_dash, table};
use crate::server_kind::{Mode, ServerKind, Shape};
use crate::workdir::App;

/// Loaded once, warmed up with the pages that every worker would otherwise warm up for itself.
pub(super) const TEMPLATE: ServerKind =
    ServerKind::Dormouse("preload=application warm-up=/,/3/,/3/results/,/admin/login/");

const LIBRARY_TEMPLATE: ServerKind =
    ServerKind::Dormouse("preload=application warm-up=/,/books/3/,/authors.json,/admin/login/");

const HELLO_TEMPLATE: ServerKind = ServerKind::Dormouse("preload=application warm-up=/");

const OTHERS: [ServerKind; 4] = [
    ServerKind::ModWsgi(""),
    ServerKind::Gunicorn { preload: false },
    ServerKind::Gunicorn { preload: true },
    ServerKind::Uwsgi,
];

/// Hello in 4 processes.
pub(super) fn hello(bench: &Bench) -> Findings {
    let shape = Shape::new(App::Hello, Mode::Daemon(4));
    let entries = measure(bench, HELLO_TEMPLATE, shape);
    let verdicts = vec![tree(&entries, HELLO_TEMPLATE, "hello, 4 processes: PSS of all", 18.0)];
    Findings { text: text(bench, &entries, HELLO_TEMPLATE), verdicts }
}

/// Django in 4 processes.
pub(super) fn django(bench: &Bench) -> Findings {
    let shape = Shape::new(App::Polls, Mode::Daemon(4));
    let entries = measure(bench, TEMPLATE, shape);
    let worker =
        of(&entries, TEMPLATE).and_then(|lifecycle| lifecycle.loaded().private(Role::Worker));
    let verdicts = vec![
        tree(&entries, TEMPLATE, "Django, 4 processes: PSS of all", 64.0),
        Verdict::at_most("Django: private of a worker", 7.0, "MB", worker.map(megabytes)),
    ];
    Findings { text: text(bench, &entries, TEMPLATE), verdicts }
}

/// Django in 16 processes.
pub(super) fn django16(bench: &Bench) -> Findings {
    let shape = Shape::new(App::Polls, Mode::Daemon(16));
    let entries = measure(bench, TEMPLATE, shape);
    let verdicts = vec![tree(&entries, TEMPLATE, "Django, 16 processes: PSS of all", 130.0)];
    Findings { text: text(bench, &entries, TEMPLATE), verdicts }
}

/// The larger Django project in 4 processes. No figure is given that it has to reach, only that it
/// must cost no more than half of mod_wsgi.
pub(super) fn library(bench: &Bench) -> Findings {
    let shape = Shape::new(App::Library, Mode::Daemon(4));
    let entries = measure(bench, LIBRARY_TEMPLATE, shape);
    let what = "a larger Django project: PSS of all, part of mod_wsgi's";
    let verdicts = vec![Verdict::at_most(what, 0.5, "", part(&entries, LIBRARY_TEMPLATE))];
    Findings { text: text(bench, &entries, LIBRARY_TEMPLATE), verdicts }
}

/// Django in httpd's children. Each has the application to itself, by whichever server it is
/// loaded, so no more can be asked than to cost what mod_wsgi costs.
pub(super) fn embedded(bench: &Bench) -> Findings {
    let shape = Shape::new(App::Polls, Mode::Embedded);
    let (dormouse, mod_wsgi) = (ServerKind::Dormouse(""), ServerKind::ModWsgi(""));
    let entries = each(bench, &[dormouse, mod_wsgi], |kind| Lifecycle::run(bench, kind, shape));
    let what = "Django embedded, 2 children: PSS of all, part of mod_wsgi's";
    let verdicts = vec![Verdict::at_most(what, 1.05, "", part(&entries, dormouse))];
    Findings { text: text(bench, &entries, dormouse), verdicts }
}

/// PSS of the server's tree, as a part of that of mod_wsgi's.
fn part(entries: &[Entry<Lifecycle>], ours: ServerKind) -> Option<f64> {
    let pss = |kind| Some(megabytes(of(entries, kind)?.loaded().sum().pss));
    Some(pss(ours)? / pss(ServerKind::ModWsgi(""))?)
}

fn measure(bench: &Bench, template: ServerKind, shape: Shape) -> Vec<Entry<Lifecycle>> {
    let ours = [ServerKind::Plain, template, ServerKind::Dormouse("")];
    let kinds: Vec<_> = ours.into_iter().chain(OTHERS).collect();
    each(bench, &kinds, |kind| Lifecycle::run(bench, kind, shape))
}

fn tree(entries: &[Entry<Lifecycle>], ours: ServerKind, what: &str, limit: f64) -> Verdict {
    let found = of(entries, ours).map(|lifecycle| megabytes(lifecycle.loaded().sum().pss));
    Verdict::at_most(what, limit, "MB", found)
}

/// Three tables: the stages, the kinds of process, and who could not be measured. Ratios are to
/// `ours`, or to Dormouse without options where that could not be measured.
fn text(bench: &Bench, entries: &[Entry<Lifecycle>], ours: ServerKind) -> String {
    let reference = of(entries, ours).or_else(|| of(entries, ServerKind::Dormouse("")));
    let reference = reference.map(|lifecycle| megabytes(lifecycle.loaded().sum().pss));
    let stages = Lifecycle::stages(bench);
    let mut head = vec!["kind"];
    head.extend(stages.iter().map(String::as_str));
    head.extend(["ratio", "requests of a process"]);
    let stages = table(
        &head,
        &lines(entries, |lifecycle| {
            let mut cells: Vec<_> = lifecycle.stages.iter().map(sums).collect();
            let pss = megabytes(lifecycle.loaded().sum().pss);
            cells.push(or_dash(reference.map(|reference| format!("{:.2}", pss / reference))));
            cells.push(or_dash(lifecycle.shares.map(|(least, most)| format!("{least}–{most}"))));
            cells
        }),
    );
    let (kinds, mappings) = (kinds(bench, entries), mappings(entries));
    format!("{stages}\n{kinds}\n{mappings}{}", failures(entries))
}

/// A table for each server whose mappings were taken.
fn mappings(entries: &[Entry<Lifecycle>]) -> String {
    let one = |entry: &Entry<Lifecycle>| {
        let lifecycle = entry.outcome.as_ref().ok()?;
        let table = lifecycle.mappings.as_ref()?.table(lifecycle.loaded());
        Some(format!("{}:\n\n{table}\n", entry.kind.name()))
    };
    entries.iter().filter_map(one).collect()
}

/// PSS and private bytes of all processes.
fn sums(snapshot: &ProcessSnapshot) -> String {
    let sum = snapshot.sum();
    format!("{} ({})", figure(sum.pss), figure(sum.private))
}

/// Private bytes of one process of each kind, after the load.
pub(super) fn kinds(bench: &Bench, entries: &[Entry<Lifecycle>]) -> String {
    let head: Vec<_> = std::iter::once("private of one, MB")
        .chain(Role::ALL.iter().map(|(_, name)| *name))
        .collect();
    let rows = lines(entries, |lifecycle| {
        let cell = |(role, _)| {
            let count = lifecycle.loaded().with(role).count();
            let private = lifecycle.loaded().private(role)?;
            Some(format!("{} × {count}", fine(private)))
        };
        Role::ALL.into_iter().map(|role| or_dash(cell(role))).collect()
    });
    format!("After {} requests:\n\n{}", bench.requests, table(&head, &rows))
}
