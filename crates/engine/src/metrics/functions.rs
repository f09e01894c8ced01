//! The functions of the module `mod_wsgi` that are about metrics.

use std::ffi::CStr;
use std::sync::Arc;

use python::{Arguments, Class, Members, Method, Object, Result};

use super::server::server;
use super::{Recorder, report};
use crate::request::current;
use crate::settings::ReadScoreboard;

/// Puts the functions into the module `mod_wsgi`.
pub(crate) fn install<'py>(
    module: &Object<'py>,
    recorder: &Arc<Recorder>,
    scoreboard: Option<ReadScoreboard>,
) -> Result<'py, ()> {
    let metrics = Metrics { recorder: Arc::clone(recorder), scoreboard };
    let object = module.py().class::<Metrics>()?.instance(metrics)?;
    for name in
        [c"start_recording_metrics", c"request_metrics", c"process_metrics", c"server_metrics"]
    {
        module.set_attr(name, &object.attr(name)?)?;
    }
    Ok(())
}

/// The object that the functions are methods of.
struct Metrics {
    recorder: Arc<Recorder>,
    scoreboard: Option<ReadScoreboard>,
}

impl Class for Metrics {
    const NAME: &'static CStr = c"mod_wsgi.Metrics";
    const DOC: &'static CStr = c"The functions that record and report metrics.";

    fn members() -> Members<Self> {
        Members::new()
            .method::<StartRecording>()
            .method::<Requests>()
            .method::<Process>()
            .method::<Server>()
    }
}

struct StartRecording;

impl Method for StartRecording {
    type Class = Metrics;
    const NAME: &'static CStr = c"start_recording_metrics";
    const DOC: &'static CStr = c"Begins to record metrics, once for the process.";

    fn call<'py>(
        this: &Metrics,
        object: &Object<'py>,
        arguments: Arguments<'py>,
    ) -> Result<'py, Object<'py>> {
        let [] = arguments.positional("start_recording_metrics", 0)?;
        object.py().detach(|| this.recorder.start());
        Ok(object.py().none())
    }
}

struct Requests;

impl Method for Requests {
    type Class = Metrics;
    const NAME: &'static CStr = c"request_metrics";
    const DOC: &'static CStr =
        c"The requests since the last call, as a dict; None while nothing is recorded.";

    fn call<'py>(
        this: &Metrics,
        object: &Object<'py>,
        arguments: Arguments<'py>,
    ) -> Result<'py, Object<'py>> {
        let py = object.py();
        let [] = arguments.positional("request_metrics", 0)?;
        match py.detach(|| this.recorder.take()) {
            Some(report) => report::requests(py, &this.recorder, &report),
            None => Ok(py.none()),
        }
    }
}

struct Process;

impl Method for Process {
    type Class = Metrics;
    const NAME: &'static CStr = c"process_metrics";
    const DOC: &'static CStr = c"The process, and its requests since recording began, as a dict; \
        None while nothing is recorded.";

    fn call<'py>(
        this: &Metrics,
        object: &Object<'py>,
        arguments: Arguments<'py>,
    ) -> Result<'py, Object<'py>> {
        let py = object.py();
        let [] = arguments.positional("process_metrics", 0)?;
        match py.detach(|| this.recorder.totals()) {
            Some(totals) => report::process(py, &this.recorder, &totals),
            None => Ok(py.none()),
        }
    }
}

struct Server;

impl Method for Server {
    type Class = Metrics;
    const NAME: &'static CStr = c"server_metrics";
    const DOC: &'static CStr =
        c"What Apache's threads do, as a dict; None where that must not be seen.";

    fn call<'py>(
        this: &Metrics,
        object: &Object<'py>,
        arguments: Arguments<'py>,
    ) -> Result<'py, Object<'py>> {
        let py = object.py();
        let [] = arguments.positional("server_metrics", 0)?;
        let board = match (&this.scoreboard, current::lease()) {
            (Some(read), _) => py.detach(|| read()),
            (None, Some(lease)) => lease.with(py, |live| live.exchange.scoreboard())?,
            (None, None) => None,
        };
        board.map_or_else(|| Ok(py.none()), |board| server(py, &board))
    }
}
