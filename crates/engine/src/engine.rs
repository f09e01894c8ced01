//! The engine: requests in, outcomes out.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use python::{Attached, Exception, Interpreter, InterpreterId};
use wsgi::level::Level;
use wsgi::request::Request;

use crate::call::{Job, Records};
use crate::environ::{Stamps, now};
use crate::environment::Environment;
use crate::exchange::{Exchange, Outcome};
use crate::fault;
use crate::lease::Lease;
use crate::script::{self, Found, LoadError, Reload};
use crate::settings::Settings;
use crate::thread;

/// Runs WSGI applications in the interpreters of this process.
///
/// There is one for a process and it lives as long: what it makes in the interpreters stays.
pub struct Engine {
    settings: Settings,
    main: Arc<Environment>,
    /// Sub-interpreters by the name of their application group.
    others: Mutex<HashMap<Vec<u8>, Arc<Environment>>>,
    /// One script is loaded at a time. Never waited for while attached.
    loading: Mutex<()>,
}

/// Why there is no engine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The calling thread is attached to a sub-interpreter.
    #[error("an engine is made by a thread that is attached to the main interpreter")]
    NotMain,
    /// Python raised while the main interpreter was set up.
    #[error("WSGI0188: the main interpreter cannot be set up: {0}")]
    SetUp(String),
}

impl Engine {
    /// Makes an engine. The caller is attached to the main interpreter, which is set up for
    /// applications; the calling thread counts as the process's main thread from now on.
    pub fn new(py: Attached<'_>, settings: Settings) -> Result<Arc<Self>, EngineError> {
        if py.interpreter() != InterpreterId::MAIN {
            return Err(EngineError::NotMain);
        }
        thread::is_main();
        let mut records = Records::new();
        let main = py
            .import(c"threading")
            .and_then(|_| Environment::set_up(py, &settings, "", &mut records))
            .map_err(|error| EngineError::SetUp(error.lines().join("\n")))?;
        py.detach(|| log_server(&settings, &records));
        let (others, loading) = (Mutex::default(), Mutex::default());
        Ok(Arc::new(Self { settings, main: Arc::new(main), others, loading }))
    }

    /// Runs one request on the calling thread, which is not attached. Blocks until the
    /// application is done, `close()` included, and gives the exchange back. Nothing that the
    /// application keeps can reach the exchange afterwards.
    pub fn handle(
        &self,
        request: &Request<'_>,
        exchange: Box<dyn Exchange>,
    ) -> (Outcome, Box<dyn Exchange>) {
        let lease = Arc::new(Lease::new(request, exchange));
        let caught = catch_unwind(AssertUnwindSafe(|| self.serve(request, &lease)));
        let mut live = lease.end();
        let outcome = caught.unwrap_or_else(|panic| {
            let text = format!("The engine panicked: {}.", message(&*panic));
            live.log(Level::Error, text.as_bytes());
            if live.response.sent { Outcome::Aborted } else { Outcome::Failed(500) }
        });
        (outcome, live.exchange)
    }

    /// Joins the threads of all interpreters and runs their `atexit` functions. The interpreters
    /// themselves are left to the end of the process, which is a matter of microseconds then.
    /// The caller is the thread that made the engine, and is not attached.
    pub fn shutdown(&self) {
        let mut all: Vec<_> = lock(&self.others).values().cloned().collect();
        all.push(Arc::clone(&self.main));
        for environment in all {
            let mut records = Records::new();
            environment.interpreter.attach(|py| {
                let mut note = |code, what: &str, error: &python::Error<'_>| {
                    records.push((Level::Error, format!("{code}: {what}")));
                    records.extend(error.lines().into_iter().map(|line| (Level::Error, line)));
                };
                if let Err(error) = py.join_threads() {
                    note("WSGI0097", "Joining the interpreter's threads raised.", &error);
                }
                if let Err(error) = py.run_atexit() {
                    note("WSGI0098", "The interpreter's atexit functions raised.", &error);
                }
            });
            log_server(&self.settings, &records);
        }
    }

    fn serve(&self, request: &Request<'_>, lease: &Arc<Lease>) -> Outcome {
        let stamps = Stamps { daemon_start: now() };
        let environment = match self.environment(request) {
            Ok(environment) => environment,
            Err(text) => {
                let group = String::from_utf8_lossy(request.application_group);
                let text = format!("WSGI0103: No interpreter for '{group}': {text}");
                lease.log(Level::Error, &text);
                return Outcome::Failed(500);
            }
        };
        let job =
            Job { settings: &self.settings, environment: &environment, request, lease, stamps };
        let script = Script {
            job: &job,
            name: script::module_name(request.script),
            reload: request.script_reloading.then(|| Reload {
                modified: script::modified(request.script),
                resource: resource(request),
            }),
        };
        let interpreter = &environment.interpreter;
        if let Some(outcome) = interpreter.attach(|py| script.run(py, None)) {
            return outcome;
        }
        let loading = lock(&self.loading);
        let outcome = interpreter.attach(|py| script.run(py, Some(loading)));
        outcome.expect("with the lock a script is loaded, or its failure is the outcome")
    }

    fn environment(&self, request: &Request<'_>) -> Result<Arc<Environment>, String> {
        let name = request.application_group;
        if name.is_empty() || request.main_interpreter {
            return Ok(Arc::clone(&self.main));
        }
        let mut others = lock(&self.others);
        if let Some(environment) = others.get(name) {
            return Ok(Arc::clone(environment));
        }
        let made = self.main.interpreter.attach(Interpreter::create);
        let interpreter = made.map_err(|error| error.to_string())?;
        let mut records = Records::new();
        let made = interpreter.attach(|py| {
            let name: String = name.iter().copied().map(char::from).collect();
            Environment::set_up(py, &self.settings, &name, &mut records)
                .map_err(|error| error.lines().join("\n"))
        });
        log_server(&self.settings, &records);
        match made {
            Ok(environment) => {
                let environment = Arc::new(environment);
                others.insert(name.to_vec(), Arc::clone(&environment));
                Ok(environment)
            }
            Err(text) => match interpreter.end() {
                Ok(()) => Err(text),
                Err(error) => Err(format!("{text}\nIt stays in memory: {error}.")),
            },
        }
    }
}

/// The script of a request.
struct Script<'a> {
    job: &'a Job<'a>,
    name: String,
    reload: Option<Reload<'a>>,
}

impl Script<'_> {
    /// Runs the script's application. `None` if the script must be loaded first, for which the
    /// caller has to come back with the lock.
    fn run(&self, py: Attached<'_>, loading: Option<MutexGuard<'_, ()>>) -> Option<Outcome> {
        let mut records = Records::new();
        let found = script::find(py, &self.name, self.reload.as_ref(), &mut records);
        self.job.log(py, &records);
        let module = match found {
            Ok(Found::Ready(module)) => module,
            Ok(Found::Stale) if self.job.settings.daemon => return Some(Outcome::Declined),
            Ok(Found::Stale | Found::Missing) => {
                loading.as_ref()?;
                match script::load(py, &self.name, self.job.request.script) {
                    Ok(module) => module,
                    Err(error) => return Some(self.not_loaded(py, error)),
                }
            }
            Err(error) => return Some(Outcome::Failed(self.job.report(py, &error))),
        };
        drop(loading);
        Some(self.job.run(py, &module))
    }

    fn not_loaded<'py>(&self, py: Attached<'py>, error: LoadError<'py>) -> Outcome {
        let what = self.job.what();
        let mut records = Records::new();
        match error {
            LoadError::Read(error) => {
                let text = format!("WSGI0105: Cannot read {what}: {error}.");
                records.push((Level::Error, text));
            }
            LoadError::Compile(error) => {
                records.push((Level::Error, format!("WSGI0105: Cannot compile {what}.")));
                records.extend(error.lines().into_iter().map(|line| (Level::Error, line)));
            }
            LoadError::Run(error) => {
                let system_exit = error.is_instance_of(Exception::SystemExit);
                let text = if system_exit {
                    format!("WSGI0107: SystemExit was raised while loading {what}.")
                } else {
                    format!("WSGI0109: Cannot load {what}.")
                };
                records.push((Level::Error, text));
                fault::log(py, &mut records, &what, &error);
            }
        }
        self.job.log(py, &records);
        Outcome::Failed(500)
    }
}

/// The file that a request maps to.
fn resource<'a>(request: &Request<'a>) -> &'a [u8] {
    let mut pairs = request.environ.clone();
    pairs.find(|(name, _)| *name == b"SCRIPT_FILENAME").map_or(request.script, |(_, value)| value)
}

fn log_server(settings: &Settings, records: &Records) {
    for (level, text) in records {
        settings.log.line(*level, text.as_bytes());
    }
}

/// A panic while one of these is held leaves nothing half done in it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn message(panic: &(dyn Any + Send)) -> &str {
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
