//! What Apache's own processes cost beyond those of a plain httpd, where only daemon mode is used.

use super::course::Course;
use super::{accompanied, each, failures, lines, of, tree};
use crate::census::{Census, Role};
use crate::contender::{Contender, Mode, Shape};
use crate::memory::Bench;
use crate::place::App;
use crate::report::{Findings, Verdict, beyond, megabytes, or_dash, table};

const CONTENDERS: [Contender; 4] = [
    Contender::Plain,
    Contender::Dormouse(""),
    Contender::ModWsgi(""),
    Contender::ModWsgi("WSGIRestrictEmbedded On"),
];

/// Measures with one group of one process.
pub(super) fn run(bench: &Bench) -> Findings {
    let shape = Shape { app: App::Hello, mode: Mode::Daemon(1) };
    let entries =
        accompanied(bench, || each(&CONTENDERS, |contender| Course::run(bench, contender, shape)));
    let plain = of(&entries, Contender::Plain);
    let beyond_plain = |course: &Course, stage: fn(&Course) -> &Census, role| {
        Some(beyond(stage(course).private(role)?, stage(plain?).private(role)?))
    };
    let table = table(
        &[
            "private beyond plain httpd's, MB",
            "child started",
            "child loaded",
            "parent started",
            "parent loaded",
        ],
        &lines(&entries, |course| {
            let cell = |stage: fn(&Course) -> &Census, role| {
                or_dash(beyond_plain(course, stage, role).map(|found| format!("{found:+.3}")))
            };
            vec![
                cell(Course::started, Role::Child),
                cell(Course::loaded, Role::Child),
                cell(Course::started, Role::Parent),
                cell(Course::loaded, Role::Parent),
            ]
        }),
    );
    let ours = of(&entries, Contender::Dormouse(""));
    let found = |role| beyond_plain(ours?, Course::loaded, role);
    let supervisor = ours.and_then(|course| course.loaded().private(Role::Supervisor));
    let verdicts = vec![
        Verdict::at_most("Apache child beyond plain httpd's", 0.1, "MB", found(Role::Child)),
        Verdict::at_most("Apache parent beyond plain httpd's", 0.2, "MB", found(Role::Parent)),
        Verdict::at_most("`wsgid`, private", 1.5, "MB", supervisor.map(megabytes)),
    ];
    let text = format!("{table}\n{}\n{}", tree::kinds(bench, &entries), failures(&entries));
    Findings { text, verdicts }
}
