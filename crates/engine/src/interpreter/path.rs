//! The surroundings of a new interpreter: `sys.argv`, `sys.path`, `os.environ`.

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use python::{Attached, Object, Result};
use wsgi::codes;
use wsgi::config::interpreter_options::Rules;

use crate::records::Records;
use crate::settings::Settings;

/// Sets up `sys.argv`, `os.environ` and `sys.path`.
pub(crate) fn install<'py>(
    py: Attached<'py>,
    settings: &Settings,
    rules: &Rules,
    records: &mut Records,
) -> Result<'py, ()> {
    let sys = py.import(c"sys")?;
    let argv = py.list()?;
    argv.append(&py.text("mod_wsgi")?)?;
    sys.set_attr(c"argv", &argv)?;
    // How a daemon's Python was started is no business of applications.
    sys.set_attr(c"orig_argv", &py.list()?)?;
    let environ = py.import(c"os")?.attr(c"environ")?;
    if let Some(eggs) = &settings.python_eggs {
        environ.set("PYTHON_EGG_CACHE", &py.fs_path(eggs.as_os_str().as_bytes())?)?;
    }
    if settings.daemon {
        set_user(&environ).unwrap_or_else(|error| {
            // A user without an entry keeps what is there.
            records.info(format!("no HOME for the effective user: {error}"));
        });
    }
    let path = sys.attr(c"path")?;
    for entries in [&settings.python_path].into_iter().chain(&rules.python_path) {
        add_sites(&path, entries, records)?;
    }
    if let Some(home) = &settings.home {
        let home = py.fs_path(home.as_os_str().as_bytes())?;
        path.call_method(c"insert", &[&py.int(0)?, &home])?;
    }
    Ok(())
}

/// `HOME` and the names of the user, from the passwd entry of the effective user.
fn set_user<'py>(environ: &Object<'py>) -> Result<'py, ()> {
    let py = environ.py();
    let uid = py.import(c"os")?.call_method(c"geteuid", &[])?;
    let entry = py.import(c"pwd")?.call_method(c"getpwuid", &[&uid])?;
    let name = entry.attr(c"pw_name")?;
    for variable in ["USER", "USERNAME", "LOGNAME"] {
        let variable = py.text(variable)?;
        if environ.item_opt(&variable)?.is_some() {
            environ.set_item(&variable, &name)?;
        }
    }
    environ.set("HOME", &entry.attr(c"pw_dir")?)
}

/// The entries, with what their `.pth` files add, go in front of everything else.
fn add_sites<'py>(
    path: &Object<'py>,
    entries: &[PathBuf],
    records: &mut Records,
) -> Result<'py, ()> {
    if entries.is_empty() {
        return Ok(());
    }
    let py = path.py();
    let before: Vec<Object<'py>> = path.iterate()?.collect::<Result<'py, _>>()?;
    let site = py.import(c"site")?;
    let absolute = py.import(c"os.path")?.attr(c"abspath")?;
    let mut first = Vec::new();
    for entry in entries {
        let entry = absolute.call(&[&py.fs_path(entry.as_os_str().as_bytes())?])?;
        if contains(&first, &entry)? {
            continue;
        }
        if let Err(error) = site.call_method(c"addsitedir", &[&entry]) {
            let shown = entry.display();
            records.message(&codes::site_not_added(&shown, &error));
        }
        // An entry that was on the path already moves to the front as well.
        first.push(entry);
    }
    for entry in path.iterate()? {
        let entry = entry?;
        if !contains(&before, &entry)? && !contains(&first, &entry)? {
            first.push(entry);
        }
    }
    path.call_method(c"clear", &[])?;
    for entry in &first {
        path.append(entry)?;
    }
    for entry in &before {
        if !contains(&first, entry)? {
            path.append(entry)?;
        }
    }
    Ok(())
}

fn contains<'py>(entries: &[Object<'py>], entry: &Object<'py>) -> Result<'py, bool> {
    for other in entries {
        if other.call_method(c"__eq__", &[entry])?.is(&other.py().bool(true)) {
            return Ok(true);
        }
    }
    Ok(false)
}
