//! Lets the tests of this package link libpython; the library itself links none.
//!
//! The Python is `DORMOUSE_TEST_PYTHON`, else `/usr/bin/python3`, else the `python3` of `PATH`.

use std::env;
use std::path::Path;
use std::process::Command;

const QUESTION: &str = "import sysconfig as s; \
    print(s.get_config_var('LIBDIR')); \
    print(s.get_config_var('LDLIBRARY') or ''); \
    print(s.get_config_var('INSTSONAME') or '')";

/// Asks the Python and hands its library to the linker.
pub(crate) fn main() {
    println!("cargo:rerun-if-env-changed=DORMOUSE_TEST_PYTHON");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-check-cfg=cfg(libpython)");
    let python = python();
    match libpython(&python) {
        Ok((directory, library)) => {
            println!("cargo:rustc-cfg=libpython");
            println!("cargo:rustc-link-arg-tests={library}");
            println!("cargo:rustc-link-arg-tests=-Wl,-rpath,{directory}");
        }
        Err(why) => {
            // For the test that says so; who only builds need not care.
            println!("cargo:rustc-env=NO_LIBPYTHON={why}");
            // A file that is not there is looked at each time, so the library is found once it is.
            println!("cargo:rerun-if-changed=no-libpython-yet");
        }
    }
}

fn python() -> String {
    env::var("DORMOUSE_TEST_PYTHON").unwrap_or_else(|_| {
        let system = "/usr/bin/python3";
        if Path::new(system).exists() { system.to_owned() } else { "python3".to_owned() }
    })
}

fn libpython(python: &str) -> Result<(String, String), String> {
    let output = Command::new(python)
        .args(["-c", QUESTION])
        .output()
        .map_err(|error| format!("{python} cannot be run: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut lines = text.lines();
    let (Some(directory), Some(link), Some(shared)) = (lines.next(), lines.next(), lines.next())
    else {
        return Err(format!("{python} does not say where its libpython is"));
    };
    // A static build names the archive first; the shared library may be there all the same.
    for name in [shared, link] {
        let library = Path::new(directory).join(name);
        if name.contains(".so") && library.exists() {
            return Ok((directory.to_owned(), library.display().to_string()));
        }
    }
    Err(format!(
        "{python} has no shared libpython in {directory}; on Debian install libpython3-dev"
    ))
}
