//! The script of a request: it is found or loaded, and its module is put to use.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use python::{Attached, Exception, Object};
use wsgi::codes;
use wsgi::protocol::request::RequestHead;

use crate::fault;
use crate::job::Job;
use crate::known_scripts::KnownScript;
use crate::records::Records;
use crate::script::{self, Found, LoadError, Reload};
use wsgi::lock::lock;
use wsgi::protocol::outcome::Outcome;

/// The script of a request.
pub(super) struct Script<'a> {
    job: &'a Job<'a>,
    known: Arc<KnownScript>,
    reload: Option<Reload<'a>>,
}

impl<'a> Script<'a> {
    /// The script of a job that runs an application. The thread is not attached.
    pub(super) fn of_application(job: &'a Job<'a>) -> Self {
        Self::of(job, Some(resource(job.request)))
    }

    /// The script of a job that asks a hook, for which only the file's time counts. The thread is
    /// not attached.
    pub(super) fn of_hook(job: &'a Job<'a>) -> Self {
        Self::of(job, None)
    }

    fn of(job: &'a Job<'a>, resource: Option<&'a [u8]>) -> Self {
        let request = job.request;
        let known = job.known_scripts.of(request.script, job.settings.case_insensitive);
        let modified = || known.modified(request);
        let reload = request.script_reloading.then(|| Reload { modified: modified(), resource });
        Self { job, known, reload }
    }

    /// Attaches to the interpreter and lends the script's module to `work`; the error is what
    /// became of a script that is not to be had. One script is loaded at a time, under the lock
    /// `loading`.
    pub(super) fn with<R>(
        &self,
        loading: &Mutex<()>,
        work: impl for<'py> Fn(Attached<'py>, &Object<'py>) -> R,
    ) -> Result<R, Outcome> {
        if let Some(done) = self.attach(None, &work) {
            return done;
        }
        let loading = lock(loading);
        self.attach(Some(loading), &work)
            .expect("with the lock a script is loaded, or its failure is the outcome")
    }

    /// `None` if the script must be loaded first, for which the lock is needed.
    fn attach<R>(
        &self,
        loading: Option<MutexGuard<'_, ()>>,
        work: &impl for<'py> Fn(Attached<'py>, &Object<'py>) -> R,
    ) -> Option<Result<R, Outcome>> {
        let Job { hosted, recorder, lease, .. } = self.job;
        let counted = recorder.is_on() || hosted.subscribers.expected();
        let asked = counted.then(Instant::now);
        hosted.interpreter.attach(|py| {
            if let Some(asked) = asked {
                lease.waits.add(asked.elapsed());
            }
            let module = self.module(py, loading.as_ref())?;
            // Others may load theirs while this one runs.
            drop(loading);
            Some(module.map(|module| {
                if !self.job.loaded.load(Ordering::Relaxed) {
                    self.job.loaded.store(true, Ordering::Relaxed);
                }
                work(py, &module)
            }))
        })
    }

    fn module<'py>(
        &self,
        py: Attached<'py>,
        loading: Option<&MutexGuard<'_, ()>>,
    ) -> Option<Result<Object<'py>, Outcome>> {
        let mut records = Records::new();
        let found = script::find(py, self.known.name(), self.reload.as_ref(), &mut records);
        self.job.log(py, &records);
        Some(match found {
            Ok(Found::Ready(module)) => Ok(module),
            Ok(Found::Stale(module)) if self.kept() => Ok(module),
            Ok(Found::Stale(_)) if self.job.settings.daemon => Err(Outcome::Declined),
            Ok(outdated @ (Found::Stale(_) | Found::Missing)) => {
                loading?;
                // Nothing must keep what is replaced.
                drop(outdated);
                script::load(py, self.known.name(), self.job.request.script)
                    .map_err(|error| self.not_loaded(py, error))
            }
            Err(error) => Err(Outcome::Failed(self.job.report(py, &error))),
        })
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
                records.message(&codes::script_not_compiled("read", &what, &error));
            }
            LoadError::Compile(error) => {
                records.exception(&codes::script_not_compiled("compile", &what, &error), &error);
            }
            // A process that serves no requests runs its script; this is how that ends.
            LoadError::Run(error)
                if self.job.settings.threads == 0
                    && error.is_instance_of(Exception::SystemExit) => {}
            LoadError::Run(error) => {
                records.message(&if error.is_instance_of(Exception::SystemExit) {
                    codes::script_exited(&what)
                } else {
                    codes::script_not_loaded(&what)
                });
                fault::log(py, &mut records, &what, &error);
            }
        }
        self.job.log(py, &records);
        Outcome::Failed(500)
    }
}

/// The file that a request maps to.
fn resource<'a>(request: &RequestHead<'a>) -> &'a [u8] {
    let mut pairs = request.environ.clone();
    pairs.find(|(name, _)| *name == b"SCRIPT_FILENAME").map_or(request.script, |(_, value)| value)
}
