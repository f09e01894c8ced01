//! The order of the rooms inside of the crates, and of the code inside of the libraries.

use std::fs;

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
