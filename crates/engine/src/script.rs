//! Script files as modules: finding, loading, and whether one has to be loaded anew.
//!
//! A module counts as loaded once it has its `__mtime__`, which is set after its code has run.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use python::{Attached, Error, Exception, Object, Result};

use crate::fault;
use crate::known_scripts::microseconds;
use crate::records::Records;

/// The state of a script in an interpreter.
pub(crate) enum Found<'py> {
    /// The module, good to use.
    Ready(Object<'py>),
    /// The module of a script that has changed, or that asks to be loaded anew.
    Stale(Object<'py>),
    /// Nothing.
    Missing,
}

/// How a loaded script is tested.
pub(crate) struct Reload<'a> {
    /// The modification time of the file, in microseconds; `None` if it cannot be told.
    pub(crate) modified: Option<i64>,
    /// The file that the request maps to, for the script's own `reload_required`; `None` if that
    /// has no say.
    pub(crate) resource: Option<&'a [u8]>,
}

/// Why there is no module.
pub(crate) enum LoadError<'py> {
    /// The file cannot be read.
    Read(std::io::Error),
    /// It is not Python.
    Compile(Error<'py>),
    /// It raised.
    Run(Error<'py>),
}

/// Looks a script up. Without `reload` what is loaded is good.
pub(crate) fn find<'py>(
    py: Attached<'py>,
    name: &str,
    reload: Option<&Reload<'_>>,
    records: &mut Records,
) -> Result<'py, Found<'py>> {
    let Some(module) = py.loaded_module(name)? else { return Ok(Found::Missing) };
    let Some(loaded) = module.attr_opt(c"__mtime__")? else { return Ok(Found::Missing) };
    let Some(reload) = reload else { return Ok(Found::Ready(module)) };
    let same = loaded.is_int() && reload.modified == Some(loaded.to_i64()?);
    let stale = match reload.resource {
        Some(resource) if same => reload_required(&module, resource, records)?,
        _ => !same,
    };
    Ok(if stale { Found::Stale(module) } else { Found::Ready(module) })
}

/// The script's own opinion. An exception of it is logged and means no.
fn reload_required<'py>(
    module: &Object<'py>,
    resource: &[u8],
    records: &mut Records,
) -> Result<'py, bool> {
    let py = module.py();
    let Some(question) = module.attr_opt(c"reload_required")? else { return Ok(false) };
    let answer = question.call(&[&py.fs_path(resource)?]).and_then(|answer| answer.is_true());
    Ok(answer.unwrap_or_else(|error| {
        fault::log(py, records, "reload_required() of the script", &error);
        false
    }))
}

/// Loads a script. A module of the same name that is there is forgotten first, and what it held is
/// freed: its functions know it, so that only a collection of garbage finds it, and the next one
/// may be far away.
pub(crate) fn load<'py>(
    py: Attached<'py>,
    name: &str,
    path: &[u8],
) -> std::result::Result<Object<'py>, LoadError<'py>> {
    let (source, modified) =
        py.detach(|| read(Path::new(OsStr::from_bytes(path)))).map_err(LoadError::Read)?;
    let code = py.compile(&source, path).map_err(LoadError::Compile)?;
    drop(source);
    let run = || -> Result<'py, Object<'py>> {
        if py.loaded_module(name)?.is_some() {
            py.modules()?.remove(&py.text(name)?)?;
            py.import(c"gc")?.call_method(c"collect", &[])?;
        }
        let module = py.run_module(name, &code, path)?;
        if py.loaded_module(name)?.is_none() {
            let text = "the script has taken its own module out of sys.modules";
            return Err(Error::new(py, Exception::ImportError, text));
        }
        module.set_attr(c"__mtime__", &py.int(modified)?)?;
        Ok(module)
    };
    run().map_err(LoadError::Run)
}

fn read(path: &Path) -> std::io::Result<(Vec<u8>, i64)> {
    let mut file = File::open(path)?;
    let modified = microseconds(&file.metadata()?);
    let mut source = Vec::new();
    file.read_to_end(&mut source)?;
    Ok((source, modified))
}
