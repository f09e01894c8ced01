//! The application of a request: its script is found or loaded, and its callable is run.

use std::sync::MutexGuard;
use std::sync::atomic::Ordering;
use std::time::Instant;

use python::{Attached, Exception};
use wsgi::level::Level;
use wsgi::request::Request;

use crate::call::{Job, Records};
use crate::exchange::Outcome;
use crate::fault;
use crate::script::{self, Found, LoadError, Reload};

/// What a script is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Its application is called.
    Serve,
    /// It is loaded, for requests that come later, here and in processes that are forked from this one.
    Load,
    /// It is loaded, for requests that come later.
    Import,
}

/// The script of a request.
pub(super) struct Script<'a> {
    job: &'a Job<'a>,
    purpose: Purpose,
    name: String,
    reload: Option<Reload<'a>>,
}

impl<'a> Script<'a> {
    /// The script of a job. The thread is not attached.
    pub(super) fn of(job: &'a Job<'a>, purpose: Purpose) -> Self {
        let request = job.request;
        let reload = request.script_reloading.then(|| Reload {
            modified: script::modified(request.script),
            resource: resource(request),
        });
        let name = script::module_name(request.script, job.settings.case_insensitive);
        Self { job, purpose, name, reload }
    }

    /// Attaches to the interpreter and runs the script's application. `None` if the script must be
    /// loaded first, for which the caller has to come back with the lock.
    pub(super) fn attach(&self, loading: Option<MutexGuard<'_, ()>>) -> Option<Outcome> {
        let Job { environment, recorder, lease, .. } = self.job;
        let counted = recorder.is_on() || environment.subscribers.expected();
        let asked = counted.then(Instant::now);
        environment.interpreter.attach(|py| {
            if let Some(asked) = asked {
                lease.waits.add(asked.elapsed());
            }
            self.run(py, loading)
        })
    }

    fn run(&self, py: Attached<'_>, loading: Option<MutexGuard<'_, ()>>) -> Option<Outcome> {
        let mut records = Records::new();
        let found = script::find(py, &self.name, self.reload.as_ref(), &mut records);
        self.job.log(py, &records);
        let module = match found {
            Ok(Found::Ready(module)) => module,
            Ok(Found::Stale(module)) if self.kept() => module,
            Ok(Found::Stale(_)) if self.job.settings.daemon => return Some(Outcome::Declined),
            Ok(Found::Stale(_) | Found::Missing) => {
                loading.as_ref()?;
                match script::load(py, &self.name, self.job.request.script) {
                    Ok(module) => module,
                    Err(error) => return Some(self.not_loaded(py, error)),
                }
            }
            Err(error) => return Some(Outcome::Failed(self.job.report(py, &error))),
        };
        drop(loading);
        if !self.job.loaded.load(Ordering::Relaxed) {
            self.job.loaded.store(true, Ordering::Relaxed);
        }
        match self.purpose {
            Purpose::Import => Some(Outcome::Complete),
            Purpose::Serve => Some(self.job.run(py, &module)),
            Purpose::Load => {
                self.job.preloaded.add(self.job.request.script);
                Some(Outcome::Complete)
            }
        }
    }

    /// Whether a script that has changed has to do until this process is replaced.
    fn kept(&self) -> bool {
        let modified = self.reload.as_ref().and_then(|reload| reload.modified);
        self.job.preloaded.keeps(self.job.request.script, modified)
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
            // A process that serves no requests runs its script; this is how that ends.
            LoadError::Run(error)
                if self.job.settings.threads == 0
                    && error.is_instance_of(Exception::SystemExit) => {}
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
