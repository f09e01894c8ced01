//! The events of one request, for the subscribers of its interpreter.

use std::sync::Arc;

use python::{Attached, Error, Handle, Object, Result};
use wsgi::protocol::request::{Attempts, RequestHead};

use crate::events::subscribers::{Subscribers, not_published};
use crate::records::Records;
use crate::request::current;
use crate::request::timing::{Sample, Stamps};

/// The subscribers of a request's events, and the entries that all of these have.
pub(crate) struct RequestEvents {
    subscribers: Arc<Subscribers>,
    request_id: Option<Handle>,
    request_data: Handle,
    /// The Apache child.
    server_pid: Option<i64>,
}

/// The entries that only the first event has.
pub(crate) struct StartedRequest<'a, 'py> {
    pub(crate) application: &'a Object<'py>,
    pub(crate) callable: &'a [u8],
    pub(crate) environ: &'a Object<'py>,
    pub(crate) attempts: Attempts,
}

impl RequestEvents {
    pub(crate) fn new<'py>(
        subscribers: &Arc<Subscribers>,
        request: &RequestHead<'_>,
        id: Option<&Object<'py>>,
        data: &Object<'py>,
    ) -> Self {
        Self {
            subscribers: Arc::clone(subscribers),
            request_id: id.map(Object::handle),
            request_data: data.handle(),
            server_pid: server_pid(request),
        }
    }

    /// `request_started`; what the subscribers want called instead of the application, if they do.
    pub(crate) fn request_started<'py>(
        &self,
        py: Attached<'py>,
        start: &StartedRequest<'_, 'py>,
        stamps: &Stamps,
        records: &mut Records,
    ) -> Option<Object<'py>> {
        let event = self.publish(py, "request_started", records, |event| {
            self.add_place(py, event, stamps)?;
            event.set("daemon_connects", &py.int(start.attempts.connects.into())?)?;
            event.set("daemon_restarts", &py.int(start.attempts.restarts.into())?)?;
            event.set("application_start", &py.float(stamps.application_start)?)?;
            event.set("application_object", start.application)?;
            event.set("callable_object", &py.latin1(start.callable)?)?;
            event.set("request_environ", start.environ)
        })?;
        let application = event.item_opt(&py.text("application_object").ok()?).ok()??;
        Some(application).filter(|application| !application.is(start.application))
    }

    /// `response_started`, before anything is checked.
    pub(crate) fn response_started<'py>(
        &self,
        py: Attached<'py>,
        status: &Object<'py>,
        headers: &Object<'py>,
        exc_info: Option<&Object<'py>>,
        records: &mut Records,
    ) {
        self.publish(py, "response_started", records, |event| {
            event.set("response_status", status)?;
            event.set("response_headers", headers)?;
            event.set("exception_info", exc_info.unwrap_or(&py.none()))
        });
    }

    /// `request_exception`.
    pub(crate) fn request_exception<'py>(
        &self,
        py: Attached<'py>,
        error: &Error<'py>,
        records: &mut Records,
    ) {
        self.publish(py, "request_exception", records, |event| {
            let class = error.value().attr(c"__class__")?;
            let traceback = error.traceback().unwrap_or_else(|| py.none());
            event.set("exception_info", &py.tuple(&[&class, error.value(), &traceback])?)
        });
    }

    /// `request_finished`.
    pub(crate) fn request_finished(
        &self,
        py: Attached<'_>,
        sample: &Sample,
        records: &mut Records,
    ) {
        self.publish(py, "request_finished", records, |event| {
            self.add_place(py, event, &sample.stamps)?;
            for (name, value) in [
                ("application_start", sample.stamps.application_start),
                ("application_finish", sample.application_finish),
                ("application_time", sample.application_time.as_secs_f64()),
                ("input_time", sample.input.time.as_secs_f64()),
                ("output_time", sample.output.time.as_secs_f64()),
                ("gil_wait_time", sample.gil_wait_time.as_secs_f64()),
                ("cpu_user_time", sample.cpu.user.as_secs_f64()),
                ("cpu_system_time", sample.cpu.system.as_secs_f64()),
                ("cpu_time", sample.cpu.total().as_secs_f64()),
            ] {
                event.set(name, &py.float(value)?)?;
            }
            for (name, value) in [
                ("input_reads", sample.input.count),
                ("input_length", sample.input.bytes),
                ("output_writes", sample.output.count),
                ("output_length", sample.output.bytes),
                ("gil_wait_count", sample.gil_wait_count),
                ("status", sample.status.into()),
            ] {
                event.set(name, &py.int(value.try_into().unwrap_or(i64::MAX))?)?;
            }
            Ok(())
        });
    }

    /// Where the request is, and since when.
    fn add_place<'py>(
        &self,
        py: Attached<'py>,
        event: &Object<'py>,
        stamps: &Stamps,
    ) -> Result<'py, ()> {
        event.set("thread_id", &py.int(current::number())?)?;
        if let Some(pid) = self.server_pid {
            event.set("server_pid", &py.int(pid)?)?;
        }
        event.set("request_start", &py.float(stamps.request_start)?)?;
        event.set("queue_start", &py.float(stamps.queue_start)?)?;
        event.set("daemon_start", &py.float(stamps.daemon_start)?)
    }

    /// Publishes an event; gives it back as the subscribers left it.
    fn publish<'py>(
        &self,
        py: Attached<'py>,
        name: &str,
        records: &mut Records,
        fill: impl FnOnce(&Object<'py>) -> Result<'py, ()>,
    ) -> Option<Object<'py>> {
        let make = || -> Result<'py, Object<'py>> {
            let event = py.dict()?;
            if let Some(id) = &self.request_id {
                event.set("request_id", &id.bind(py))?;
            }
            fill(&event)?;
            event.set("request_data", &self.request_data.bind(py))?;
            Ok(event)
        };
        match make() {
            Ok(event) => {
                self.subscribers.publish(name, &event, records);
                Some(event)
            }
            Err(error) => {
                not_published(name, &error, records);
                None
            }
        }
    }
}

fn server_pid(request: &RequestHead<'_>) -> Option<i64> {
    let mut pairs = request.environ.clone();
    let (_, value) = pairs.find(|(name, _)| *name == b"mod_wsgi.server_pid")?;
    std::str::from_utf8(value).ok()?.parse().ok()
}
