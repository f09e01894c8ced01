//! `cargo xtask bench leaks`: what many requests leave behind in each process of a server.
//!
//! Bytes are counted, not allocations, so that nothing escapes: Python's heap, the C library's, the
//! module's own, stacks and mappings. They are those of anonymous pages: which pages of files a
//! process has to itself depends on what else runs.

mod traffic;

use std::collections::BTreeMap;
use std::fs;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use testkit::{Httpd, Kind, Mode, Mpm, Setup};

use crate::machine;
use crate::process_snapshot::{ProcessSnapshot, descriptors};
use crate::report::{self, Verdict, table};
use traffic::Traffic;

#[derive(Args)]
pub(crate) struct Options {
    /// Requests of each scenario, after five thousand to warm up.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1000..))]
    requests: u32,
    /// Only these kinds of requests.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Traffic>,
    /// Only these places of the application.
    #[arg(long, value_enum, value_delimiter = ',')]
    place: Vec<Placement>,
}

/// Where the application runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Placement {
    /// In a child of httpd.
    Embedded,
    /// In a worker that has been started.
    Daemon,
    /// In a worker that has been forked.
    Template,
}

impl Placement {
    const ALL: [Self; 3] = [Self::Embedded, Self::Daemon, Self::Template];

    fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Daemon => "daemon",
            Self::Template => "daemon, template",
        }
    }
}

/// Bytes per request that a process may keep. The smallest block of a heap is 16 bytes, so a single
/// one that each request leaves is seen, and one that only every eighth leaves.
const MOST: f64 = 2.0;

/// Parts that the requests are divided into. A leak grows in each of them, so the part with the
/// least growth counts: heaps of threads grow by 200 KB in one part or another, until each has done
/// so once.
const PARTS: u32 = 5;

/// Requests before the first look, once all threads are awake: caches and free lists reach their
/// size.
const WARM_UP: u32 = 5000;

/// Prints everything; success means that nothing grew.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    println!("# Leaks\n\n{}", machine::describe()?);
    println!(
        "Growth over {} requests, after {WARM_UP} to warm up; the sum of all processes of a \
         kind.\n",
        options.requests
    );
    let mut verdicts = Vec::new();
    let chosen = |traffic: &&Traffic| options.only.is_empty() || options.only.contains(traffic);
    for place in Placement::ALL {
        if !options.place.is_empty() && !options.place.contains(&place) {
            continue;
        }
        println!("## {}\n", place.name());
        let mut lines = Vec::new();
        for &traffic in Traffic::ALL.iter().filter(chosen) {
            eprintln!("→ {}, {}", place.name(), traffic.name());
            let changes = measure(place, traffic, options.requests)?;
            let worst = changes.iter().map(|change| change.least).max().unwrap_or(0).max(0);
            let each = f64::from(i32::try_from(worst)?) / f64::from(options.requests / PARTS);
            let what = format!("{}, {}", place.name(), traffic.name());
            verdicts.push(Verdict::at_most(&what, MOST, "bytes per request", Some(each)));
            let counts = changes.iter().map(|change| change.descriptors.max(change.threads));
            let more = f64::from(i32::try_from(counts.max().unwrap_or(0).max(0))?);
            let what = format!("{what}: descriptors, threads");
            verdicts.push(Verdict::at_most(&what, 0.0, "", Some(more)));
            lines.extend(changes.iter().map(|change| change.line(traffic)));
        }
        let head = [
            "requests",
            "process",
            "anonymous, KB",
            "least part, KB",
            "VmData, KB",
            "descriptors",
            "threads",
        ];
        println!("{}", table(&head, &lines));
    }
    println!("{}", report::verdicts(&verdicts));
    Ok(report::conclude(&verdicts))
}

/// The resources of all processes of a kind at one moment.
#[derive(Clone, Copy, Debug, Default)]
struct Look {
    anonymous: i64,
    data: i64,
    descriptors: i64,
    threads: i64,
}

/// Each kind of process.
type Looks = BTreeMap<Kind, Look>;

/// The change from the first look to the last.
struct Change {
    kind: Kind,
    anonymous: i64,
    /// That of the part that changed it least.
    least: i64,
    data: i64,
    descriptors: i64,
    threads: i64,
}

impl Change {
    fn line(&self, traffic: Traffic) -> Vec<String> {
        let kilobytes = |bytes: i64| format!("{:+}", bytes / 1024);
        vec![
            traffic.name().to_owned(),
            format!("{:?}", self.kind).to_lowercase(),
            kilobytes(self.anonymous),
            kilobytes(self.least),
            kilobytes(self.data),
            format!("{:+}", self.descriptors),
            format!("{:+}", self.threads),
        ]
    }
}

fn measure(place: Placement, traffic: Traffic, requests: u32) -> Result<Vec<Change>> {
    let httpd = server(place, traffic).try_start()?;
    traffic::wake_all(&httpd)?;
    traffic.send(&httpd, WARM_UP)?;
    let mut looks = vec![look(&httpd)?];
    for _ in 0..PARTS {
        traffic.send(&httpd, requests / PARTS)?;
        looks.push(look(&httpd)?);
    }
    let change = |(&kind, now): (&Kind, &Look)| {
        let then = looks.first()?.get(&kind)?;
        let growth =
            |pair: &[Looks]| Some(pair[1].get(&kind)?.anonymous - pair[0].get(&kind)?.anonymous);
        Some(Change {
            kind,
            anonymous: now.anonymous - then.anonymous,
            least: looks.windows(2).filter_map(growth).min()?,
            data: now.data - then.data,
            descriptors: now.descriptors - then.descriptors,
            threads: now.threads - then.threads,
        })
    };
    let last = looks.last().context("there is one look at least")?;
    let changes = last.iter().filter_map(change).collect();
    httpd.finish()?;
    Ok(changes)
}

fn server(place: Placement, traffic: Traffic) -> Setup {
    let script = "tests/apps/leaks.wsgi";
    let script = fs::read(testkit::installation::project().join(script)).unwrap_or_default();
    // As many threads in one child of httpd as there are clients, and nothing in the log that is
    // not needed.
    let setup = Httpd::new("leaks")
        .mpm(Mpm::Event)
        .one_child()
        .conf("LogLevel crit\nCustomLog /dev/null testkit")
        .conf("WSGIApplicationGroup %{GLOBAL}")
        .file(traffic::SCRIPT, script)
        .conf(&format!("WSGIScriptAlias / {{root}}/{}", traffic::SCRIPT))
        .conf(traffic.lines())
        .allow_log("");
    match place {
        Placement::Embedded => setup.mode(Mode::Embedded),
        Placement::Daemon => setup.mode(Mode::Daemon).daemon("processes=1 threads=3"),
        Placement::Template => {
            setup.mode(Mode::Daemon).daemon("processes=1 threads=3 preload=application")
        }
    }
}

/// Each kind of process, once the server rests.
fn look(httpd: &Httpd) -> Result<Looks> {
    thread::sleep(REST);
    let mut looks = Looks::new();
    for process in httpd.processes() {
        let snapshot = ProcessSnapshot::take(std::slice::from_ref(&process), None);
        let status = fs::read_to_string(format!("/proc/{}/status", process.pid))
            .with_context(|| format!("process {} has ended", process.pid))?;
        let look = looks.entry(process.kind).or_default();
        look.anonymous += i64::try_from(snapshot.sum().anonymous)?;
        look.data += field(&status, "VmData:") * 1024;
        look.descriptors += i64::try_from(descriptors(process.pid)?)?;
        look.threads += field(&status, "Threads:");
    }
    Ok(looks)
}

/// The number of a line; nothing where there is no such line.
fn field(text: &str, name: &str) -> i64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Until connections are closed and old workers have ended.
const REST: Duration = Duration::from_secs(2);
