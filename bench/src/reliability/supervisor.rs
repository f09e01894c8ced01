//! `wsgid` killed, and killed again before five seconds have passed.

use anyhow::{Result, ensure};
use std::time::{Duration, Instant};
use testkit::load::{Load, counting};
use testkit::{Fault, Mode};

use super::{Amount, milliseconds, server};
use crate::report::{Findings, Verdict, table};

/// Between two kills that count as a crash loop.
const SOON: Duration = Duration::from_secs(5);

/// Kills twice in a row, a few times over, each with a server of its own.
pub(super) fn run(amount: &Amount) -> Result<Findings> {
    let (mut lines, mut longest, mut lost) = (Vec::new(), Duration::ZERO, 0);
    for round in 1..=amount.rounds {
        let options = "processes=2 threads=2";
        let httpd = counting(server("supervisor").mode(Mode::Daemon).daemon(options)).start();
        let load = Load::of_count(&httpd, "/").start();
        let more = || {
            let before = load.right();
            testkit::wait_until("requests are answered", || load.right() >= before + 20);
        };
        more();
        let begin = Instant::now();
        Fault::Supervisor.cause(&httpd, 0);
        more();
        ensure!(begin.elapsed() < SOON, "the second kill came too late");
        Fault::Supervisor.cause(&httpd, 1);
        more();
        let record = load.finish();
        lost += record.failures().count();
        longest = longest.max(record.longest_gap());
        lines.push(vec![
            round.to_string(),
            record.answers().len().to_string(),
            record.failures().count().to_string(),
            format!("{:.0}", milliseconds(record.longest_gap())),
        ]);
    }
    let head = ["round", "requests", "lost", "longest gap, ms"];
    let lost = f64::from(u32::try_from(lost).unwrap_or(u32::MAX));
    Ok(Findings {
        text: table(&head, &lines),
        verdicts: vec![
            Verdict::at_most("longest gap of answers", 1.5, "s", Some(longest.as_secs_f64())),
            Verdict::at_most("requests lost", 0.0, "", Some(lost)),
        ],
    })
}
