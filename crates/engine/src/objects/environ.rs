//! The environ dict: what came from Apache, and what only the engine knows.

use std::ffi::CStr;
use std::sync::Arc;

use python::{Attached, Handle, Object, Result};
use wsgi::protocol::request::RequestHead;

use crate::MOD_WSGI_VERSION;
use crate::objects::classes::Classes;
use crate::objects::environ_strings::{Known, Strings, USUAL};
use crate::objects::errors::Errors;
use crate::objects::input::Input;
use crate::request::current;
use crate::request::lease::Lease;
use crate::request::timing::Stamps;
use crate::settings::Settings;

/// The dict that all environs of an interpreter begin as: what is the same in all of them, and the
/// keys of what is in nearly all. To copy it is much cheaper than to have a dict grow.
pub(crate) fn prototype<'py>(
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
    for name in USUAL {
        dict.set_item(&py.latin1(name)?.interned()?, &py.none())?;
    }
    Ok(dict)
}

/// The keys of the entries that the engine makes for each request.
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
    /// See [`prototype`].
    pub(crate) prototype: &'a Handle,
    pub(crate) strings: &'a Strings,
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
    let environ = parts.prototype.bind(py).copy_dict()?;
    let mut strings = parts.strings.lock();
    let Text { https, usual } = add_text(&environ, request, &mut strings)?;
    if usual < USUAL.len() {
        remove_missing(&environ, request)?;
    }
    for (name, value) in [
        (b"mod_wsgi.process_group".as_slice(), request.process_group),
        (b"mod_wsgi.application_group", request.application_group),
        (b"mod_wsgi.callable_object", request.callable),
    ] {
        let entry = strings.entry(py, name, value)?;
        environ.set_item(&entry.key, &entry.value)?;
    }
    drop(strings);
    let input = Input::new(Arc::clone(lease));
    let input = parts.classes.input.bind(py).instance(input)?;
    let scheme = if https { c"https" } else { c"http" };
    environ.set_named(c"wsgi.url_scheme", &py.name(scheme)?)?;
    environ.set_named(c"wsgi.input", &input)?;
    environ.set_named(c"wsgi.errors", errors.text())?;
    environ.set_named(c"mod_wsgi.thread_id", &py.int(current::number())?)?;
    environ.set_named(c"mod_wsgi.request_start", &py.float(stamps.request_start)?)?;
    environ.set_named(c"mod_wsgi.queue_start", &py.float(stamps.queue_start)?)?;
    environ.set_named(c"mod_wsgi.daemon_start", &py.float(stamps.daemon_start)?)?;
    environ.set_named(c"mod_wsgi.application_start", &py.float(stamps.application_start)?)?;
    Ok(environ)
}

/// The entries from Apache, as a new dict.
pub(crate) fn text<'py>(
    py: Attached<'py>,
    request: &RequestHead<'_>,
    strings: &Strings,
) -> Result<'py, Object<'py>> {
    let environ = py.dict()?;
    add_text(&environ, request, &mut strings.lock())?;
    Ok(environ)
}

/// What was found among the entries from Apache.
#[derive(Default)]
struct Text {
    /// The client uses HTTPS.
    https: bool,
    /// How many of [`USUAL`] there were.
    usual: usize,
}

/// Adds the entries from Apache.
fn add_text<'py>(
    environ: &Object<'py>,
    request: &RequestHead<'_>,
    strings: &mut Known,
) -> Result<'py, Text> {
    let py = environ.py();
    let mut text = Text::default();
    for (name, value) in request.environ.clone() {
        match name {
            b"HTTPS" => text.https = value.eq_ignore_ascii_case(b"on") || value == b"1",
            b"PATH" => {}
            _ if name.starts_with(b"mod_wsgi.x-") => {}
            _ => {
                let entry = strings.entry(py, name, value)?;
                text.usual += usize::from(entry.is_usual);
                environ.set_item(&entry.key, &entry.value)?;
            }
        }
    }
    Ok(text)
}

/// Removes those of [`USUAL`] that the environ has of [`prototype`] alone.
fn remove_missing<'py>(environ: &Object<'py>, request: &RequestHead<'_>) -> Result<'py, ()> {
    for name in USUAL {
        if !request.environ.clone().any(|(given, _)| given == name) {
            environ.remove(&environ.py().latin1(name)?)?;
        }
    }
    Ok(())
}

/// The constants that a hook gets, and the groups that it runs in.
pub(crate) fn add_place<'py>(
    py: Attached<'py>,
    environ: &Object<'py>,
    request: &RequestHead<'_>,
    prototype: &Handle,
) -> Result<'py, ()> {
    let prototype = prototype.bind(py);
    for key in [c"apache.version", c"mod_wsgi.version"] {
        environ.set_named(key, &prototype.item(&py.name(key)?)?)?;
    }
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
