//! The borders between the crates, and what the built libraries link.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use cargo_metadata::MetadataCommand;
use testkit::installation;

/// Which crates of the workspace each one may use.
const MAY_USE: [(&str, &[&str]); 15] = [
    ("wsgi", &[]),
    ("pages", &[]),
    ("sockets", &[]),
    ("httpd-sys", &[]),
    ("httpd", &["httpd-sys"]),
    ("python", &[]),
    ("engine", &["python", "wsgi"]),
    // It is the library that CPython loads, so it is the one to define a module for it.
    ("extension", &["engine", "pages", "python", "sockets", "wsgi"]),
    ("module", &["httpd", "pages", "sockets", "wsgi"]),
    ("supervisor", &["pages", "sockets", "wsgi"]),
    ("express", &["wsgi"]),
    ("testkit", &[]),
    ("xtask", &[]),
    ("integration", &["testkit"]),
    ("bench", &["testkit", "wsgi"]),
];

/// Where no `unsafe` is allowed at all.
const WITHOUT_UNSAFE: [&str; 7] = [
    "crates/wsgi/src/lib.rs",
    "crates/engine/src/lib.rs",
    "crates/express/src/main.rs",
    "crates/testkit/src/lib.rs",
    "xtask/src/main.rs",
    "tests/http/main.rs",
    "bench/src/main.rs",
];

/// The dependencies of each crate of the workspace, of all kinds: inside it, and elsewhere.
fn dependencies() -> BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)> {
    let manifest = installation::project().join("Cargo.toml");
    let metadata = MetadataCommand::new().manifest_path(manifest).no_deps().exec().unwrap();
    let package = |package: cargo_metadata::Package| {
        let (inside, outside): (Vec<_>, Vec<_>) =
            package.dependencies.into_iter().partition(|dependency| dependency.path.is_some());
        let names = |list: Vec<cargo_metadata::Dependency>| {
            list.into_iter().map(|dependency| dependency.name).collect()
        };
        (package.name.to_string(), (names(inside), names(outside)))
    };
    metadata.packages.into_iter().map(package).collect()
}

#[test]
fn arrows_between_crates_never_turn_back() {
    let table: BTreeMap<_, _> = MAY_USE.into_iter().collect();
    let crates = dependencies();
    let known: BTreeSet<_> = table.keys().map(ToString::to_string).collect();
    assert_eq!(crates.keys().cloned().collect::<BTreeSet<_>>(), known, "every crate is listed");
    for (name, (inside, _)) in &crates {
        for used in inside {
            let allowed = table[name.as_str()].contains(&used.as_str());
            assert!(allowed, "{name} must not use {used}");
        }
    }
}

#[test]
fn httpd_and_python_never_meet() {
    let crates = dependencies();
    for (name, _) in MAY_USE {
        let mut reached = BTreeSet::from([name.to_owned()]);
        let mut outside = BTreeSet::new();
        let mut next = vec![name.to_owned()];
        while let Some(at) = next.pop() {
            let (inside, foreign) = &crates[&at];
            outside.extend(foreign.iter().cloned());
            next.extend(inside.iter().filter(|used| reached.insert((*used).clone())).cloned());
        }
        let httpd = reached.contains("httpd") || reached.contains("httpd-sys");
        let python = reached.contains("python") || outside.contains("pyo3-ffi");
        assert!(!(httpd && python), "{name} brings httpd and Python together");
    }
}

#[test]
fn unsafe_is_forbidden_where_it_has_no_place() {
    for file in WITHOUT_UNSAFE {
        let text = fs::read_to_string(installation::project().join(file)).unwrap();
        assert!(text.contains("#![forbid(unsafe_code)]"), "{file} does not forbid unsafe code");
    }
}

#[test]
fn no_library_links_python_and_the_engine_links_no_httpd() {
    let dist = installation::dist().unwrap();
    for (file, strangers) in [
        ("mod_wsgi.so", ["libpython", "_mod_wsgi"].as_slice()),
        ("_mod_wsgi.abi3.so", &["libpython", "libapr"]),
        ("wsgid", &["libpython", "libapr"]),
        ("dormouse", &["libpython", "libapr"]),
    ] {
        let output = Command::new("ldd").arg(dist.join(file)).output().unwrap();
        let linked = String::from_utf8(output.stdout).unwrap();
        assert!(linked.contains("libc.so"), "{file}: {linked}");
        for stranger in strangers {
            assert!(!linked.contains(stranger), "{file} links {stranger}:\n{linked}");
        }
    }
}

/// httpd writes other characters of messages and log lines as `\xe2\x80\xa6`.
#[test]
fn messages_are_ascii() {
    fn look(folder: &Path, odd: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                look(&path, odd);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
            let lines = lines.filter(|line| !line.is_ascii());
            odd.extend(lines.map(|line| format!("{}: {line}", path.display())));
        }
    }
    let mut odd = Vec::new();
    for (name, _) in
        MAY_USE.iter().filter(|(name, _)| !["bench", "testkit", "xtask"].contains(name))
    {
        let folder = installation::project().join("crates").join(name).join("src");
        if folder.is_dir() {
            look(&folder, &mut odd);
        }
    }
    assert!(odd.is_empty(), "{odd:#?}");
}

/// Comments and documents name the process, thread, user or code that acts. `"nobody"` is the Unix
/// user; `docs/directives.md` is made from the texts of options, which are no comments.
#[test]
fn comments_name_who_acts() {
    const VAGUE: [&str; 5] = ["nobody", "somebody", "anybody", "everybody", "whoever"];

    fn look(path: &Path, found: &mut Vec<String>) {
        if path.is_dir() {
            for entry in fs::read_dir(path).unwrap() {
                look(&entry.unwrap().path(), found);
            }
            return;
        }
        let is_code = path.extension().is_some_and(|ending| ending == "rs");
        let is_document = path.extension().is_some_and(|ending| ending == "md");
        if !(is_code || is_document) {
            return;
        }
        let text = fs::read_to_string(path).unwrap();
        for (index, line) in text.lines().enumerate() {
            let comment = line.split_once("//").map_or("", |(_, comment)| comment);
            let prose = if is_code { comment } else { line };
            let prose = prose.replace("\"nobody\"", "").replace("`nobody`", "");
            let mut words = prose.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
            if words.any(|word| VAGUE.iter().any(|vague| word.eq_ignore_ascii_case(vague))) {
                found.push(format!("{}:{}: {line}", path.display(), index + 1));
            }
        }
    }

    let project = installation::project();
    let mut found = Vec::new();
    for entry in fs::read_dir(project.join("crates")).unwrap() {
        look(&entry.unwrap().path().join("src"), &mut found);
    }
    for folder in ["bench/src", "xtask/src", "fuzz/src"] {
        look(&project.join(folder), &mut found);
    }
    for document in ["README.md", "SECURITY.md", "SAFETY.md", "ARCHITECTURE.md", "docs"] {
        look(&project.join(document), &mut found);
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// `docs/coverage.md` names a test for each directive and option, and no test that there is not.
#[test]
fn what_is_tested_where_is_written_down() {
    let project = installation::project();
    let read = |path: &str| fs::read_to_string(project.join(path)).unwrap();
    let (coverage, reference) = (read("docs/coverage.md"), read("docs/directives.md"));
    let quoted = |line: &str| line.split('`').nth(1).unwrap().to_owned();
    for line in
        reference.lines().filter(|line| line.starts_with("### `") || line.starts_with("| `"))
    {
        let entry = format!("| `{}` |", quoted(line));
        assert!(coverage.contains(&entry), "docs/coverage.md has no line {entry}");
    }
    let names = coverage.lines().filter(|line| line.starts_with("| ")).flat_map(|line| {
        line.split('`').skip(1).step_by(2).filter_map(|name| name.split_once("::"))
    });
    for (topic, name) in names {
        let tests = read(&format!("tests/http/{topic}.rs"));
        assert!(tests.contains(&format!("fn {name}(")), "there is no test {topic}::{name}");
    }
}
