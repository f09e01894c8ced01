//! One request inside of its interpreter: the application is called, what it returns is sent, and
//! `close()` is called exactly once.

use std::sync::Arc;

use python::{Attached, Error, Exception, Object, Result};
use wsgi::level::Level;
use wsgi::request::Request;

use crate::environ::{self, Stamps};
use crate::environment::Environment;
use crate::exchange::Outcome;
use crate::fault;
use crate::lease::{Lease, Live};
use crate::response::{SendError, StartResponse};
use crate::settings::Settings;
use crate::thread::Inside;

/// A request, and all that belongs to it.
pub(crate) struct Job<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) environment: &'a Environment,
    pub(crate) request: &'a Request<'a>,
    pub(crate) lease: &'a Arc<Lease>,
    pub(crate) stamps: Stamps,
}

/// Records for the request's error log.
pub(crate) type Records = Vec<(Level, String)>;

/// Why a response was not sent to its end.
enum Stop<'py> {
    Raised(Error<'py>),
    Gone,
}

impl<'py> From<Error<'py>> for Stop<'py> {
    fn from(error: Error<'py>) -> Self {
        Self::Raised(error)
    }
}

/// What is passed to the application.
struct Call<'py> {
    application: Object<'py>,
    environ: Object<'py>,
    start_response: Object<'py>,
    data: Object<'py>,
}

impl Job<'_> {
    /// Runs the application of a loaded script.
    pub(crate) fn run<'py>(&self, py: Attached<'py>, module: &Object<'py>) -> Outcome {
        let call = match self.callable(py, module) {
            Ok(Some(application)) => self.prepare(py, application),
            Ok(None) => return self.not_found(py),
            Err(error) => Err(error),
        };
        let call = match call {
            Ok(call) => call,
            Err(error) => return Outcome::Failed(self.report(py, &error)),
        };
        let inside = Inside::enter(Arc::clone(self.lease), &call.data);
        let active = self.register(py, &call);
        let outcome = self.perform(py, &call);
        if let Ok(Some(id)) = active {
            // The dict is the application's to change; a missing entry is no fault.
            let _ = self.environment.active_requests.bind(py).remove(&id);
        }
        // What the application leaves behind still ends inside of its request.
        drop(call);
        drop(inside);
        outcome
    }

    /// Logs an exception and says which status it means while nothing has been sent.
    pub(crate) fn report<'py>(&self, py: Attached<'py>, error: &Error<'py>) -> u16 {
        let what = self.what();
        let mut records = Records::new();
        let timeout = error.matches(&self.environment.request_timeout.bind(py));
        if timeout {
            records.push((Level::Info, format!("The request timed out in {what}.")));
        } else {
            fault::log(py, &mut records, &what, error);
        }
        self.log(py, &records);
        if timeout { 504 } else { 500 }
    }

    /// Writes records into the request's error log.
    pub(crate) fn log(&self, py: Attached<'_>, records: &Records) {
        if records.is_empty() {
            return;
        }
        let written = self.lease.with(py, |live| {
            for (level, text) in records {
                live.log(*level, text.as_bytes());
            }
        });
        written.expect("the engine ends the request, after this");
    }

    /// How messages call what is run.
    pub(crate) fn what(&self) -> String {
        let script = String::from_utf8_lossy(self.request.script);
        let group = String::from_utf8_lossy(self.request.application_group);
        format!("the WSGI script '{script}' in the application group '{group}'")
    }

    fn callable<'py>(
        &self,
        py: Attached<'py>,
        module: &Object<'py>,
    ) -> Result<'py, Option<Object<'py>>> {
        let name = py.fs_path(self.request.callable)?;
        module.attr(c"__dict__")?.item_opt(&name)
    }

    fn not_found(&self, py: Attached<'_>) -> Outcome {
        let callable = String::from_utf8_lossy(self.request.callable);
        let text = format!(
            "WSGI0089: There is no '{callable}' in {}; define it, or set \
             WSGICallableObject to the name that is there.",
            self.what(),
        );
        self.log(py, &vec![(Level::Error, text)]);
        Outcome::Failed(if self.settings.daemon { 500 } else { 404 })
    }

    fn prepare<'py>(&self, py: Attached<'py>, application: Object<'py>) -> Result<'py, Call<'py>> {
        let Self { settings, environment, request, lease, stamps } = self;
        environment.name_once(py, request.application_group)?;
        let environ = environ::build(py, settings, environment, request, lease, *stamps)?;
        let start_response = StartResponse::new(Arc::clone(lease));
        let start_response =
            environment.classes.start_response.bind(py).instance(start_response)?;
        Ok(Call { application, environ, start_response, data: py.dict()? })
    }

    /// Puts the request into `mod_wsgi.active_requests`, if it has an id.
    fn register<'py>(
        &self,
        py: Attached<'py>,
        call: &Call<'py>,
    ) -> Result<'py, Option<Object<'py>>> {
        let id = call.environ.item_opt(&py.text("mod_wsgi.request_id")?)?;
        if let Some(id) = &id {
            self.environment.active_requests.bind(py).set_item(id, &call.data)?;
        }
        Ok(id)
    }

    fn perform<'py>(&self, py: Attached<'py>, call: &Call<'py>) -> Outcome {
        let answer = call.application.call(&[&call.environ, &call.start_response]);
        let result = match &answer {
            Ok(answer) => self.respond(py, answer),
            Err(error) => Err(Stop::Raised(error.clone())),
        };
        self.log_mismatch(py);
        let status = match &result {
            Err(Stop::Raised(error)) => self.report(py, error),
            _ => 500,
        };
        if let Ok(answer) = &answer
            && let Err(error) = close(answer)
        {
            self.report(py, &error);
        }
        let seen = self.lease.quick(py, |live| (live.response.sent, live.response.gone));
        let (sent, gone) = seen.unwrap_or((false, false));
        match result {
            Ok(()) if !gone => Outcome::Complete,
            Err(Stop::Raised(_)) if !gone && sent => Outcome::Aborted,
            Err(Stop::Raised(_)) if !gone => Outcome::Failed(status),
            _ => Outcome::Gone,
        }
    }

    /// Sends what the application returned.
    fn respond<'py>(
        &self,
        py: Attached<'py>,
        answer: &Object<'py>,
    ) -> std::result::Result<(), Stop<'py>> {
        if self.send_file(py, answer)? {
            return Ok(());
        }
        for item in items(answer)? {
            let item = item?;
            if !item.is_bytes() {
                return Err(not_bytes(&item).into());
            }
            let bytes = item.as_bytes()?;
            if !bytes.is_empty() {
                self.sent(py, self.lease.with(py, |live| live.send(bytes))?)?;
            }
        }
        self.sent(py, self.lease.with(py, Live::send_head)?)
    }

    /// The fast path of `wsgi.file_wrapper`; `false` if there is none for this answer.
    fn send_file<'py>(
        &self,
        py: Attached<'py>,
        answer: &Object<'py>,
    ) -> std::result::Result<bool, Stop<'py>> {
        let class = self.environment.classes.file_wrapper.bind(py);
        let Some(wrapper) = class.get(answer) else { return Ok(false) };
        if self.lease.quick(py, |live| live.response.sent)? {
            return Ok(false);
        }
        let Some(regular) = wrapper.regular_file(py) else { return Ok(false) };
        let sent = self
            .lease
            .with(py, |live| live.send_file(&regular.file, regular.offset, regular.size))?;
        self.sent(py, sent)?;
        Ok(true)
    }

    fn sent<'py>(
        &self,
        py: Attached<'py>,
        result: std::result::Result<(), SendError>,
    ) -> std::result::Result<(), Stop<'py>> {
        result.map_err(|error| match error {
            SendError::Gone(_) => {
                let text = "The client has closed the connection.".to_owned();
                self.log(py, &vec![(Level::Trace1, text)]);
                Stop::Gone
            }
            other => Stop::Raised(other.raise(py)),
        })
    }

    fn log_mismatch(&self, py: Attached<'_>) {
        let seen = self.lease.quick(py, |live| (live.response.dropped, live.response.missing()));
        let text = match seen {
            Ok((dropped, _)) if dropped > 0 => {
                format!("Content-Length mismatch: {dropped} bytes too many were dropped.")
            }
            Ok((_, missing)) if missing > 0 => {
                format!("Content-Length mismatch: {missing} bytes are missing.")
            }
            _ => return,
        };
        self.log(py, &vec![(Level::Trace1, text)]);
    }
}

fn items<'py>(answer: &Object<'py>) -> Result<'py, python::Iter<'py>> {
    let py = answer.py();
    answer.iterate().map_err(|error| {
        let iterable = answer.attr_opt(c"__iter__");
        if error.is_instance_of(Exception::TypeError) && matches!(iterable, Ok(None)) {
            let found = answer.type_name();
            let text = format!("the application must return an iterable of bytes, not {found}");
            return Error::new(py, Exception::TypeError, &text);
        }
        error
    })
}

fn not_bytes<'py>(item: &Object<'py>) -> Error<'py> {
    let hint = match item.type_name().as_str() {
        "int" => "; return [data] instead of data",
        "str" => "; encode the text",
        _ => "",
    };
    let text = format!("the items of a response must be bytes, not {}{hint}", item.type_name());
    Error::new(item.py(), Exception::TypeError, &text)
}

fn close<'py>(answer: &Object<'py>) -> Result<'py, ()> {
    match answer.attr_opt(c"close")? {
        Some(close) => close.call(&[]).map(drop),
        None => Ok(()),
    }
}
