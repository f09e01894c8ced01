//! The engine: requests in, outcomes out.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use python::{Attached, Interpreter, InterpreterId, Object};
use wsgi::codes::{self, Message};
use wsgi::protocol::hook::{Answer, Question};
use wsgi::protocol::log_line::LogLine;
use wsgi::protocol::request::RequestHead;

use crate::admission::Admission;
use crate::clock::now;
use crate::control::Control;
use crate::events::subscribers;
use crate::exchange::Exchange;
use crate::interpreter::setup::HostedInterpreter;
use crate::interpreter::signal;
use crate::job::Job;
use crate::known_scripts::KnownScripts;
use crate::metrics::Recorder;
use crate::preload::Preloaded;
use crate::records::Records;
use crate::request::lease::Lease;
use crate::settings::Settings;
use wsgi::lock::lock;
use wsgi::protocol::outcome::Outcome;

mod script;

use script::Script;

/// Runs WSGI applications in the interpreters of this process.
///
/// There is one for a process and it lives as long: what it makes in the interpreters stays.
pub struct Engine {
    settings: Settings,
    main: Arc<HostedInterpreter>,
    /// Sub-interpreters by the name of their application group.
    others: Mutex<HashMap<Vec<u8>, Arc<HostedInterpreter>>>,
    /// One script is loaded at a time. Never waited for while attached.
    loading: Mutex<()>,
    recorder: Arc<Recorder>,
    preloaded: Preloaded,
    known_scripts: KnownScripts,
    admission: Admission,
    /// Subscribers have been told that the process stops.
    stopping: AtomicBool,
    /// An application was loaded.
    loaded: AtomicBool,
}

/// Why there is no engine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The calling thread is attached to a sub-interpreter.
    #[error("an engine is made by a thread that is attached to the main interpreter")]
    NotMain,
    /// Python raised while the main interpreter was set up.
    #[error("{0}")]
    SetUp(Message),
}

impl Engine {
    /// Makes an engine. The caller is attached to the main interpreter, which is set up for
    /// applications.
    pub fn new(py: Attached<'_>, mut settings: Settings) -> Result<Arc<Self>, EngineError> {
        if py.interpreter() != InterpreterId::MAIN {
            return Err(EngineError::NotMain);
        }
        settings.fix_paths();
        let recorder = Recorder::new(settings.threads.max(1), settings.daemon);
        let mut records = Records::new();
        let main = py
            .import(c"threading")
            .and_then(|_| HostedInterpreter::set_up(py, &settings, &recorder, "", &mut records))
            .map_err(|error| {
                EngineError::SetUp(codes::interpreter_not_set_up(&error.lines().join("\n")))
            })?;
        py.detach(|| log_server(&settings, &records));
        let admission =
            Admission::new(!Interpreter::has_gil(py) || settings.interpreters.give_own_gil());
        Ok(Arc::new(Self {
            settings,
            main: Arc::new(main),
            others: Mutex::default(),
            loading: Mutex::default(),
            recorder,
            preloaded: Preloaded::default(),
            known_scripts: KnownScripts::default(),
            admission,
            stopping: AtomicBool::new(false),
            loaded: AtomicBool::new(false),
        }))
    }

    /// Runs one request on the calling thread, which is not attached. Blocks until the
    /// application is done, `close()` included, and gives the exchange back. Nothing that the
    /// application keeps can reach the exchange afterwards. Others may use `control` meanwhile.
    pub fn handle(
        &self,
        request: &RequestHead<'_>,
        exchange: Box<dyn Exchange>,
        control: &Control,
    ) -> (Outcome, Box<dyn Exchange>) {
        let (outcome, exchange) = self.run(request, exchange, control, |job| {
            Script::of_application(job).with(&self.loading, |py, module| job.run(py, module))
        });
        (outcome.unwrap_or_else(|failed| failed), exchange)
    }

    /// Loads the script of a request and keeps it for the processes that will be forked from this
    /// one; the outcome is [`Outcome::Complete`] if that went well. The application is not called.
    /// The calling thread is not attached.
    pub fn preload(
        &self,
        request: &RequestHead<'_>,
        exchange: Box<dyn Exchange>,
    ) -> (Outcome, Box<dyn Exchange>) {
        let (outcome, exchange) = self.run(request, exchange, &Control::default(), |job| {
            let loaded = |_: Attached<'_>, _: &Object<'_>| job.preloaded.add(request.script);
            Script::of_application(job).with(&self.loading, loaded)
        });
        (outcome.map_or_else(|failed| failed, |()| Outcome::Complete), exchange)
    }

    /// Loads the script of a request for requests that come later. The application is not called,
    /// and the calling thread is not attached. The outcome is [`Outcome::Complete`] if that went
    /// well.
    pub fn import(&self, request: &RequestHead<'_>, exchange: Box<dyn Exchange>) -> Outcome {
        let (outcome, _) = self.run(request, exchange, &Control::default(), |job| {
            Script::of_application(job).with(&self.loading, |_, _| ())
        });
        outcome.map_or_else(|failed| failed, |()| Outcome::Complete)
    }

    /// Asks a hook on the calling thread, which is not attached; blocks until it has answered. Only
    /// an answer that fits the question comes back. Otherwise the log has been told, and the
    /// outcome is [`Outcome::Failed`], or [`Outcome::Declined`] from a worker that has to be
    /// replaced first.
    pub fn ask(
        &self,
        question: &Question<'_>,
        exchange: Box<dyn Exchange>,
        control: &Control,
    ) -> (Result<Answer, Outcome>, Box<dyn Exchange>) {
        self.run(&question.request, exchange, control, |job| {
            let ask = |py: Attached<'_>, module: &Object<'_>| job.ask(py, module, question);
            Script::of_hook(job).with(&self.loading, ask)?
        })
    }

    /// Whether an application was loaded in this process.
    pub fn has_loaded(&self) -> bool {
        self.loaded.load(Ordering::Relaxed)
    }

    /// When requests begin.
    pub fn admission(&self) -> &Admission {
        &self.admission
    }

    /// Takes hold of the GIL of each interpreter in turn, and so takes as long as a thread keeps
    /// one. The calling thread is not attached.
    pub fn probe(&self) {
        for hosted in self.hosted_interpreters() {
            hosted.interpreter.attach(|_| ());
        }
    }

    /// Called in a process that was forked from the one that made the engine: what counts by
    /// process begins anew.
    pub fn forked(&self) {
        signal::is_ours();
        self.recorder.reset_after_fork();
    }

    /// Whether a script that was preloaded was found changed since the last call.
    pub fn script_changed(&self) -> bool {
        self.preloaded.take_changed()
    }

    /// Finds the interpreter of a request and does the work in it, until whose end the lease lasts.
    fn run<R>(
        &self,
        request: &RequestHead<'_>,
        exchange: Box<dyn Exchange>,
        control: &Control,
        work: impl FnOnce(&Job<'_>) -> Result<R, Outcome>,
    ) -> (Result<R, Outcome>, Box<dyn Exchange>) {
        let lease = Arc::new(Lease::new(request, exchange));
        control.begin(&lease);
        let caught =
            catch_unwind(AssertUnwindSafe(|| self.with_job(request, &lease, control, work)));
        control.end();
        let mut live = lease.end();
        if caught.is_ok() {
            live.send_held();
        }
        let result = caught.unwrap_or_else(|panic| {
            live.message(&codes::internal_error("serving a request", panic_text(&*panic)));
            Err(if live.response.sent { Outcome::Aborted } else { Outcome::Failed(500) })
        });
        (result, live.exchange)
    }

    /// Tells the subscribers in all interpreters that the process stops, once: `reason` is the
    /// event's `shutdown_reason`. Requests may still run. The calling thread is not attached.
    pub fn stopping(&self, reason: &str) {
        if self.stopping.swap(true, Ordering::Relaxed) {
            return;
        }
        for hosted in self.hosted_interpreters() {
            let mut records = Records::new();
            hosted.interpreter.attach(|py| {
                let told = hosted.subscribers.stopping(py, reason, &mut records);
                if let Err(error) = told {
                    subscribers::not_published("process_stopping", &error, &mut records);
                }
            });
            log_server(&self.settings, &records);
        }
    }

    /// Tells the subscribers in all interpreters of a signal that the process got. The calling
    /// thread is not attached.
    pub fn signal(&self, name: &str, number: i32) {
        for hosted in self.hosted_interpreters() {
            let mut records = Records::new();
            hosted.interpreter.attach(|py| {
                let told = hosted.subscribers.signal(py, name, number, &mut records);
                if let Err(error) = told {
                    subscribers::not_published("process_signal", &error, &mut records);
                }
            });
            log_server(&self.settings, &records);
        }
    }

    /// Does what [`Self::stopping`] does, unless that was done before. Then joins the threads of
    /// all interpreters and runs their `atexit` functions, unless the settings keep it from that.
    /// The interpreters themselves are left to the end of the process, which is a matter of
    /// microseconds then. The caller is the thread that made the engine, and is not attached.
    pub fn shutdown(&self, reason: &str) {
        self.stopping(reason);
        if self.settings.keep_interpreters {
            return;
        }
        for hosted in self.hosted_interpreters() {
            let mut records = Records::new();
            hosted.interpreter.attach(|py| {
                if let Err(error) = py.join_threads() {
                    records.exception(&codes::threads_not_joined(), &error);
                }
                if let Err(error) = py.run_atexit() {
                    records.exception(&codes::atexit_failed(), &error);
                }
            });
            log_server(&self.settings, &records);
        }
    }

    /// The interpreters that there are, the main one last.
    fn hosted_interpreters(&self) -> Vec<Arc<HostedInterpreter>> {
        let mut all: Vec<_> = lock(&self.others).values().cloned().collect();
        all.push(Arc::clone(&self.main));
        all
    }

    fn with_job<R>(
        &self,
        request: &RequestHead<'_>,
        lease: &Arc<Lease>,
        control: &Control,
        work: impl FnOnce(&Job<'_>) -> Result<R, Outcome>,
    ) -> Result<R, Outcome> {
        let arrived = now();
        let hosted = match self.hosted(request) {
            Ok(hosted) => hosted,
            Err(text) => {
                let group = String::from_utf8_lossy(request.application_group);
                lease.message(&codes::no_interpreter(&group, &text));
                return Err(Outcome::Failed(500));
            }
        };
        let job = Job {
            settings: &self.settings,
            hosted: &hosted,
            request,
            lease,
            recorder: &self.recorder,
            preloaded: &self.preloaded,
            known_scripts: &self.known_scripts,
            loaded: &self.loaded,
            control,
            arrived,
        };
        work(&job)
    }

    fn new_interpreter(&self, name: &str, records: &mut Records) -> Result<Interpreter, String> {
        let own = self.settings.interpreters.of(&self.settings.process_group, name).own_gil;
        if own && !Interpreter::can_have_own_gil() {
            records.message(&codes::no_own_gil());
        }
        let create = if own && Interpreter::can_have_own_gil() {
            Interpreter::create_with_own_gil
        } else {
            Interpreter::create
        };
        self.main.interpreter.attach(create).map_err(|error| error.to_string())
    }

    fn hosted(&self, request: &RequestHead<'_>) -> Result<Arc<HostedInterpreter>, String> {
        let name = request.application_group;
        if name.is_empty() || request.main_interpreter {
            return Ok(Arc::clone(&self.main));
        }
        let mut others = lock(&self.others);
        if let Some(hosted) = others.get(name) {
            return Ok(Arc::clone(hosted));
        }
        let mut records = Records::new();
        let text: String = name.iter().copied().map(char::from).collect();
        let interpreter = self.new_interpreter(&text, &mut records)?;
        let made = interpreter.attach(|py| {
            HostedInterpreter::set_up(py, &self.settings, &self.recorder, &text, &mut records)
                .map_err(|error| error.lines().join("\n"))
        });
        log_server(&self.settings, &records);
        match made {
            Ok(hosted) => {
                let hosted = Arc::new(hosted);
                others.insert(name.to_vec(), Arc::clone(&hosted));
                Ok(hosted)
            }
            Err(text) => match interpreter.end() {
                Ok(()) => Err(text),
                Err(error) => Err(format!("{text}\nIt stays in memory: {error}.")),
            },
        }
    }
}

fn log_server(settings: &Settings, records: &Records) {
    for (level, text) in records.iter() {
        settings.log.write(LogLine::new(level, text.as_bytes()));
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text,
        _ => "no message",
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("settings", &self.settings).finish_non_exhaustive()
    }
}
