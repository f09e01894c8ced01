//! The resources that graceful restarts leave behind: memory of httpd's parent, descriptors,
//! processes.

use anyhow::Result;

use super::{accompanied, each, failures, lines, of};
use crate::load;
use crate::memory::Bench;
use crate::process_snapshot::{ProcessSnapshot, Role, descriptors};
use crate::report::{Findings, Verdict, beyond, fine, table};
use crate::server::Server;
use crate::server_kind::{Mode, ServerKind, Shape};
use crate::workdir::App;

const SERVER_KINDS: [ServerKind; 3] =
    [ServerKind::Plain, ServerKind::Dormouse(""), ServerKind::ModWsgi("")];

/// Restarts before the first look: caches fill, pools reach their size.
const EARLIER: u32 = 10;

/// The server before and after.
#[derive(Clone, Debug)]
struct Looks {
    before: Look,
    after: Look,
}

#[derive(Clone, Debug)]
struct Look {
    parent: u64,
    descriptors: usize,
    processes: usize,
}

/// Restarts as often as the options say.
pub(super) fn run(bench: &Bench) -> Findings {
    let entries = accompanied(bench, || each(bench, &SERVER_KINDS, |kind| looks(bench, kind)));
    let change = |before: usize, after: usize| format!("{before} → {after}");
    let growth = |looks: &Looks| beyond(looks.after.parent, looks.before.parent) * 1024.0;
    let table = table(
        &["kind", "parent's private, MB", "growth, KB", "its descriptors", "processes"],
        &lines(&entries, |looks| {
            let Looks { before, after } = looks;
            vec![
                format!("{} → {}", fine(before.parent), fine(after.parent)),
                format!("{:+.0}", growth(looks)),
                change(before.descriptors, after.descriptors),
                change(before.processes, after.processes),
            ]
        }),
    );
    let ours = of(&entries, ServerKind::Dormouse(""));
    let more = |count: fn(&Look) -> usize| {
        let gained = |looks: &Looks| count(&looks.after).saturating_sub(count(&looks.before));
        ours.map(|looks| f64::from(u32::try_from(gained(looks)).unwrap_or(u32::MAX)))
    };
    let verdicts = vec![
        Verdict::at_most("restarts: growth of the parent", 64.0, "KB", ours.map(growth)),
        Verdict::at_most("restarts: descriptors left", 0.0, "", more(|look| look.descriptors)),
        Verdict::at_most("restarts: processes left", 0.0, "", more(|look| look.processes)),
    ];
    let title = format!("From restart {EARLIER} to {}.", EARLIER + bench.restarts);
    Findings { text: format!("{title}\n\n{table}\n{}", failures(&entries)), verdicts }
}

fn looks(bench: &Bench, kind: ServerKind) -> Result<Looks> {
    let shape = Shape::new(App::Hello, Mode::Daemon(1));
    let mut server = kind.start(&bench.workdir, shape)?;
    for _ in 0..EARLIER {
        server.restart()?;
    }
    let before = look(bench, kind, &mut server)?;
    for _ in 0..bench.restarts {
        server.restart()?;
    }
    let after = look(bench, kind, &mut server)?;
    server.finish()?;
    Ok(Looks { before, after })
}

/// Asks once, so that a server that no longer works is not taken for a frugal one.
fn look(bench: &Bench, kind: ServerKind, server: &mut Server) -> Result<Look> {
    let python = kind.runs_python().then_some(bench.python.as_str());
    let target = if kind.runs_python() { "/" } else { "/index.html" };
    load::once(server.address(), target, python)?;
    let snapshot: ProcessSnapshot = server.settled();
    Ok(Look {
        parent: snapshot.private(Role::Parent).unwrap_or_default(),
        descriptors: descriptors(server.first()?)?,
        processes: snapshot.members.len(),
    })
}
