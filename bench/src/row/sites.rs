//! Sites that nobody visits: each was asked once, and then left alone.

use std::time::Duration;

use anyhow::Result;

use super::{each, failures, lines, of};
use crate::census::{Census, Role};
use crate::contender::{Contender, Mode, Shape};
use crate::memory::Bench;
use crate::place::App;
use crate::report::{Findings, Verdict, beyond, figure, table};
use crate::server::rest;

const SITES: u32 = 20;

/// No process while there is no request.
const ON_DEMAND: Contender = Contender::Dormouse("processes=0..2 idle-timeout=2");

const CONTENDERS: [Contender; 4] =
    [Contender::Plain, ON_DEMAND, Contender::Dormouse(""), Contender::ModWsgi("")];

/// Several times the idle time of the group, so that everybody has come to rest.
const IDLE: Duration = Duration::from_secs(10);

/// Measures with as many groups.
pub(super) fn run(bench: &Bench) -> Findings {
    let entries = each(&CONTENDERS, |contender| idle(bench, contender));
    let plain = of(&entries, Contender::Plain).map(|census| census.sum().pss);
    let table = table(
        &["contender", "PSS (private), MB", "beyond plain httpd", "workers"],
        &lines(&entries, |census| {
            let sum = census.sum();
            let more = plain.map_or(0.0, |plain| beyond(sum.pss, plain));
            vec![
                format!("{} ({})", figure(sum.pss), figure(sum.private)),
                format!("{more:+.1}"),
                census.with(Role::Worker).count().to_string(),
            ]
        }),
    );
    let found = of(&entries, ON_DEMAND).and_then(|census| Some(beyond(census.sum().pss, plain?)));
    let verdicts = vec![Verdict::at_most("20 idle sites beyond plain httpd", 4.0, "MB", found)];
    Findings { text: format!("{table}\n{}", failures(&entries)), verdicts }
}

fn idle(bench: &Bench, contender: Contender) -> Result<Census> {
    let shape = Shape { app: App::Hello, mode: Mode::Sites(SITES) };
    let mut server = contender.start(&bench.place, shape)?;
    for site in 0..SITES {
        if contender.runs_python() {
            let target = format!("/site{site}");
            crate::load::once(server.address(), &target, Some(&bench.python))?;
        } else {
            crate::load::once(server.address(), "/index.html", None)?;
        }
    }
    rest(&mut server, IDLE)?;
    let census = server.settled();
    server.finish()?;
    Ok(census)
}
