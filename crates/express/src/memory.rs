//! `dormouse memory`: what each process of running servers costs, and what templates save.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use wsgi::process::smaps::{GroupMemory, Memory, Role};

use crate::output::{self, Reader};
use crate::processes::{Machine, Process};

/// Options of `dormouse memory`.
#[derive(Args)]
pub(crate) struct MemoryOptions {
    /// The parent process of the server; without it, all servers that have process groups.
    #[arg(long, value_name = "PID", conflicts_with = "pid_file", allow_negative_numbers = true)]
    pid: Option<i32>,
    /// The file that httpd has written its process id into (`PidFile`).
    #[arg(long, value_name = "FILE")]
    pid_file: Option<PathBuf>,
    /// Prints again and again, every so many seconds.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "2",
          value_parser = clap::value_parser!(u64).range(1..))]
    watch: Option<u64>,
}

/// The sequence that a terminal takes for "from the top of an empty screen".
const CLEAR: &str = "\x1b[2J\x1b[H";

/// Prints the tables.
pub(crate) fn run(options: &MemoryOptions) -> Result<ExitCode> {
    loop {
        let report = report(options)?;
        let code = if report.is_complete { ExitCode::SUCCESS } else { ExitCode::from(INCOMPLETE) };
        let Some(seconds) = options.watch else {
            output::print(&report.text)?;
            return Ok(code);
        };
        if output::print(&format!("{CLEAR}{}", report.text))? == Reader::Gone {
            return Ok(code);
        }
        thread::sleep(Duration::from_secs(seconds));
    }
}

/// The tables of all servers.
struct Report {
    text: String,
    /// Whether the memory of all processes could be read.
    is_complete: bool,
}

/// Exit status where figures are missing.
const INCOMPLETE: u8 = 1;

fn report(options: &MemoryOptions) -> Result<Report> {
    let machine = Machine::now();
    let servers = match (options.pid, &options.pid_file) {
        (Some(pid), _) => vec![pid],
        (None, Some(file)) => {
            let text = std::fs::read_to_string(file)
                .with_context(|| format!("--pid-file {} cannot be read", file.display()))?;
            let pid = text.trim().parse();
            vec![pid.with_context(|| format!("{} holds no process id", file.display()))?]
        }
        (None, None) => machine.servers(),
    };
    if servers.is_empty() {
        bail!(
            "no server with process groups is running; name one without them by its process id \
             (--pid) or the file that holds it (--pid-file)"
        );
    }
    let mut report = Report { text: String::new(), is_complete: true };
    for server in servers {
        let processes = machine.server(server);
        if processes.is_empty() {
            bail!("there is no process {server}; name httpd's parent process");
        }
        report.text.push_str(&table(&processes));
        report.is_complete &= processes.iter().all(|process| process.memory.is_some());
    }
    Ok(report)
}

/// The processes of one server, its groups, and the sum.
fn table(processes: &[Process]) -> String {
    let mut text = String::new();
    let mut groups: BTreeMap<&str, GroupMemory> = BTreeMap::new();
    let mut all = Memory::default();
    line(&mut text, ["PROCESS", "PID", "RSS", "PSS", "PRIVATE", "SHARED"]);
    let mut closed = 0;
    for process in processes {
        let (name, pid) = (name(&process.role), process.pid.to_string());
        let Some(memory) = process.memory else {
            closed += 1;
            line(&mut text, [&name, &pid, "?", "?", "?", "?"]);
            continue;
        };
        figures(&mut text, &name, &pid, memory);
        all += memory;
        if let Some(group) = process.role.group() {
            groups.entry(group).or_default().add(&process.role, memory);
        }
    }
    text.push('\n');
    let mut saved = 0;
    for (name, group) in &groups {
        let count = group.workers;
        figures(&mut text, &format!("group {name}"), &format!("{count} workers"), group.memory);
        if group.template {
            saved += group.without_template.saturating_sub(group.memory.pss);
        }
    }
    figures(&mut text, "all", &format!("{} processes", processes.len()), all);
    if groups.values().any(|group| group.template) {
        let without = megabytes(all.pss + saved);
        let _ = writeln!(
            text,
            "\nWithout templates the same would cost about {without} MB, which is {} MB more.",
            megabytes(saved)
        );
    }
    if closed > 0 {
        let _ = writeln!(
            text,
            "\nThe memory of {closed} processes of other users is not shown; run this as root."
        );
    }
    text + "\nMB. RSS counts shared pages in full in each process; the PSS of all is what they \
            cost together.\n"
}

fn name(role: &Role) -> String {
    match role {
        Role::Parent => "Apache parent".into(),
        Role::Child => "Apache child".into(),
        Role::Supervisor => "wsgid".into(),
        Role::Template(group) => format!("template of {group}"),
        Role::Worker(group) => format!("worker of {group}"),
        Role::Program => "other program".into(),
    }
}

fn figures(text: &mut String, name: &str, place: &str, memory: Memory) {
    let [rss, pss, private, shared] =
        [memory.rss, memory.pss, memory.private, memory.shared()].map(megabytes);
    line(text, [name, place, &rss, &pss, &private, &shared]);
}

fn line(text: &mut String, [name, place, rss, pss, private, shared]: [&str; 6]) {
    let _ = writeln!(text, "{name:<28} {place:>12} {rss:>9} {pss:>9} {private:>9} {shared:>9}");
}

/// Bytes as megabytes with one decimal.
fn megabytes(bytes: u64) -> String {
    let tenths = (bytes * 10 + (1 << 19)) >> 20;
    format!("{}.{}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: i32, role: Role, memory: Option<Memory>) -> Process {
        Process { pid, role, memory }
    }

    #[test]
    fn groups_and_savings_are_summed() {
        let worker = Memory {
            rss: 40 << 20,
            pss: 15 << 20,
            private: 5 << 20,
            anonymous: 35 << 20,
            pss_anonymous: 13 << 20,
            swap: 0,
        };
        let processes = [
            process(1, Role::Parent, Some(Memory { rss: 5 << 20, ..Memory::default() })),
            process(2, Role::Template("site".into()), Some(Memory { pss: 10 << 20, ..worker })),
            process(3, Role::Worker("site".into()), Some(worker)),
            process(4, Role::Worker("site".into()), Some(worker)),
            process(5, Role::Program, None),
        ];
        let text = table(&processes);
        assert!(
            text.contains("group site                      2 workers     120.0      40.0"),
            "{text}"
        );
        // Each worker would have its 35 MB for itself, and 2 of files: 34 more than now.
        assert!(text.contains("about 74.0 MB, which is 34.0 MB more"), "{text}");
        assert!(text.contains("The memory of 1 processes of other users is not shown"));
    }

    #[test]
    fn megabytes_are_rounded() {
        assert_eq!(megabytes(0), "0.0");
        assert_eq!(megabytes(1 << 20), "1.0");
        assert_eq!(megabytes((1 << 20) + (1 << 19) / 5 + 1), "1.1");
    }
}
