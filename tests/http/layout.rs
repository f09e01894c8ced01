//! The order of the rooms inside of the crates, and of the code inside of the libraries.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use testkit::installation;

/// The names of modules in `layout/cold.ld`: what moves or is renamed must not be forgotten there.
#[test]
fn each_pattern_of_the_link_map_fits_a_symbol() {
    let text = fs::read_to_string(installation::project().join("layout/cold.ld")).unwrap();
    let patterns: Vec<_> = text
        .split(".text.*")
        .skip(1)
        .map(|rest| rest.split('*').next().expect("split gives a first part"))
        .filter(|pattern| !pattern.is_empty())
        .collect();
    assert!(patterns.len() > 30, "{patterns:?}");
    let dist = installation::dist().unwrap();
    let mut symbols = String::new();
    for file in ["mod_wsgi.so", "_mod_wsgi.abi3.so", "wsgid"] {
        let output = Command::new("nm").arg(dist.join(file)).output().unwrap();
        symbols += &String::from_utf8(output.stdout).unwrap();
    }
    let lost: Vec<_> = patterns.iter().filter(|pattern| !symbols.contains(**pattern)).collect();
    assert!(lost.is_empty(), "layout/cold.ld has patterns that fit no symbol: {lost:?}");
}

/// The rooms of a crate, from the lowest floor up: folders, and files where a folder has several
/// floors. A room uses those before it.
type Floors = &'static [&'static str];

const FLOORS: [(&str, Floors); 5] = [
    (
        "wsgi",
        &[
            "durations",
            "header",
            "level",
            "lock",
            "printable",
            "time_zone",
            "codes",
            "protocol",
            "config",
            "process",
            "environ",
        ],
    ),
    (
        "engine",
        &[
            "admission",
            "clock",
            "exchange",
            "records",
            "settings",
            "usage",
            "preload",
            "known_scripts",
            "fault",
            "request",
            "objects",
            "metrics",
            "events",
            "interpreter",
            "control",
            "job",
            "call",
            "hook",
            "script",
            "engine",
            "lib",
        ],
    ),
    (
        "extension",
        &[
            "sys",
            "panics",
            "rlimits",
            "thread_stack",
            "clock",
            "log",
            "control_socket",
            "queue",
            "process_context",
            "engine_settings",
            "synthetic_request",
            "imports",
            "worker",
            "template",
            "service",
            "start",
            "entry",
            "embedded",
            "sys/exports",
            "lib",
        ],
    ),
    (
        "module",
        &[
            "clock",
            "heap",
            "sys",
            "wsgid",
            "config",
            "scoreboard",
            "sys/record",
            "sys/engine",
            "lifecycle",
            "request",
            "embedded",
            "relay",
            "hooks",
            "request/dispatch",
            "check",
            "dump",
            "lib",
        ],
    ),
    (
        "supervisor",
        &[
            "start/credentials",
            "start/word",
            "sys",
            "log",
            "process",
            "control_socket",
            "queue",
            "start",
            "refusals",
            "group",
            "leads",
            "check",
            "serve",
            "main",
        ],
    ),
];

/// Files that use a room above their own all the same, each with the reason.
const EXCEPTIONS: [(&str, &str, &str); 2] = [
    (
        "module/config/store",
        "lifecycle/generation",
        "httpd keeps one record for a server, what was started included",
    ),
    ("engine/request/lease", "events/request_events", "the events of a request end with its lease"),
];

/// The files of a crate, named without their ending, with their production code.
fn files(folder: &Path, within: &str, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let name = if within.is_empty() { name.to_owned() } else { format!("{within}/{name}") };
        if path.is_dir() {
            files(&path, &name, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
            found.insert(name, lines.collect::<Vec<_>>().join("\n"));
        }
    }
}

/// The paths of modules that follow `crate::` in some code, with slashes.
fn uses(code: &str) -> Vec<String> {
    let of_path = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_:".contains(c);
    let path =
        |rest: &str| rest.split(|c| !of_path(c)).next().unwrap_or_default().replace("::", "/");
    code.split("crate::")
        .skip(1)
        .map(path)
        .map(|path| path.trim_end_matches('/').to_owned())
        .collect()
}

/// The place of the room that a file or path belongs to: the one with the longest name.
fn floor(floors: Floors, path: &str) -> Option<usize> {
    let holds = |room: &str| {
        path == room || path.strip_prefix(room).is_some_and(|rest| rest.starts_with('/'))
    };
    let rooms = floors.iter().enumerate().filter(|(_, room)| holds(room));
    rooms.max_by_key(|(_, room)| room.len()).map(|(index, _)| index)
}

#[test]
fn rooms_use_those_below_them() {
    let mut wrong = Vec::new();
    let mut unused: Vec<_> = EXCEPTIONS.iter().collect();
    for (name, floors) in FLOORS {
        let mut found = BTreeMap::new();
        files(&installation::project().join("crates").join(name).join("src"), "", &mut found);
        for (file, code) in &found {
            if file == "lib" || file == "main" {
                continue;
            }
            let Some(own) = floor(floors, file) else {
                wrong.push(format!("{name}: the room of {file} has no floor"));
                continue;
            };
            for used in uses(code) {
                // What the crate's root names is the wiring of all rooms.
                let Some(other) = floor(floors, &used).filter(|other| *other > own) else {
                    continue;
                };
                let file = format!("{name}/{file}");
                let known =
                    unused.iter().position(|(from, to, _)| *from == file && used.starts_with(to));
                if let Some(known) = known {
                    unused.swap_remove(known);
                } else if !EXCEPTIONS
                    .iter()
                    .any(|(from, to, _)| *from == file && used.starts_with(to))
                {
                    wrong
                        .push(format!("{file} uses {used}, which is above it ({})", floors[other]));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(unused.is_empty(), "exceptions that are none: {unused:?}");
}

/// Documents name rooms as `crate::room::room`: each has to be there.
#[test]
fn documents_name_rooms_that_there_are() {
    let project = installation::project();
    let mut lost = Vec::new();
    for document in ["ARCHITECTURE.md", "SECURITY.md", "SAFETY.md", "docs/coverage.md"] {
        let text = fs::read_to_string(project.join(document)).unwrap();
        for quoted in text.split('`').skip(1).step_by(2) {
            let mut parts = quoted.split("::");
            let krate = project.join("crates").join(parts.next().unwrap_or_default()).join("src");
            let Some(first) = parts.next().filter(|_| krate.is_dir()) else { continue };
            let parts = parts.take_while(|part| part.starts_with(|c: char| c.is_ascii_lowercase()));
            let room = parts.fold(krate.join(first), |path, part| path.join(part));
            let function = room.parent().unwrap().with_extension("rs");
            let name = room.file_name().unwrap().to_str().unwrap();
            let is_function = fs::read_to_string(function)
                .is_ok_and(|text| text.contains(&format!("fn {name}(")));
            if !room.with_extension("rs").is_file() && !is_function {
                lost.push(format!("{document}: `{quoted}`"));
            }
        }
    }
    assert!(lost.is_empty(), "{lost:#?}");
}
