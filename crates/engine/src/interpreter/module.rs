//! The modules `mod_wsgi` and `apache` as applications find them.
//!
//! Their functions for events are in `events`, those for metrics in `metrics`. There is no
//! telemetry.

use std::ffi::CStr;
use std::sync::Arc;

use python::{Arguments, Attached, Error, Exception, Function, Object, Result};

use crate::MOD_WSGI_VERSION;
use crate::events::subscribers::Subscribers;
use crate::fault;
use crate::interpreter::log_handler;
use crate::metrics::{self, Recorder};
use crate::objects::classes::Classes;
use crate::objects::environ::version;
use crate::records::Records;
use crate::request::current;
use crate::settings::Settings;

/// The parts of the module that the engine needs again.
pub(crate) struct ModuleParts<'py> {
    pub(crate) module: Object<'py>,
    pub(crate) request_timeout: Object<'py>,
    pub(crate) active_requests: Object<'py>,
    pub(crate) subscribers: Arc<Subscribers>,
}

/// Makes both modules and puts them into `sys.modules`. `name` is the application group's.
pub(crate) fn install<'py>(
    py: Attached<'py>,
    settings: &Settings,
    recorder: &Arc<Recorder>,
    classes: &Classes,
    name: &str,
    records: &mut Records,
) -> Result<'py, ModuleParts<'py>> {
    let module = py.new_module("mod_wsgi")?;
    let request_timeout = py.new_exception(
        c"mod_wsgi.RequestTimeout",
        c"Raised in a request that runs for too long.",
        &Exception::BaseException.class(py),
    )?;
    let active_requests = py.dict()?;
    module.set_attr(c"version", &version(py, MOD_WSGI_VERSION)?)?;
    module.set_attr(c"process_group", &py.text(&settings.process_group)?)?;
    module.set_attr(c"application_group", &py.text(name)?)?;
    module.set_attr(c"maximum_processes", &py.int(settings.maximum_processes.max(1).into())?)?;
    module.set_attr(c"threads_per_process", &py.int(settings.threads.max(1).into())?)?;
    module.set_attr(c"FileWrapper", classes.file_wrapper.bind(py).object())?;
    module.set_attr(c"RequestTimeout", &request_timeout)?;
    module.set_attr(c"active_requests", &active_requests)?;
    module.set_attr(c"request_data", &py.function::<RequestData>()?)?;
    log_handler::install(&module, &settings.log)?;
    metrics::functions::install(&module, recorder, settings.scoreboard.clone())?;
    let subscribers = Subscribers::install(&module, settings.daemon, &settings.log)?;
    match installed_package(py) {
        Ok(Some(path)) => module.set_attr(c"__path__", &path)?,
        Ok(None) => {}
        Err(error) => {
            fault::log(py, records, "the look-up of an installed mod_wsgi package", &error);
        }
    }
    py.modules()?.set("mod_wsgi", &module)?;
    install_apache(py, settings, records)?;
    Ok(ModuleParts { module, request_timeout, active_requests, subscribers })
}

/// The directories of a `mod_wsgi` package on `sys.path`, so that its sub-packages can be
/// imported. The package itself is not run.
fn installed_package(py: Attached<'_>) -> Result<'_, Option<Object<'_>>> {
    let finder = py.import(c"importlib.machinery")?.attr(c"PathFinder")?;
    let spec = finder.call_method(c"find_spec", &[&py.text("mod_wsgi")?])?;
    if spec.is_none() {
        return Ok(None);
    }
    let places = spec.attr(c"submodule_search_locations")?;
    if places.is_none() {
        return Ok(None);
    }
    let list = py.list()?;
    for place in places.iterate()? {
        list.append(&place?)?;
    }
    Ok(Some(list))
}

/// In an Apache child a module `apache` of the user's comes first.
fn install_apache<'py>(
    py: Attached<'py>,
    settings: &Settings,
    records: &mut Records,
) -> Result<'py, ()> {
    let own = if settings.daemon { None } else { users_apache(py, records) };
    let module = own.map_or_else(|| py.new_module("apache"), Ok)?;
    let facts = &settings.apache;
    let (major, minor, patch) = facts.version;
    module.set_attr(c"version", &version(py, (major.into(), minor.into(), patch.into()))?)?;
    module.set_attr(c"maximum_processes", &py.int(facts.maximum_processes.max(1).into())?)?;
    module.set_attr(c"threads_per_process", &py.int(facts.threads_per_process.max(1).into())?)?;
    module.set_attr(c"description", &py.text(&facts.description)?)?;
    module.set_attr(c"mpm_name", &py.text(&facts.mpm_name)?)?;
    module.set_attr(c"build_date", &py.text(&facts.build_date)?)?;
    py.modules()?.set("apache", &module)
}

fn users_apache<'py>(py: Attached<'py>, records: &mut Records) -> Option<Object<'py>> {
    match py.import(c"apache") {
        Ok(module) => Some(module),
        Err(error) => {
            if !error.is_instance_of(Exception::ModuleNotFoundError) {
                fault::log(py, records, "the import of the module apache", &error);
            }
            None
        }
    }
}

struct RequestData;

impl Function for RequestData {
    const NAME: &'static CStr = c"request_data";
    const DOC: &'static CStr = c"The dict of the request that this thread is inside of.";

    fn call<'py>(py: Attached<'py>, arguments: Arguments<'py>) -> Result<'py, Object<'py>> {
        let [] = arguments.positional("request_data", 0)?;
        let outside = || {
            let text = "request_data() is only there while the thread is inside of a request";
            Error::new(py, Exception::RuntimeError, text)
        };
        current::data(py).ok_or_else(outside)
    }
}
