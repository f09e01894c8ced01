//! What is to be reached, as ratios to mod_wsgi's daemon mode in the same run.

use super::contender::Contender;
use super::line::Line;
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

/// Dormouse's modes.
pub(super) const OURS: [Contender; 3] =
    [Contender::Daemon, Contender::Template, Contender::Embedded];

/// The verdicts about a workload.
pub(super) fn of(workload: Workload, lines: &[Line]) -> Vec<Verdict> {
    let base = find(lines, Contender::ModWsgiDaemon);
    let to_base = |found: fn(&Line, &Line) -> Option<f64>, contender| {
        find(lines, contender).zip(base).and_then(|(line, base)| found(line, base))
    };
    let ratio = |contender| to_base(Line::ratio, contender);
    let name = workload.name;
    let mut verdicts = Vec::new();
    let ratios = RATIOS.iter().find(|(other, ..)| *other == workload);
    if let Some(&(_, daemon, embedded)) = ratios {
        let what = format!("{name}, daemon");
        verdicts.push(Verdict::at_least(&what, daemon, "", ratio(Contender::Daemon)));
        let what = format!("{name}, embedded");
        verdicts.push(Verdict::at_least(&what, embedded, "", ratio(Contender::Embedded)));
        let template = find(lines, Contender::Template).zip(find(lines, Contender::Daemon));
        let template = template.and_then(|(template, daemon)| template.ratio(daemon));
        let what = format!("{name}, template to daemon");
        verdicts.push(Verdict::at_least(&what, TEMPLATE, "", template));
    }
    if workload == workload::HELLO {
        for (contender, limit) in PROCESSOR {
            let what = format!("{name}, processor, {}", contender.name());
            let found = to_base(Line::processor_ratio, contender);
            verdicts.push(Verdict::at_most(&what, limit, "", found));
        }
    }
    if workload == workload::DJANGO {
        let what = format!("{name}, template");
        verdicts.push(Verdict::at_least(&what, TEMPLATE_DJANGO, "", ratio(Contender::Template)));
        let found = find(lines, Contender::Daemon).zip(find(lines, Contender::Granian));
        let found = found.and_then(|(daemon, granian)| daemon.ratio(granian));
        verdicts.push(Verdict::at_least("Django, daemon to granian", 1.0, "", found));
    }
    if [workload::HELLO, workload::DJANGO].contains(&workload) {
        verdicts.extend(latency(&format!("{name}, 16 connections"), lines));
    }
    verdicts
}

/// The verdicts about the slowest hundredth: no mode may be slower there than mod_wsgi's daemon
/// mode.
pub(super) fn latency(what: &str, lines: &[Line]) -> Vec<Verdict> {
    let p99 = |contender| find(lines, contender)?.latency(0.99);
    let verdict = |contender: Contender| {
        let found = p99(contender).zip(p99(Contender::ModWsgiDaemon));
        let found = found.map(|(ours, base)| ours / base);
        let what = format!("{what}, p99 to mod_wsgi's, {}", contender.name());
        Verdict::at_most(&what, 1.0, "", found)
    };
    OURS.map(verdict).into()
}

/// The line of this server, if it was measured: one that has answered nothing for a round is not
/// compared with.
pub(super) fn find(lines: &[Line], contender: Contender) -> Option<&Line> {
    lines.iter().find(|line| line.contender == contender && line.is_measured())
}
