//! The seeds in the repository, shown to their targets. One test: the memory of a target is that of
//! the process.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::Path;

use fuzz::{TARGETS, Target};
use wsgi::protocol::hook::Question;
use wsgi::protocol::request::RequestHead;

/// One that is refused at its first byte reaches nothing: the protocol's version is in it.
fn are_of_this_version(seeds: &Path) {
    let seed = |name: &str| fs::read(seeds.join("requests").join(name)).unwrap();
    assert!(
        RequestHead::decode(&seed("request")).is_ok(),
        "write the seeds anew (examples/seeds.rs)"
    );
    assert!(Question::decode(&seed("password")).is_ok());
}

#[test]
fn each_target_takes_its_seeds() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    let mut directories: Vec<_> = fs::read_dir(&seeds)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    directories.sort();
    assert_eq!(directories, TARGETS.iter().map(|target| target.name).collect::<Vec<_>>());
    are_of_this_version(&seeds);
    for target in TARGETS {
        let files = Target::files(&seeds.join(target.name)).unwrap();
        assert!(!files.is_empty(), "{} has no seeds", target.name);
        for file in files {
            println!("{}", file.display());
            target.run(&fs::read(file).unwrap());
        }
    }
}
