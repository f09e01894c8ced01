//! Inputs out of files: how a finding is looked into without a fuzzer, on any toolchain.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// What is done with an input.
pub type Target = fn(&[u8]);

/// Runs the target on the files that the command line names, and on the files of named directories.
///
/// # Errors
/// When a file cannot be read.
///
/// # Panics
/// Where the target does.
pub fn replay(target: Target) -> io::Result<()> {
    for argument in env::args_os().skip(1) {
        for file in files(Path::new(&argument))? {
            println!("{}", file.display());
            target(&fs::read(file)?);
        }
    }
    Ok(())
}

fn files(path: &Path) -> io::Result<Vec<PathBuf>> {
    if path.is_dir() {
        return fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect();
    }
    Ok(vec![path.to_owned()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_are_in_order() {
        let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
        let targets: [(&str, Target); 3] = [
            ("frames", crate::frames),
            ("headers", crate::headers),
            ("directives", crate::directives),
        ];
        for (name, target) in targets {
            let files = files(&seeds.join(name)).expect("each target has seeds");
            assert!(!files.is_empty(), "{name}");
            for file in files {
                target(&fs::read(file).expect("a seed can be read"));
            }
        }
    }
}
