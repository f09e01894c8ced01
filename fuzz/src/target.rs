//! The targets, and the bound on the memory that each takes.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use peak_alloc::PeakAlloc;

/// Counts what Rust code allocates; libFuzzer itself is C++ and is not counted.
#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// Bytes that a target may take whatever its input is: tables, short texts of errors, an inbox's
/// first room.
const FIXED: usize = 192 * 1024;

/// Bytes that a target may take at most for each byte of its input. The most costly input is a list
/// of empty names: four bytes in a frame, a vector of 24 bytes in memory, in a list that doubles
/// when it grows. A target also holds what it compares.
const FACTOR: usize = 64;

/// The variable of the environment that names the target.
pub const VARIABLE: &str = "DORMOUSE_FUZZ";

/// A reader under test.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, which is that of the directory of its seeds, too.
    pub name: &'static str,
    act: fn(&[u8]),
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "answers", act: crate::answers::answers },
    Target { name: "control", act: crate::control::control },
    Target { name: "directives", act: crate::directives::directives },
    Target { name: "environs", act: crate::environs::environs },
    Target { name: "frames", act: crate::frames::frames },
    Target { name: "headers", act: crate::headers::headers },
    Target { name: "log_lines", act: crate::log_lines::log_lines },
    Target { name: "options", act: crate::options::options },
    Target { name: "plans", act: crate::plans::plans },
    Target { name: "proxies", act: crate::proxies::proxies },
    Target { name: "replies", act: crate::replies::replies },
    Target { name: "requests", act: crate::requests::requests },
    Target { name: "responses", act: crate::responses::responses },
    Target { name: "smaps", act: crate::smaps::smaps },
];

impl Target {
    /// The target that the environment names.
    ///
    /// # Errors
    /// When it names none.
    pub fn of_environment() -> io::Result<&'static Self> {
        let name = env::var(VARIABLE).unwrap_or_default();
        TARGETS.iter().find(|target| target.name == name).ok_or_else(|| {
            let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
            let text = format!("{VARIABLE}={name:?}: there are the targets {}", names.join(", "));
            io::Error::new(io::ErrorKind::InvalidInput, text)
        })
    }

    /// Shows it an input. No other thread may allocate meanwhile.
    ///
    /// # Panics
    /// Where a rule is broken, or where it takes more memory than the input is worth.
    pub fn run(&self, bytes: &[u8]) {
        let before = HEAP.current_usage();
        HEAP.reset_peak_usage();
        (self.act)(bytes);
        let taken = HEAP.peak_usage().saturating_sub(before);
        let allowed = FIXED + FACTOR * bytes.len();
        assert!(taken <= allowed, "{}: {taken} bytes for {} of input", self.name, bytes.len());
    }

    /// The file, or the files of the directory.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn files(path: &Path) -> io::Result<Vec<PathBuf>> {
        if path.is_dir() {
            return fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect();
        }
        Ok(vec![path.to_owned()])
    }
}
