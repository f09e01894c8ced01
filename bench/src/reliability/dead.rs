//! A static file while a group is dead and asked all the same.

use std::thread;

use anyhow::{Context as _, Result};
use testkit::load::{Load, Outcome, Record};
use testkit::{Httpd, wait_until};

use super::{Amount, STATIC, STATIC_TARGET, middle, milliseconds, server};
use crate::report::{Findings, Verdict, table};

/// A Python that knows what it is and starts no worker.
const DEAD: &str = "#!/bin/sh
case \"$*\" in *_imp*) exit 7;; esac
exec /usr/bin/python3 \"$@\"
";

const SCRIPT: &str =
    "def application(environ, start_response):\n    start_response('200 OK', [])\n    return []\n";

/// Clients of the group, who come again and again.
const VISITORS: usize = 4;

/// Clients of the file, and how long each waits.
const READERS: usize = 4;
const PAUSE: std::time::Duration = std::time::Duration::from_millis(2);

/// The same httpd with clients that ask for a file, and with as many that ask a group that is dead.
pub(super) fn run(amount: &Amount) -> Result<Findings> {
    let httpd = server("dead")
        .program("dead/bin/python", DEAD)
        .file("app/app.wsgi", SCRIPT)
        .conf(
            "WSGIDaemonProcess dead threads=5 processes=2 python-home={root}/dead\n\
             WSGIScriptAlias /dead {root}/app/app.wsgi process-group=dead",
        )
        .start();
    wait_until("the group is down", || {
        httpd.get("/dead").try_send().is_ok_and(|reply| reply.status == 503)
    });
    let (mut without, mut with, mut failed) = (Vec::new(), Vec::new(), 0);
    for _ in 0..amount.rounds {
        let alone = readers(&httpd, amount);
        let visitors =
            Load::of_content(httpd.address(), "/dead", "").clients(VISITORS).pause(PAUSE).start();
        let beside = readers(&httpd, amount);
        let refused = visitors.finish();
        let right = refused.count(&Outcome::Refused) + refused.count(&Outcome::Closed);
        failed += refused.answers().len() - right;
        failed += alone.failures().count() + beside.failures().count();
        let quantile = |record: &Record| record.quantile(0.99).map(milliseconds);
        without.push(quantile(&alone).context("no file was sent")?);
        with.push(quantile(&beside).context("no file was sent")?);
    }
    let (without, with) = (middle(without), middle(with));
    let beyond = with.zip(without).map(|(with, without)| with - without);
    let shown =
        |figure: Option<f64>| figure.map_or("–".to_owned(), |figure| format!("{figure:.2}"));
    let lines = [
        vec![format!("beside {VISITORS} clients that ask for another one"), shown(without)],
        vec![format!("beside {VISITORS} clients that ask the group"), shown(with)],
    ];
    Ok(Findings {
        text: table(&["a static file", "p99, ms"], &lines),
        verdicts: vec![
            // A few times what a processor takes to turn to another process.
            Verdict::at_most("p99 beyond that without the group", 2.0, "ms", beyond),
            Verdict::at_most(
                "other answers than the file and 503",
                0.0,
                "",
                Some(f64::from(u32::try_from(failed).unwrap_or(u32::MAX))),
            ),
        ],
    })
}

fn readers(httpd: &Httpd, amount: &Amount) -> Record {
    let load = Load::of_content(httpd.address(), STATIC_TARGET, STATIC.1);
    let load = load.clients(READERS).pause(PAUSE).start();
    thread::sleep(amount.load / 2);
    load.finish()
}
