//! A request inside of the engine, whether an application serves it or a hook answers for it: what
//! belongs to it, and how its failures are told.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use python::{Attached, Error, Exception};
use wsgi::protocol::request::RequestHead;

use crate::control::Control;
use crate::fault;
use crate::interpreter::setup::HostedInterpreter;
use crate::known_scripts::KnownScripts;
use crate::metrics::Recorder;
use crate::preload::Preloaded;
use crate::records::Records;
use crate::request::lease::{Lease, Live};
use crate::settings::Settings;

/// The status of a request that has taken too long.
pub(crate) const TIMED_OUT: u16 = 504;

/// A request, and all that belongs to it.
pub(crate) struct Job<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) hosted: &'a Arc<HostedInterpreter>,
    pub(crate) request: &'a RequestHead<'a>,
    pub(crate) lease: &'a Arc<Lease>,
    pub(crate) recorder: &'a Arc<Recorder>,
    pub(crate) preloaded: &'a Preloaded,
    pub(crate) known_scripts: &'a KnownScripts,
    /// Set once an application was loaded.
    pub(crate) loaded: &'a AtomicBool,
    pub(crate) control: &'a Control,
    /// When the engine took the request, in seconds of the epoch.
    pub(crate) arrived: f64,
}

impl Job<'_> {
    /// Logs an exception and says which status it means while nothing has been sent.
    pub(crate) fn report<'py>(&self, py: Attached<'py>, error: &Error<'py>) -> u16 {
        let what = self.what();
        let mut records = Records::new();
        let timeout = error.matches(&self.hosted.request_timeout.bind(py));
        if timeout {
            records.info(format!("the request timed out in {what}"));
        } else if error.is_instance_of(Exception::OsError) && self.client_left(py) {
            // The client has gone: no fault of the application, and no response to mend.
            records.info(format!("the client went away from {what}: {error}"));
        } else {
            fault::log(py, &mut records, &what, error);
        }
        self.log(py, &records);
        if timeout { TIMED_OUT } else { 500 }
    }

    /// Whether the client broke off, on its way here or back.
    fn client_left(&self, py: Attached<'_>) -> bool {
        let left = |live: &mut Live| live.response.gone || live.body.client_left();
        self.lease.quick(py, left).unwrap_or(false)
    }

    /// Writes records into the request's error log.
    pub(crate) fn log(&self, py: Attached<'_>, records: &Records) {
        self.lease.log_all(py, records).expect("the engine ends the request, after this");
    }

    /// How messages call what is run.
    pub(crate) fn what(&self) -> String {
        let script = String::from_utf8_lossy(self.request.script);
        let group = String::from_utf8_lossy(self.request.application_group);
        format!("the WSGI script {script:?} in the application group {group:?}")
    }
}
