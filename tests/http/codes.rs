//! The catalogue of messages (`wsgi::codes`): that every line at warning or above comes from it,
//! and that its page has each of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use testkit::installation;

/// The crates whose processes write into httpd's error log.
const CRATES: [&str; 9] =
    ["engine", "extension", "httpd", "module", "pages", "python", "sockets", "supervisor", "wsgi"];

/// Where a level at warning or above may be named, and why.
const LEVELS: [(&str, &str); 5] = [
    ("crates/wsgi/src/level.rs", "it defines them"),
    ("crates/wsgi/src/codes.rs", "messages have them"),
    ("crates/engine/src/settings.rs", "output of applications has one"),
    ("crates/engine/src/interpreter/log_handler.rs", "records of the module logging have theirs"),
    ("crates/module/src/sys/engine.rs", "a line from the engine has one, known or not"),
];

/// Where the line of a log is made of a level and a text, and why.
const LINES: [(&str, &str); 10] = [
    ("crates/wsgi/src/protocol/log_line.rs", "it defines them"),
    ("crates/engine/src/settings.rs", "messages, and output of applications"),
    ("crates/engine/src/engine.rs", "records, which are messages and tracebacks"),
    ("crates/engine/src/request/lease.rs", "messages, records, and output of applications"),
    ("crates/engine/src/interpreter/log_handler.rs", "records of the module logging"),
    ("crates/extension/src/embedded.rs", "messages"),
    ("crates/extension/src/synthetic_request.rs", "lines of the engine, with what they are about"),
    ("crates/extension/src/worker/handler.rs", "messages"),
    ("crates/module/src/sys/engine.rs", "lines of the engine"),
    ("crates/supervisor/src/log.rs", "messages, and lines at info"),
];

/// A source file without its tests and its comments.
struct Source {
    path: String,
    code: String,
}

fn sources() -> Vec<Source> {
    let project = installation::project();
    let mut all = Vec::new();
    for name in CRATES {
        read(project, &format!("crates/{name}/src"), &mut all);
    }
    assert!(all.len() > 100, "the sources are found");
    all
}

fn read(project: &Path, folder: &str, all: &mut Vec<Source>) {
    for entry in fs::read_dir(project.join(folder)).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            read(project, &path, all);
            continue;
        }
        let text = fs::read_to_string(entry.path()).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        all.push(Source { path, code: lines.collect::<Vec<_>>().join("\n") });
    }
}

fn is_catalogue(source: &Source) -> bool {
    source.path.starts_with("crates/wsgi/src/codes")
}

/// The lines of a source with one of these in them.
fn lines_with<'s>(source: &'s Source, parts: &[&str]) -> impl Iterator<Item = String> + use<'s> {
    let parts: Vec<String> = parts.iter().map(ToString::to_string).collect();
    let lines = source.code.lines();
    let lines = lines.filter(move |line| parts.iter().any(|part| line.contains(part.as_str())));
    lines.map(|line| format!("{}: {}", source.path, line.trim()))
}

/// The entries of the catalogue: their codes, and the functions that make their messages.
fn entries(sources: &[Source]) -> BTreeMap<String, String> {
    let mut entries = BTreeMap::new();
    for line in sources.iter().filter(|one| is_catalogue(one)).flat_map(|one| one.code.lines()) {
        let mut words = line.split_whitespace();
        let (Some(code), Some(_level), Some(function)) = (words.next(), words.next(), words.next())
        else {
            continue;
        };
        if is_code(code) && line.starts_with("    WSGI") {
            let function = function.split('(').next().unwrap().to_owned();
            assert_eq!(entries.insert(code.to_owned(), function), None, "{code} is there twice");
        }
    }
    assert!(entries.len() > 100, "the entries are found");
    entries
}

fn is_code(word: &str) -> bool {
    let digits = word.strip_prefix("WSGI").unwrap_or_default();
    digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[test]
fn codes_are_written_in_the_catalogue_alone() {
    let sources = sources();
    let others = sources.iter().filter(|source| !is_catalogue(source));
    let found: Vec<String> = others.flat_map(|one| lines_with(one, &["WSGI0", "WSGI{"])).collect();
    assert!(found.is_empty(), "codes belong into wsgi::codes: {found:#?}");
}

#[test]
fn each_message_is_on_the_page_and_is_used() {
    let sources = sources();
    let entries = entries(&sources);
    let page = fs::read_to_string(installation::project().join("docs/errors.md")).unwrap();
    let headings = page.lines().filter_map(|line| line.strip_prefix("### "));
    let on_page: BTreeSet<&str> = headings.collect();
    let in_catalogue: BTreeSet<&str> = entries.keys().map(String::as_str).collect();
    assert_eq!(on_page, in_catalogue);
    let others: Vec<&Source> = sources.iter().filter(|source| !is_catalogue(source)).collect();
    let goes_on = |rest: &str| rest.starts_with(|next: char| next.is_alphanumeric() || next == '_');
    let is_used = |function: &str| {
        let call = format!("codes::{function}");
        others.iter().any(|one| one.code.split(&call).skip(1).any(|rest| !goes_on(rest)))
    };
    let unused: Vec<_> = entries.iter().filter(|(_, function)| !is_used(function)).collect();
    assert!(unused.is_empty(), "nothing logs these: {unused:?}");
}

/// The logs take a message or a line at info. What is below them is made in few places.
#[test]
fn lines_at_warning_or_above_are_messages() {
    let levels = ["Level::Warning", "Level::Error", "Level::Crit", "Level::Alert", "APLOG_"];
    let lines = ["LogLine::new(", "LogLine {", "startup_line(", ".line_from(", "ap_log_"];
    let makes_lines = ["crates/module/src/lib.rs", "crates/httpd/src/log.rs"];
    let mut found = Vec::new();
    for source in sources() {
        let path = source.path.as_str();
        if makes_lines.contains(&path) {
            continue;
        }
        if !LEVELS.iter().any(|(file, _)| *file == path) {
            found.extend(lines_with(&source, &levels));
        }
        if !LINES.iter().any(|(file, _)| *file == path) {
            found.extend(lines_with(&source, &lines));
        }
    }
    assert!(found.is_empty(), "these lines may have no code: {found:#?}");
}

/// Documents name no code that is not in the catalogue, nor does one message the code of another.
#[test]
fn documents_name_codes_that_there_are() {
    let project = installation::project();
    let entries = entries(&sources());
    let mut documents: Vec<_> = ["README.md", "SECURITY.md", "CHANGELOG.md", "CONTRIBUTING.md"]
        .map(|name| project.join(name))
        .to_vec();
    documents.extend(fs::read_dir(project.join("docs")).unwrap().map(|one| one.unwrap().path()));
    for path in documents.iter().filter(|path| path.extension().is_some_and(|end| end == "md")) {
        let text = fs::read_to_string(path).unwrap();
        let words = text.split(|byte: char| !byte.is_ascii_alphanumeric());
        for code in words.filter(|word| is_code(word)) {
            assert!(entries.contains_key(code), "{}: there is no {code}", path.display());
        }
    }
}
