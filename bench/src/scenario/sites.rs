//! Sites without visitors: each was asked once, and then left alone.

use std::time::Duration;

use anyhow::Result;

use super::{each, failures, lines, of};
use crate::memory::Bench;
use crate::process_snapshot::{ProcessSnapshot, Role};
use crate::report::{Findings, Verdict, beyond, figure, table};
use crate::server::rest;
use crate::server_kind::{Mode, ServerKind, Shape};
use crate::workdir::App;

const SITES: u32 = 20;

/// No process while there is no request.
const ON_DEMAND: ServerKind = ServerKind::Dormouse("processes=0..2 idle-timeout=2");

const SERVER_KINDS: [ServerKind; 4] =
    [ServerKind::Plain, ON_DEMAND, ServerKind::Dormouse(""), ServerKind::ModWsgi("")];

/// Several times the idle time of the group, so that every process is idle.
const IDLE: Duration = Duration::from_secs(10);

/// Measures with as many groups.
pub(super) fn run(bench: &Bench) -> Findings {
    let entries = each(bench, &SERVER_KINDS, |kind| idle(bench, kind));
    let plain = of(&entries, ServerKind::Plain).map(|snapshot| snapshot.sum().pss);
    let table = table(
        &["kind", "PSS (private), MB", "beyond plain httpd", "workers"],
        &lines(&entries, |snapshot| {
            let sum = snapshot.sum();
            let more = plain.map_or(0.0, |plain| beyond(sum.pss, plain));
            vec![
                format!("{} ({})", figure(sum.pss), figure(sum.private)),
                format!("{more:+.1}"),
                snapshot.with(Role::Worker).count().to_string(),
            ]
        }),
    );
    let found =
        of(&entries, ON_DEMAND).and_then(|snapshot| Some(beyond(snapshot.sum().pss, plain?)));
    let verdicts = vec![Verdict::at_most("20 idle sites beyond plain httpd", 4.0, "MB", found)];
    Findings { text: format!("{table}\n{}", failures(&entries)), verdicts }
}

fn idle(bench: &Bench, kind: ServerKind) -> Result<ProcessSnapshot> {
    let shape = Shape::new(App::Hello, Mode::Sites(SITES));
    let mut server = kind.start(&bench.workdir, shape)?;
    for site in 0..SITES {
        if kind.runs_python() {
            let target = format!("/site{site}");
            crate::load::once(server.address(), &target, Some(&bench.python))?;
        } else {
            crate::load::once(server.address(), "/index.html", None)?;
        }
    }
    rest(&mut server, IDLE)?;
    let snapshot = server.settled();
    server.finish()?;
    Ok(snapshot)
}
