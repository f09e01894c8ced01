//! The cost of Apache's own processes beyond those of a plain httpd, where only daemon mode is
//! used.

use super::lifecycle::Lifecycle;
use super::{accompanied, each, failures, lines, of, tree};
use crate::memory::Bench;
use crate::process_snapshot::{ProcessSnapshot, Role};
use crate::report::{Findings, Verdict, beyond, megabytes, or_dash, table};
use crate::server_kind::{Mode, ServerKind, Shape};
use crate::workdir::App;

const SERVER_KINDS: [ServerKind; 4] = [
    ServerKind::Plain,
    ServerKind::Dormouse(""),
    ServerKind::ModWsgi(""),
    ServerKind::ModWsgi("WSGIRestrictEmbedded On"),
];

/// Measures with one group of one process.
pub(super) fn run(bench: &Bench) -> Findings {
    let shape = Shape::new(App::Hello, Mode::Daemon(1));
    let entries = accompanied(bench, || {
        each(bench, &SERVER_KINDS, |kind| Lifecycle::run(bench, kind, shape))
    });
    let plain = of(&entries, ServerKind::Plain);
    let beyond_plain = |lifecycle: &Lifecycle, stage: fn(&Lifecycle) -> &ProcessSnapshot, role| {
        Some(beyond(stage(lifecycle).private(role)?, stage(plain?).private(role)?))
    };
    let table = table(
        &[
            "private beyond plain httpd's, MB",
            "child started",
            "child loaded",
            "parent started",
            "parent loaded",
        ],
        &lines(&entries, |lifecycle| {
            let cell = |stage: fn(&Lifecycle) -> &ProcessSnapshot, role| {
                or_dash(beyond_plain(lifecycle, stage, role).map(|found| format!("{found:+.3}")))
            };
            vec![
                cell(Lifecycle::started, Role::Child),
                cell(Lifecycle::loaded, Role::Child),
                cell(Lifecycle::started, Role::Parent),
                cell(Lifecycle::loaded, Role::Parent),
            ]
        }),
    );
    let ours = of(&entries, ServerKind::Dormouse(""));
    let found = |role| beyond_plain(ours?, Lifecycle::loaded, role);
    let supervisor = ours.and_then(|lifecycle| lifecycle.loaded().private(Role::Supervisor));
    let verdicts = vec![
        Verdict::at_most("Apache child beyond plain httpd's", 0.1, "MB", found(Role::Child)),
        Verdict::at_most("Apache parent beyond plain httpd's", 0.2, "MB", found(Role::Parent)),
        Verdict::at_most("`wsgid`, private", 1.5, "MB", supervisor.map(megabytes)),
    ];
    let text = format!("{table}\n{}\n{}", tree::kinds(bench, &entries), failures(&entries));
    Findings { text, verdicts }
}
