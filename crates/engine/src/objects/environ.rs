//! The environ dict: what came from Apache, and what only the engine knows.

use std::ffi::CStr;
use std::sync::Arc;

use python::{Attached, Handle, Object, Result};
use wsgi::protocol::request::RequestHead;

use crate::MOD_WSGI_VERSION;
use crate::objects::classes::Classes;
use crate::objects::errors::Errors;
use crate::objects::input::Input;
use crate::request::current;
use crate::request::lease::Lease;
use crate::request::timing::Stamps;
use crate::settings::Settings;

/// The entries that are the same in all environs of an interpreter, and the keys of the others.
pub(crate) fn constants<'py>(
    py: Attached<'py>,
    settings: &Settings,
    classes: &Classes,
) -> Result<'py, Object<'py>> {
    let dict = py.dict()?;
    dict.set_named(c"wsgi.version", &py.tuple(&[&py.int(1)?, &py.int(0)?])?)?;
    dict.set_named(c"wsgi.input_terminated", &py.bool(true))?;
    dict.set_named(c"wsgi.file_wrapper", classes.file_wrapper.bind(py).object())?;
    dict.set_named(c"wsgi.multithread", &py.bool(settings.multithread))?;
    dict.set_named(c"wsgi.multiprocess", &py.bool(settings.multiprocess))?;
    dict.set_named(c"wsgi.run_once", &py.bool(settings.run_once))?;
    let (major, minor, patch) = settings.apache.version;
    let apache = version(py, (major.into(), minor.into(), patch.into()))?;
    dict.set_named(c"apache.version", &apache)?;
    dict.set_named(c"mod_wsgi.version", &version(py, MOD_WSGI_VERSION)?)?;
    for key in KEYS {
        dict.set_named(key, &py.none())?;
    }
    Ok(dict)
}

/// The keys of the entries that differ between requests. Kept with the constants, the strings are
/// made but once.
const KEYS: [&CStr; 11] = [
    c"wsgi.url_scheme",
    c"wsgi.input",
    c"wsgi.errors",
    c"mod_wsgi.process_group",
    c"mod_wsgi.application_group",
    c"mod_wsgi.callable_object",
    c"mod_wsgi.thread_id",
    c"mod_wsgi.request_start",
    c"mod_wsgi.queue_start",
    c"mod_wsgi.daemon_start",
    c"mod_wsgi.application_start",
];

/// The objects of an interpreter for the environs of its requests.
pub(crate) struct EnvironParts<'a> {
    /// The entries that are alike in all, and the keys of the others: see [`constants`].
    pub(crate) constants: &'a Handle,
    pub(crate) classes: &'a Classes,
}

/// Builds the environ of a request.
pub(crate) fn build<'py>(
    py: Attached<'py>,
    request: &RequestHead<'_>,
    lease: &Arc<Lease>,
    parts: &EnvironParts<'_>,
    errors: &Errors<'py>,
    stamps: &Stamps,
) -> Result<'py, Object<'py>> {
    let (environ, https) = text(py, request)?;
    environ.update(&parts.constants.bind(py))?;
    let input = Input::new(Arc::clone(lease));
    let input = parts.classes.input.bind(py).instance(input)?;
    environ.set_named(c"wsgi.url_scheme", &py.text(if https { "https" } else { "http" })?)?;
    environ.set_named(c"wsgi.input", &input)?;
    environ.set_named(c"wsgi.errors", errors.text())?;
    add_groups(py, &environ, request)?;
    environ.set_named(c"mod_wsgi.callable_object", &py.latin1(request.callable)?)?;
    environ.set_named(c"mod_wsgi.thread_id", &py.int(current::number())?)?;
    environ.set_named(c"mod_wsgi.request_start", &py.float(stamps.request_start)?)?;
    environ.set_named(c"mod_wsgi.queue_start", &py.float(stamps.queue_start)?)?;
    environ.set_named(c"mod_wsgi.daemon_start", &py.float(stamps.daemon_start)?)?;
    environ.set_named(c"mod_wsgi.application_start", &py.float(stamps.application_start)?)?;
    Ok(environ)
}

/// The entries from Apache, as a new dict, and whether the client uses HTTPS.
pub(crate) fn text<'py>(
    py: Attached<'py>,
    request: &RequestHead<'_>,
) -> Result<'py, (Object<'py>, bool)> {
    let environ = py.dict()?;
    let mut https = false;
    for (name, value) in request.environ.clone() {
        match name {
            b"HTTPS" => https = value.eq_ignore_ascii_case(b"on") || value == b"1",
            b"PATH" => {}
            _ if name.starts_with(b"mod_wsgi.x-") => {}
            _ => environ.set_item(&py.latin1(name)?, &decode(py, name, value)?)?,
        }
    }
    Ok((environ, https))
}

/// Paths are decoded as Python decodes paths, so that they can be opened; everything else is
/// latin-1, as PEP 3333 wants.
fn decode<'py>(py: Attached<'py>, name: &[u8], value: &[u8]) -> Result<'py, Object<'py>> {
    if matches!(name, b"DOCUMENT_ROOT" | b"SCRIPT_FILENAME") {
        py.fs_path(value).or_else(|_| py.latin1(value))
    } else {
        py.latin1(value)
    }
}

/// The constants that a hook gets, and the groups that it runs in.
pub(crate) fn add_place<'py>(
    py: Attached<'py>,
    environ: &Object<'py>,
    request: &RequestHead<'_>,
    constants: &Handle,
) -> Result<'py, ()> {
    let constants = constants.bind(py);
    for key in [c"apache.version", c"mod_wsgi.version"] {
        environ.set_named(key, &constants.item(&py.name(key)?)?)?;
    }
    add_groups(py, environ, request)
}

fn add_groups<'py>(
    py: Attached<'py>,
    environ: &Object<'py>,
    request: &RequestHead<'_>,
) -> Result<'py, ()> {
    environ.set_named(c"mod_wsgi.process_group", &py.latin1(request.process_group)?)?;
    environ.set_named(c"mod_wsgi.application_group", &py.latin1(request.application_group)?)
}

/// A version as the tuple that applications compare.
pub(crate) fn version(
    py: Attached<'_>,
    (major, minor, patch): (u32, u32, u32),
) -> Result<'_, Object<'_>> {
    py.tuple(&[&py.int(major.into())?, &py.int(minor.into())?, &py.int(patch.into())?])
}
