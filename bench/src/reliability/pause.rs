//! How long httpd answers nothing at all while it restarts, where groups have Pythons that take 0.3
//! s to start, and one that hangs.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use anyhow::{Context as _, Result};
use testkit::load::Load;
use testkit::{Httpd, Setup, installation};

use super::{Amount, STATIC, STATIC_TARGET, middle, milliseconds, server};
use crate::report::{Findings, Verdict, table};

/// Groups, each with a Python of its own.
const GROUPS: usize = 20;

/// Takes 0.3 s, and hangs where a file says so.
const SLOW: &str = "#!/bin/sh
while [ -e \"${0%/*}/hang\" ]; do sleep 0.05; done
sleep 0.3
exec HOME/bin/python3 \"$@\"
";

/// A group more, whose Python hangs once the server has started.
const HANGS: &str = "hangs";

/// Requests of four clients for a static file while both servers restart in turn.
pub(super) fn run(amount: &Amount) -> Result<Findings> {
    let home = installation::python_home()?;
    let python = SLOW.replace("HOME", home.to_str().context("a path of Python is not UTF-8")?);
    let ours = with_groups(&python).start();
    fs::write(ours.root().join(HANGS).join("bin/hang"), "").context("cannot let a Python hang")?;
    let plain = server("pause-plain").without_wsgi().start();
    let (mut our_gaps, mut their_gaps) = (Vec::new(), Vec::new());
    for round in 0..amount.rounds {
        change(&ours, &python, round)?;
        our_gaps.push(gap(&ours));
        their_gaps.push(gap(&plain));
    }
    // It would have the end of the server wait for as long as a process may take to end.
    fs::remove_file(ours.root().join(HANGS).join("bin/hang")).context("cannot let it go on")?;
    let (our_gap, their_gap) = (middle(our_gaps.clone()), middle(their_gaps.clone()));
    let beyond = our_gap.zip(their_gap).map(|(ours, theirs)| (ours - theirs) / 1000.0);
    let shown =
        |gaps: &[f64]| gaps.iter().map(|gap| format!("{gap:.0}")).collect::<Vec<_>>().join(", ");
    let lines = [
        vec!["Dormouse".to_owned(), shown(&our_gaps)],
        vec!["plain httpd".to_owned(), shown(&their_gaps)],
    ];
    Ok(Findings {
        text: table(&["longest gap of answers in a restart", "ms, each round"], &lines),
        verdicts: vec![Verdict::at_most("longest gap beyond plain httpd's", 0.1, "s", beyond)],
    })
}

fn with_groups(python: &str) -> Setup {
    let names = (0..GROUPS).map(|number| format!("slow{number}")).chain([HANGS.to_owned()]);
    names.fold(server("pause"), |setup, name| {
        setup
            .program(&format!("{name}/bin/python"), python)
            .conf(&format!("WSGIDaemonProcess {name} threads=1 python-home={{root}}/{name}"))
    })
}

/// Replaces each Python as an update does, so that what it has said of itself does not count any
/// more.
fn change(httpd: &Httpd, python: &str, round: u32) -> Result<()> {
    for number in 0..GROUPS {
        let path = httpd.root().join(format!("slow{number}/bin/python"));
        let new = path.with_extension("new");
        fs::write(&new, format!("{python}# {round}\n"))
            .and_then(|()| fs::set_permissions(&new, Permissions::from_mode(0o755)))
            .and_then(|()| fs::rename(&new, &path))
            .with_context(|| format!("cannot replace {}", path.display()))?;
    }
    Ok(())
}

/// The longest gap in milliseconds.
fn gap(httpd: &Httpd) -> f64 {
    let load = Load::of_content(httpd.address(), STATIC_TARGET, STATIC.1).start();
    let more = || {
        let before = load.right();
        testkit::wait_until("requests are answered", || load.right() >= before + 100);
    };
    more();
    httpd.graceful();
    more();
    milliseconds(load.finish().longest_gap())
}
