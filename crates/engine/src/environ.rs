//! The environ dict: what came from Apache, and what only the engine knows.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use python::{Attached, Object, Result};
use wsgi::request::Request;

use crate::MOD_WSGI_VERSION;
use crate::account::Stamps;
use crate::environment::Environment;
use crate::input::Input;
use crate::lease::Lease;
use crate::log::Log;
use crate::settings::Settings;
use crate::{streams, thread};

/// Seconds of the epoch, now.
pub(crate) fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// Builds the environ of a request.
pub(crate) fn build<'py>(
    py: Attached<'py>,
    settings: &Settings,
    environment: &Environment,
    request: &Request<'_>,
    lease: &Arc<Lease>,
    stamps: &Stamps,
) -> Result<'py, Object<'py>> {
    let (environ, https) = text(py, request)?;
    add_wsgi_keys(py, &environ, settings, environment, lease, https)?;
    add_own_keys(py, &environ, settings, request, stamps)?;
    Ok(environ)
}

/// What came from Apache, as a new dict, and whether the client uses HTTPS.
pub(crate) fn text<'py>(
    py: Attached<'py>,
    request: &Request<'_>,
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

fn add_wsgi_keys<'py>(
    py: Attached<'py>,
    environ: &Object<'py>,
    settings: &Settings,
    environment: &Environment,
    lease: &Arc<Lease>,
    https: bool,
) -> Result<'py, ()> {
    let classes = &environment.classes;
    let input = classes.input.bind(py).instance(Input::new(Arc::clone(lease)))?;
    let errors = classes.log.bind(py).instance(Log::of_request(Arc::clone(lease)))?;
    environ.set("wsgi.version", &py.tuple(&[&py.int(1)?, &py.int(0)?])?)?;
    environ.set("wsgi.url_scheme", &py.text(if https { "https" } else { "http" })?)?;
    environ.set("wsgi.input", &input)?;
    environ.set("wsgi.errors", &streams::text_over(&errors)?)?;
    environ.set("wsgi.input_terminated", &py.bool(true))?;
    environ.set("wsgi.file_wrapper", classes.file_wrapper.bind(py).object())?;
    environ.set("wsgi.multithread", &py.bool(settings.multithread))?;
    environ.set("wsgi.multiprocess", &py.bool(settings.multiprocess))?;
    environ.set("wsgi.run_once", &py.bool(settings.run_once))
}

fn add_own_keys<'py>(
    py: Attached<'py>,
    environ: &Object<'py>,
    settings: &Settings,
    request: &Request<'_>,
    stamps: &Stamps,
) -> Result<'py, ()> {
    add_place(py, environ, settings, request)?;
    environ.set("mod_wsgi.callable_object", &py.latin1(request.callable)?)?;
    environ.set("mod_wsgi.thread_id", &py.int(thread::number())?)?;
    environ.set("mod_wsgi.request_start", &py.float(stamps.request_start)?)?;
    environ.set("mod_wsgi.queue_start", &py.float(stamps.queue_start)?)?;
    environ.set("mod_wsgi.daemon_start", &py.float(stamps.daemon_start)?)?;
    environ.set("mod_wsgi.application_start", &py.float(stamps.application_start)?)
}

/// What it runs under, and where.
pub(crate) fn add_place<'py>(
    py: Attached<'py>,
    environ: &Object<'py>,
    settings: &Settings,
    request: &Request<'_>,
) -> Result<'py, ()> {
    let (major, minor, patch) = settings.apache.version;
    let apache = version(py, (major.into(), minor.into(), patch.into()))?;
    environ.set("apache.version", &apache)?;
    environ.set("mod_wsgi.version", &version(py, MOD_WSGI_VERSION)?)?;
    environ.set("mod_wsgi.process_group", &py.latin1(request.process_group)?)?;
    environ.set("mod_wsgi.application_group", &py.latin1(request.application_group)?)
}

/// A version as the tuple that applications compare.
pub(crate) fn version(
    py: Attached<'_>,
    (major, minor, patch): (u32, u32, u32),
) -> Result<'_, Object<'_>> {
    py.tuple(&[&py.int(major.into())?, &py.int(minor.into())?, &py.int(patch.into())?])
}
