//! Embedded mode: Python in an httpd child, from its first request on or since its parent.

use std::num::NonZeroUsize;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use engine::exchange::{BodyError, Exchange, Gone};
use engine::{Control, Engine, EngineError, ReadScoreboard, ServerLog, Settings};
use python::{Initialized, Options};
use wsgi::codes::{self, Message};
use wsgi::config::settings::PythonOptions;
use wsgi::process::plan::{EmbeddedSpec, PythonFacts, PythonStart};
use wsgi::protocol::frame::BodyFault;
use wsgi::protocol::hook::Question;
use wsgi::protocol::log_line::LogLine;
use wsgi::protocol::outcome::Outcome;
use wsgi::protocol::request::RequestHead;
use wsgi::protocol::response::{ResponseHead, ResponseStatus};

use crate::engine_settings::apache_facts;
use crate::imports;
use crate::panics::caught;
use crate::sys::HostCalls;
use crate::thread_stack;

/// The engine of this process: a child of httpd has one, for good.
static ENGINE: OnceLock<Arc<Engine>> = OnceLock::new();

/// Python of this process; a child may have it from httpd's parent.
static PYTHON: OnceLock<Initialized> = OnceLock::new();

/// Why there is no Python in this process.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EmbedError {
    /// The task from httpd's module cannot be read.
    #[error("the task from httpd's module is unreadable: {0}; stop httpd and start it again")]
    Task(#[from] serde_json::Error),
    /// Python could not be started.
    #[error("{0}")]
    Python(#[from] python::InitializeError),
    /// An exception of Python's, in its words.
    #[error("{0}")]
    Raised(String),
    /// The library is that of another Python.
    #[error(
        "{program:?} was asked for and is {wanted:?}, but its library {library:?} is {found:?}"
    )]
    OtherVersion { program: PathBuf, wanted: String, library: PathBuf, found: String },
    /// The interpreter could not be set up.
    #[error("{}", words_of(.0))]
    SetUp(#[from] EngineError),
    /// httpd's module asked twice.
    #[error("the engine was made before")]
    MadeBefore,
}

/// The error in words, without a code: the line that says it has one of its own.
fn words_of(error: &EngineError) -> String {
    match error {
        EngineError::SetUp(message) => message.text().to_owned(),
        EngineError::NotMain => error.to_string(),
    }
}

/// Starts Python in httpd's parent; `start` is a [`PythonStart`] as JSON.
pub(crate) fn initialize(start: &[u8]) -> Result<(), EmbedError> {
    let start: PythonStart = serde_json::from_slice(start)?;
    started(&start.python, &start.options).map(drop)
}

/// In a child of the parent that has started Python, before it has threads.
pub(crate) fn after_fork() {
    if let Some(python) = PYTHON.get() {
        python.main.after_fork_by_others();
    }
}

/// Makes the engine, and starts Python if it does not run yet.
pub(crate) fn start(
    spec: &[u8],
    log: &Arc<dyn ServerLog>,
    scoreboard: ReadScoreboard,
) -> Result<(), EmbedError> {
    let spec: EmbeddedSpec = serde_json::from_slice(spec)?;
    let python = started(&spec.python, &spec.server.python)?;
    if python.joined && !spec.python_in_parent_is_known {
        log.message(&codes::another_python("this process"));
    }
    let engine = python.main.attach(|py| {
        let settings = settings(&spec, Arc::clone(log), scoreboard);
        Engine::new(py, settings)
    })?;
    imports::run(&engine, log, "", &spec.imports, || true);
    ENGINE.set(engine).map_err(|_| EmbedError::MadeBefore)
}

/// Python of this process, which is started if there is none.
fn started(
    python: &PythonFacts,
    options: &PythonOptions,
) -> Result<&'static Initialized, EmbedError> {
    if let Some(initialized) = PYTHON.get() {
        return Ok(initialized);
    }
    let options = Options {
        program: Some(python.executable.clone()),
        optimize: options.optimize,
        dont_write_bytecode: options.dont_write_bytecode,
        ..Options::default()
    };
    let initialized = python::initialize(&options)?;
    let raised = |error: python::Error<'_>| EmbedError::Raised(error.to_string());
    let found = initialized.main.attach(|py| version(py).map_err(raised))?;
    if !initialized.joined && found != python.version {
        return Err(EmbedError::OtherVersion {
            program: python.executable.clone(),
            wanted: python.version.clone(),
            library: python.library.clone(),
            found,
        });
    }
    Ok(PYTHON.get_or_init(|| initialized))
}

/// `sys.version`, on one line.
fn version(py: python::Attached<'_>) -> python::Result<'_, String> {
    let version = py.import(c"sys")?.attr(c"version")?.utf8()?;
    Ok(version.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn settings(spec: &EmbeddedSpec, log: Arc<dyn ServerLog>, scoreboard: ReadScoreboard) -> Settings {
    Settings {
        process_group: String::new(),
        python_path: spec.python_path.clone(),
        home: None,
        python_eggs: spec.python_eggs.clone(),
        threads: spec.server.threads,
        multithread: spec.server.threads != 1,
        multiprocess: spec.server.children != 1,
        run_once: false,
        maximum_processes: spec.server.children,
        apache: apache_facts(&spec.server),
        daemon: false,
        interpreters: spec.server.interpreters.clone(),
        switch_interval: None,
        case_insensitive: spec.server.case_insensitive,
        keep_interpreters: spec.server.keep_interpreters,
        slow_requests: spec.server.slow_requests,
        single_process: spec.single_process,
        scoreboard: Some(scoreboard),
        log,
    }
}

/// Serves a request; `payload` is that of a request frame.
pub(crate) fn handle(host: HostCalls, payload: &[u8]) -> Outcome {
    let Some(engine) = ENGINE.get() else { return Outcome::Failed(500) };
    let request = match RequestHead::decode(payload) {
        Ok(request) => request,
        Err(error) => {
            complain(host, &codes::request_unreadable(&error));
            return Outcome::Failed(500);
        }
    };
    caught(|| {
        let _admitted = engine.admission().enter();
        engine.handle(&request, Box::new(InHttpd(host)), &Control::default()).0
    })
    .unwrap_or_else(|panic| {
        complain(host, &codes::internal_error("serving the request", &panic));
        Outcome::Failed(500)
    })
}

/// Asks a hook; `payload` is that of a question frame. Gives the payload of an answer frame, or
/// `None` if there is no answer, which the request's log has been told.
pub(crate) fn ask(host: HostCalls, payload: &[u8]) -> Option<Vec<u8>> {
    let engine = ENGINE.get()?;
    let question = match Question::decode(payload) {
        Ok(question) => question,
        Err(error) => {
            complain(host, &codes::request_unreadable(&error));
            return None;
        }
    };
    let answer = caught(|| {
        let _admitted = engine.admission().enter();
        engine.ask(&question, Box::new(InHttpd(host)), &Control::default()).0
    });
    match answer {
        Ok(answer) => {
            let mut payload = Vec::new();
            answer.ok()?.encode(&mut payload);
            Some(payload)
        }
        Err(panic) => {
            complain(host, &codes::internal_error("asking a hook", &panic));
            None
        }
    }
}

fn complain(mut host: HostCalls, message: &Message) {
    host.log(&LogLine::new(message.level(), message.to_string().as_bytes()));
}

/// How long the interpreters may take to end: httpd kills a child that has not ended after a few
/// seconds, and complains about it.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(2500);

/// Ends the interpreters. One that does not end in time ends with the process.
pub(crate) fn shutdown() {
    let Some(engine) = ENGINE.get().cloned() else { return };
    let (done, wait) = mpsc::channel();
    let end = move || {
        // httpd ends the child either way; a panic has no receiver.
        let _ = caught(|| engine.shutdown(""));
        // The receiver is gone if this took too long.
        let _ = done.send(());
    };
    let builder = thread::Builder::new().name("wsgi-shutdown".into());
    if let Ok(thread) = builder.stack_size(thread_stack::size(None)).spawn(end)
        && wait.recv_timeout(SHUTDOWN_TIMEOUT).is_ok()
    {
        // It still frees its thread states, which must be over before the process tears down the
        // libraries that it needs for that.
        let _ = thread.join();
    }
}

/// The exchange of a request whose connection is in this very process.
struct InHttpd(HostCalls);

impl Exchange for InHttpd {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, BodyError> {
        self.0.read(buffer).map_err(|fault| BodyError { fault, text: words(fault).into() })
    }

    fn head(
        &mut self,
        status: &ResponseStatus,
        headers: &[(Vec<u8>, Vec<u8>)],
    ) -> Result<(), Gone> {
        let headers = headers.iter().map(|(name, value)| (name.as_slice(), value.as_slice()));
        let mut payload = Vec::with_capacity(512);
        ResponseHead::encode(status, headers, &mut payload);
        self.0.head(&payload).then_some(()).ok_or(Gone)
    }

    fn data(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        self.0.data(bytes).then_some(()).ok_or(Gone)
    }

    fn file(&mut self, file: BorrowedFd<'_>, offset: u64, length: u64) -> Result<(), Gone> {
        self.0.file(file, offset, length).then_some(()).ok_or(Gone)
    }

    fn log(&mut self, line: LogLine<'_>) {
        self.0.log(&line);
    }

    fn tls_variable(&mut self, name: &[u8]) -> Option<Vec<u8>> {
        self.0.variable(name)
    }

    fn apache_request(&self) -> Option<NonZeroUsize> {
        self.0.record()
    }
}

fn words(fault: BodyFault) -> &'static str {
    match fault {
        BodyFault::Gone => "the client has closed the connection",
        BodyFault::Timeout => "the client sent nothing for as long as Timeout allows",
        BodyFault::TooLarge => "the body is longer than LimitRequestBody allows",
        BodyFault::Broken => "the request's body is malformed",
    }
}
