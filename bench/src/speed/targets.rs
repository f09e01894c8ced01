//! What is to be reached, as ratios to mod_wsgi's daemon mode in the same run.

use super::contender::Contender;
use super::rounds::Line;
use super::workload::{self, Workload};
use crate::report::Verdict;

/// Ratios to reach by workload: daemon, embedded. The template has to be as fast as the daemon but
/// for three hundredths, with Django a twentieth faster.
const RATIOS: [(Workload, f64, f64); 7] = [
    (workload::HELLO, 2.2, 2.6),
    (workload::TEN, 2.1, 2.3),
    (workload::PIECES, 3.2, 3.7),
    (workload::ECHO, 2.9, 3.3),
    (workload::UPLOAD, 3.5, 4.2),
    (workload::DJANGO, 1.15, 1.1),
    (workload::FILE, 3.3, 3.8),
];
const TEMPLATE: f64 = 0.97;
const TEMPLATE_DJANGO: f64 = 1.2;
/// Processor time of hello.
const PROCESSOR: [(Contender, f64); 2] = [(Contender::Daemon, 0.45), (Contender::Embedded, 0.29)];

/// The verdicts about a workload.
pub(super) fn of(workload: Workload, lines: &[Line]) -> Vec<Verdict> {
    let line = |contender| lines.iter().find(|line| line.contender == contender);
    let ratio = |contender| line(contender).map(Line::ratio);
    let name = workload.name;
    let mut verdicts = Vec::new();
    let ratios = RATIOS.iter().find(|(other, ..)| *other == workload);
    if let Some(&(_, daemon, embedded)) = ratios {
        let found = ratio(Contender::Daemon);
        verdicts.push(Verdict::at_least(&format!("{name}, daemon"), daemon, "", found));
        let what = format!("{name}, embedded");
        verdicts.push(Verdict::at_least(&what, embedded, "", ratio(Contender::Embedded)));
        let template = ratio(Contender::Template);
        let (what, limit, found) = if workload == workload::DJANGO {
            (format!("{name}, template"), TEMPLATE_DJANGO, template)
        } else {
            let found = template.zip(found).map(|(template, daemon)| template / daemon);
            (format!("{name}, template to daemon"), TEMPLATE, found)
        };
        verdicts.push(Verdict::at_least(&what, limit, "", found));
    }
    let base = line(Contender::ModWsgiDaemon);
    let to_base = |found: fn(&Line) -> f64, contender| {
        line(contender).zip(base).map(|(line, base)| found(line) / found(base))
    };
    if workload == workload::HELLO {
        for (contender, limit) in PROCESSOR {
            let what = format!("{name}, processor, {}", contender.name());
            verdicts.push(Verdict::at_most(&what, limit, "", to_base(Line::processor, contender)));
        }
    }
    if workload == workload::DJANGO
        && let Some(granian) = ratio(Contender::Granian)
    {
        let found = ratio(Contender::Daemon);
        verdicts.push(Verdict::at_least("Django, daemon to granian", granian, "", found));
    }
    if [workload::HELLO, workload::DJANGO].contains(&workload) {
        let p99 = |line: &Line| line.latency(0.99).unwrap_or(f64::NAN);
        for contender in [Contender::Daemon, Contender::Template] {
            let what = format!("{name}, p99 to mod_wsgi's, {}", contender.name());
            verdicts.push(Verdict::at_most(&what, 1.0, "", to_base(p99, contender)));
        }
    }
    verdicts
}
