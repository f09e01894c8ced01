//! An interpreter that has been set up for applications.

use std::sync::{Arc, OnceLock};

use python::{Attached, ClassHandle, ClassObject, Handle, Interpreter, Result};
use wsgi::codes;
use wsgi::config::interpreter_options::Rules;

use crate::events::subscribers::Subscribers;
use crate::interpreter::fork_notice;
use crate::interpreter::module;
use crate::interpreter::path;
use crate::interpreter::signal;
use crate::interpreter::streams;
use crate::metrics::Recorder;
use crate::objects::classes::Classes;
use crate::objects::environ;
use crate::objects::environ_strings::Strings;
use crate::objects::errors::{Errors, Unused};
use crate::objects::tls_function::TlsFunction;
use crate::records::Records;
use crate::request::lease::Lease;
use crate::settings::Settings;

/// An interpreter that has been set up. Its handles live as long as the process.
pub(crate) struct HostedInterpreter {
    pub(crate) interpreter: Interpreter,
    pub(crate) classes: Classes,
    pub(crate) request_timeout: Handle,
    pub(crate) active_requests: Handle,
    pub(crate) subscribers: Arc<Subscribers>,
    /// The dict that environs begin as.
    pub(crate) prototype: Handle,
    /// The strings of environs.
    pub(crate) strings: Strings,
    unused_errors: Unused,
    module: Handle,
    /// The application group that the main interpreter also goes by.
    alias: OnceLock<()>,
    /// Made for the first hook: most interpreters have none.
    tls_function: OnceLock<ClassHandle<TlsFunction>>,
}

impl HostedInterpreter {
    /// Sets up the interpreter that the thread is attached to, for the application group `name`.
    pub(crate) fn set_up<'py>(
        py: Attached<'py>,
        settings: &Settings,
        recorder: &Arc<Recorder>,
        name: &str,
        records: &mut Records,
    ) -> Result<'py, Self> {
        let classes = Classes {
            file_wrapper: py.class()?.handle(),
            input: py.class()?.handle(),
            log: py.class()?.handle(),
            start_response: py.class()?.handle(),
        };
        let rules = settings.interpreters.of(&settings.process_group, name);
        streams::install(py, settings, &rules, &classes)?;
        path::install(py, settings, &rules, records)?;
        set_switch_interval(py, settings, &rules, name, records)?;
        if !name.is_empty() {
            fork_notice::install(py, settings, name)?;
        }
        // Where there are no requests, the application's own signals are all there is.
        if rules.restrict_signal && settings.threads > 0 {
            python::signals::preserved(|| signal::install(py, &settings.log))?;
        }
        let prototype = environ::prototype(py, settings, &classes)?.handle();
        let parts = module::install(py, settings, recorder, &classes, name, records)?;
        Ok(Self {
            interpreter: Interpreter::current(py),
            classes,
            request_timeout: parts.request_timeout.handle(),
            active_requests: parts.active_requests.handle(),
            subscribers: parts.subscribers,
            prototype,
            strings: Strings::default(),
            unused_errors: Unused::default(),
            module: parts.module.handle(),
            alias: OnceLock::new(),
            tls_function: OnceLock::new(),
        })
    }

    /// The parts that its environs are made of.
    pub(crate) fn environ_parts(&self) -> environ::EnvironParts<'_> {
        environ::EnvironParts {
            prototype: &self.prototype,
            strings: &self.strings,
            classes: &self.classes,
        }
    }

    /// `wsgi.errors` of a request.
    pub(crate) fn errors<'py>(
        &self,
        py: Attached<'py>,
        lease: &Arc<Lease>,
    ) -> Result<'py, Errors<'py>> {
        self.unused_errors.take(py, &self.classes.log, lease)
    }

    /// Takes `wsgi.errors` back at the end of its request, when only the application can have kept
    /// it.
    pub(crate) fn take_back(&self, errors: Errors<'_>) {
        self.unused_errors.give_back(&self.classes.log, errors);
    }

    /// The class of the functions about TLS that hooks get.
    pub(crate) fn tls_function<'py>(
        &self,
        py: Attached<'py>,
    ) -> Result<'py, ClassObject<'py, TlsFunction>> {
        if let Some(class) = self.tls_function.get() {
            return Ok(class.bind(py));
        }
        let class = py.class()?;
        // If another thread was faster there are two, alike.
        let _ = self.tls_function.set(class.handle());
        Ok(class)
    }

    /// The main interpreter runs a named application group: the application sees the name.
    pub(crate) fn name_once<'py>(&self, py: Attached<'py>, name: &[u8]) -> Result<'py, ()> {
        if name.is_empty() || self.alias.set(()).is_err() {
            return Ok(());
        }
        self.module.bind(py).set_attr(c"application_group", &py.latin1(name)?)
    }
}

/// Sets how long a thread may keep the GIL. It is one number for all interpreters that share a GIL,
/// so a section for one of them counts only if that one has its own.
fn set_switch_interval<'py>(
    py: Attached<'py>,
    settings: &Settings,
    rules: &Rules,
    name: &str,
    records: &mut Records,
) -> Result<'py, ()> {
    if rules.switch_interval_is_own && !name.is_empty() && !rules.own_gil {
        records.message(&codes::switch_interval_shared(name));
        return Ok(());
    }
    let Some(interval) = settings.switch_interval.or(rules.switch_interval) else { return Ok(()) };
    let seconds = py.float(interval.as_secs_f64())?;
    py.import(c"sys")?.call_method(c"setswitchinterval", &[&seconds]).map(drop)
}
