//! One request inside of its interpreter: the application is called, what it returns is sent, and
//! `close()` is called exactly once. Subscribers of events are told of it.

use std::sync::Arc;

use python::{Attached, Capsule, Error, Object, Result};

use crate::clock::now;
use crate::clock::seconds;
use crate::events::request_events::{RequestEvents, StartedRequest};
use crate::job::{Job, TIMED_OUT};
use crate::metrics::Running;
use crate::objects::environ;
use crate::objects::errors::Errors;
use crate::objects::start_response::StartResponse;
use crate::records::Records;
use crate::request::current::{self, Inside};
use crate::request::timing::{RequestTiming, Stamps};
use wsgi::codes;
use wsgi::protocol::outcome::Outcome;

mod answer;

use answer::{Stop, close};

/// The arguments of a call of the application.
struct Call<'py> {
    application: Object<'py>,
    environ: Object<'py>,
    start_response: Object<'py>,
    data: Object<'py>,
    errors: Errors<'py>,
    /// httpd's record of the request, if the application sees it.
    record: Option<Capsule<'py>>,
    stamps: Stamps,
}

impl Job<'_> {
    /// Runs the application of a loaded script.
    pub(crate) fn run<'py>(&self, py: Attached<'py>, module: &Object<'py>) -> Outcome {
        let call = match self.callable(py, module) {
            Ok(Some(application)) => self.prepare(py, application),
            Ok(None) => return self.not_found(py),
            Err(error) => Err(error),
        };
        let mut call = match call {
            Ok(call) => call,
            Err(error) => return Outcome::Failed(self.report(py, &error)),
        };
        let inside = Inside::enter(Arc::clone(self.lease), &call.data);
        self.control.enter(self.hosted);
        let id = self.register(py, &call).ok().flatten();
        let measured = self.begin_measuring(py, &mut call, id.as_ref());
        let outcome = self.perform(py, &call);
        if let Some((timing, running)) = measured {
            self.end_measuring(py, &timing, running, outcome);
        }
        if let Some(id) = id {
            // The dict is the application's to change; a missing entry is no fault.
            let _ = self.hosted.active_requests.bind(py).remove(&id);
        }
        self.log_if_slow(py);
        // Objects that the application leaves behind still end inside of its request.
        let Call { application, environ, start_response, data, errors, record, .. } = call;
        drop((application, environ, start_response, data));
        self.hosted.take_back(errors);
        self.control.leave(py);
        drop(inside);
        if let Some(record) = record {
            record.expire();
        }
        outcome
    }

    /// Logs what the application has raised, and tells the subscribers of events.
    fn raised<'py>(&self, py: Attached<'py>, error: &Error<'py>) -> u16 {
        let status = self.report(py, error);
        if status != TIMED_OUT
            && let Some(events) = self.lease.events()
        {
            let mut records = Records::new();
            events.request_exception(py, error, &mut records);
            self.log(py, &records);
        }
        status
    }

    /// Notes a request that has taken longer than `WSGISlowRequests` says.
    fn log_if_slow(&self, py: Attached<'_>) {
        let Some(limit) = self.settings.slow_requests else { return };
        let took = now() - self.arrived;
        if took < limit.as_secs_f64() {
            return;
        }
        let status = self.lease.quick(py, |live| live.response.status()).ok().flatten();
        let status = status.map_or_else(|| "no status".to_owned(), |code| format!("status {code}"));
        let waited = match self.request.queue_start {
            0 => String::new(),
            start => {
                let seconds = (self.arrived - seconds(start)).max(0.0);
                format!(" after {seconds:.3} s in the queue")
            }
        };
        let (request, limit) = (self.request.line(), limit.as_secs_f64());
        self.log(py, &codes::slow_request(&request, took, &waited, &status, limit).into());
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
        self.log(py, &codes::no_callable(&callable, &self.what()).into());
        Outcome::Failed(if self.settings.daemon { 500 } else { 404 })
    }

    fn prepare<'py>(&self, py: Attached<'py>, application: Object<'py>) -> Result<'py, Call<'py>> {
        let Self { settings, hosted, request, lease, .. } = self;
        let errors = hosted.errors(py, lease)?;
        let stamps = Stamps::now(request, settings.daemon, self.arrived);
        hosted.name_once(py, request.application_group)?;
        let environ =
            environ::build(py, request, lease, &hosted.environ_parts(), &errors, &stamps)?;
        let record = lease.quick(py, |live| live.exchange.apache_request())?;
        let record = record.map(|address| Capsule::new(py, address)).transpose()?;
        if let Some(record) = &record {
            environ.set_named(c"apache.request_rec", record.object())?;
        }
        let start_response = StartResponse::new(Arc::clone(lease));
        let start_response = hosted.classes.start_response.bind(py).instance(start_response)?;
        Ok(Call { application, environ, start_response, data: py.dict()?, errors, record, stamps })
    }

    /// Puts the request into `mod_wsgi.active_requests`, if it has an id.
    fn register<'py>(
        &self,
        py: Attached<'py>,
        call: &Call<'py>,
    ) -> Result<'py, Option<Object<'py>>> {
        let id = call.environ.entry(&py.name(c"mod_wsgi.request_id")?)?;
        if let Some(id) = &id {
            self.hosted.active_requests.bind(py).set_item(id, &call.data)?;
        }
        Ok(id)
    }

    /// Begins to measure the request and tells the subscribers of events, who may want something
    /// else to be called. `None` if there is neither a subscriber nor a recording.
    fn begin_measuring<'py>(
        &self,
        py: Attached<'py>,
        call: &mut Call<'py>,
        id: Option<&Object<'py>>,
    ) -> Option<(RequestTiming, Option<Running>)> {
        let running = self.recorder.begin(current::number());
        let subscribers = &self.hosted.subscribers;
        let watched = subscribers.any(py);
        if running.is_none() && !watched {
            return None;
        }
        self.lease.measure(py).expect("the engine ends the request, after this");
        let timing = RequestTiming::begin(call.stamps);
        if watched {
            let events = Arc::new(RequestEvents::new(subscribers, self.request, id, &call.data));
            self.lease.set_events(Some(Arc::clone(&events)));
            let start = StartedRequest {
                application: &call.application,
                callable: self.request.callable,
                attempts: self.request.attempts,
                environ: &call.environ,
            };
            let mut records = Records::new();
            let other = events.request_started(py, &start, &call.stamps, &mut records);
            self.log(py, &records);
            call.application = other.unwrap_or_else(|| call.application.clone());
        }
        Some((timing, running))
    }

    /// Tells the subscribers of events, and then the metrics, what the request took.
    fn end_measuring(
        &self,
        py: Attached<'_>,
        timing: &RequestTiming,
        running: Option<Running>,
        outcome: Outcome,
    ) {
        let sample = timing.sum(py, self.lease, outcome);
        if let Some(events) = self.lease.events() {
            let mut records = Records::new();
            events.request_finished(py, &sample, &mut records);
            self.log(py, &records);
            self.lease.set_events(None);
        }
        if let Some(running) = running {
            running.finish(&sample);
        }
    }

    fn perform<'py>(&self, py: Attached<'py>, call: &Call<'py>) -> Outcome {
        let answer = call.application.call(&[&call.environ, &call.start_response]);
        let result = match &answer {
            Ok(answer) => self.respond(py, answer),
            Err(error) => Err(Stop::Raised(error.clone())),
        };
        self.log_mismatch(py);
        let status = match &result {
            Err(Stop::Raised(error)) => self.raised(py, error),
            _ => 500,
        };
        if let Ok(answer) = &answer
            && let Err(error) = close(answer)
        {
            self.raised(py, &error);
        }
        let is_complete = result.is_ok();
        let seen = self.lease.quick(py, |live| {
            if !is_complete {
                live.forget_held();
            }
            (live.response.sent, live.response.gone)
        });
        let (sent, gone) = seen.unwrap_or((false, false));
        match result {
            Ok(()) if !gone => Outcome::Complete,
            Err(Stop::Raised(_)) if !gone && sent => Outcome::Aborted,
            Err(Stop::Raised(_)) if !gone => Outcome::Failed(status),
            _ => Outcome::Gone,
        }
    }
}
