//! The parts that the tests share: one engine for each mode, an exchange in memory, small
//! applications.

use std::collections::VecDeque;
use std::io::Read;
use std::num::NonZeroUsize;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use engine::exchange::{BodyError, Exchange, Gone};
use engine::{ApacheFacts, Control, Engine, ReadScoreboard, ServerLog, Settings};
use wsgi::config::interpreter_options::{InterpreterOptions, InterpreterRules};
use wsgi::level::Level;
use wsgi::protocol::frame::BodyFault;
use wsgi::protocol::log_line::LogLine;
use wsgi::protocol::outcome::Outcome;
use wsgi::protocol::request::{BodyRest, RequestHead};
use wsgi::protocol::response::ResponseStatus;
use wsgi::protocol::scoreboard::{self, ScoreboardSnapshot};

mod closing;
mod environment;
mod events;
mod faults;
mod heads;
mod hooks;
mod input;
mod life;
mod logging;
mod metrics;
mod reload;
mod response;
mod subscribers;

/// The lines that the server-level log of all engines has received.
#[derive(Default)]
struct Journal(Mutex<Vec<(Level, String)>>);

impl ServerLog for Journal {
    fn logs(&self, level: Level) -> bool {
        level < Level::Debug
    }

    fn write(&self, line: LogLine<'_>) {
        self.0.lock().unwrap().push((line.level, String::from_utf8_lossy(line.text).into_owned()));
    }
}

impl Journal {
    fn contains(&self, text: &str) -> bool {
        self.0.lock().unwrap().iter().any(|(_, line)| line.contains(text))
    }
}

/// The one process that all tests run in: Python is initialised once, and so is the engine of
/// each mode.
struct Process {
    daemon: Arc<Engine>,
    embedded: Arc<Engine>,
    journal: Arc<Journal>,
}

fn process() -> &'static Process {
    static PROCESS: OnceLock<Process> = OnceLock::new();
    PROCESS.get_or_init(|| {
        let options = python::Options { dont_write_bytecode: true, ..python::Options::default() };
        let main = python::initialize(&options).unwrap().main;
        let journal = Arc::new(Journal::default());
        let make = |daemon| {
            let log: Arc<dyn ServerLog> = journal.clone();
            main.attach(|py| Engine::new(py, settings(daemon, log))).unwrap()
        };
        // The main interpreter keeps what the second engine sets up.
        let embedded = make(false);
        Process { daemon: make(true), embedded, journal }
    })
}

fn settings(daemon: bool, log: Arc<dyn ServerLog>) -> Settings {
    Settings {
        process_group: if daemon { "site".to_owned() } else { String::new() },
        python_path: vec![path_entry()],
        home: Some(PathBuf::from("/")),
        python_eggs: None,
        threads: 4,
        multithread: true,
        multiprocess: false,
        run_once: false,
        maximum_processes: 2,
        apache: ApacheFacts {
            version: (2, 4, 71),
            description: "Apache/2.4.71".to_owned(),
            mpm_name: "event".to_owned(),
            build_date: "today".to_owned(),
            maximum_processes: 16,
            threads_per_process: 25,
        },
        daemon,
        interpreters: InterpreterRules {
            general: InterpreterOptions {
                restrict_stdin: Some(true),
                restrict_stdout: Some(!daemon),
                ..InterpreterOptions::default()
            },
            blocks: Vec::new(),
        },
        switch_interval: None,
        case_insensitive: false,
        keep_interpreters: false,
        slow_requests: None,
        single_process: false,
        scoreboard: (!daemon).then(|| -> ReadScoreboard { Arc::new(|| Some(board(2))) }),
        log,
    }
}

/// A directory with a `mod_wsgi` package and a `.pth` file, for the front of `sys.path`.
fn path_entry() -> PathBuf {
    static ENTRY: OnceLock<PathBuf> = OnceLock::new();
    let make = || {
        let entry = directory().join("path");
        std::fs::create_dir_all(entry.join("mod_wsgi/express")).unwrap();
        std::fs::create_dir_all(entry.join("more")).unwrap();
        std::fs::write(entry.join("mod_wsgi/__init__.py"), "raise RuntimeError('run')").unwrap();
        std::fs::write(entry.join("mod_wsgi/express/__init__.py"), "here = True").unwrap();
        std::fs::write(entry.join("more.pth"), "more\n").unwrap();
        entry
    };
    ENTRY.get_or_init(make).clone()
}

/// A directory for the whole test run, in the target directory.
fn directory() -> &'static PathBuf {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(|| tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap().keep())
}

/// A script file that no other test has.
fn script(source: &str) -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let path = directory().join(format!("app{number}.wsgi"));
    std::fs::write(&path, source).unwrap();
    path
}

/// The record of an exchange.
#[derive(Debug, Default)]
struct Seen {
    status: String,
    headers: Vec<(String, String)>,
    pieces: Vec<Vec<u8>>,
    /// Offset and length of each file that was sent.
    files: Vec<(u64, u64)>,
    log: Vec<(Level, String)>,
    /// File and line that each record in `log` comes from.
    sources: Vec<(String, u32)>,
    /// Sizes of the buffers that the body was read into.
    reads: Vec<usize>,
}

/// A server in memory.
#[derive(Default)]
struct Memory {
    seen: Arc<Mutex<Seen>>,
    body: VecDeque<Result<Vec<u8>, BodyError>>,
    /// Pieces that are taken before the client goes away.
    takes: Option<usize>,
    record: Option<NonZeroUsize>,
}

impl Memory {
    fn take(&mut self) -> Result<(), Gone> {
        match &mut self.takes {
            Some(0) => Err(Gone),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl Exchange for Memory {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, BodyError> {
        self.seen.lock().unwrap().reads.push(buffer.len());
        if buffer.is_empty() {
            return Ok(0);
        }
        let Some(piece) = self.body.pop_front() else { return Ok(0) };
        let mut piece = piece?;
        let count = piece.len().min(buffer.len());
        let rest = piece.split_off(count);
        buffer[..count].copy_from_slice(&piece);
        if !rest.is_empty() {
            self.body.push_front(Ok(rest));
        }
        Ok(count)
    }

    fn head(
        &mut self,
        status: &ResponseStatus,
        headers: &[(Vec<u8>, Vec<u8>)],
    ) -> Result<(), Gone> {
        self.take()?;
        let text = |bytes: &[u8]| bytes.iter().copied().map(char::from).collect::<String>();
        let mut seen = self.seen.lock().unwrap();
        assert!(seen.status.is_empty(), "the head is sent twice");
        seen.status = text(&status.line);
        seen.headers = headers.iter().map(|(name, value)| (text(name), text(value))).collect();
        Ok(())
    }

    fn data(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        self.take()?;
        let mut seen = self.seen.lock().unwrap();
        assert!(!seen.status.is_empty(), "data before the head");
        seen.pieces.push(bytes.to_vec());
        Ok(())
    }

    fn file(&mut self, file: BorrowedFd<'_>, offset: u64, length: u64) -> Result<(), Gone> {
        self.take()?;
        let mut seen = self.seen.lock().unwrap();
        seen.files.push((offset, length));
        let mut bytes = vec![0; usize::try_from(length).unwrap()];
        let file = std::fs::File::from(file.try_clone_to_owned().unwrap());
        file.read_exact_at(&mut bytes, offset).unwrap();
        seen.pieces.push(bytes);
        Ok(())
    }

    fn scoreboard(&mut self) -> Option<ScoreboardSnapshot> {
        Some(board(1))
    }

    fn apache_request(&self) -> Option<NonZeroUsize> {
        self.record
    }

    fn log(&mut self, line: LogLine<'_>) {
        assert!(!line.text.contains(&b'\n'), "one line each");
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let mut seen = self.seen.lock().unwrap();
        seen.log.push((line.level, text(line.text)));
        seen.sources.push((text(line.source.file), line.source.line));
    }
}

/// A scoreboard with one child.
fn board(pid: u32) -> ScoreboardSnapshot {
    let (client, request) = (b"127.0.0.1".to_vec(), b"GET /\xe4 HTTP/1.1".to_vec());
    let (start_time, stop_time, last_used) = (1_500_000, 2_500_000, 2_750_000);
    let worker = scoreboard::ScoreboardWorker {
        generation: 3,
        status: 4,
        access_count: 7,
        bytes_served: 1 << 40,
        start_time,
        stop_time,
        last_used,
        client,
        request,
        vhost: b"www:80".to_vec(),
    };
    let workers = vec![worker, scoreboard::ScoreboardWorker::default()];
    ScoreboardSnapshot {
        server_limit: 16,
        thread_limit: 64,
        generation: 3,
        restart_time: 1_000_000,
        current_time: 4_500_000,
        processes: vec![scoreboard::ScoreboardProcess {
            pid,
            generation: 3,
            quiescing: true,
            workers,
        }],
    }
}

/// A request to be made.
struct Ask {
    script: PathBuf,
    group: &'static str,
    main: bool,
    daemon: bool,
    reloading: bool,
    environ: Vec<(&'static str, &'static str)>,
    first: &'static [u8],
    rest: Option<VecDeque<Result<Vec<u8>, BodyError>>>,
    takes: Option<usize>,
    record: Option<NonZeroUsize>,
    log_level: Level,
}

impl Ask {
    /// A request for an application in the main interpreter of the daemon engine.
    fn of(source: &str) -> Self {
        Self::at(script(source))
    }

    fn at(script: PathBuf) -> Self {
        Self {
            script,
            group: "",
            main: false,
            daemon: true,
            reloading: false,
            environ: Vec::new(),
            first: b"",
            rest: None,
            takes: None,
            record: None,
            log_level: Level::Trace1,
        }
    }

    fn group(mut self, group: &'static str) -> Self {
        self.group = group;
        self
    }

    fn embedded(mut self) -> Self {
        self.daemon = false;
        self
    }

    fn reloading(mut self) -> Self {
        self.reloading = true;
        self
    }

    fn environ(mut self, name: &'static str, value: &'static str) -> Self {
        self.environ.push((name, value));
        self
    }

    fn body(mut self, first: &'static [u8]) -> Self {
        self.first = first;
        self
    }

    fn rest(mut self, pieces: &[&[u8]]) -> Self {
        self.rest = Some(pieces.iter().map(|piece| Ok(piece.to_vec())).collect());
        self
    }

    fn breaks(mut self) -> Self {
        let error = BodyError { fault: BodyFault::Gone, text: "connection reset".to_owned() };
        self.rest.get_or_insert_default().push_back(Err(error));
        self
    }

    fn takes(mut self, pieces: usize) -> Self {
        self.takes = Some(pieces);
        self
    }

    fn record(mut self, address: usize) -> Self {
        self.record = NonZeroUsize::new(address);
        self
    }

    fn log_level(mut self, level: Level) -> Self {
        self.log_level = level;
        self
    }

    /// Lends the request to `work`.
    fn with_request<R>(&self, work: impl FnOnce(&RequestHead<'_>) -> R) -> R {
        let mut environ = Vec::new();
        let pairs = self.environ.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        wsgi::protocol::codec::Writer::new(&mut environ).pairs(pairs);
        let request = RequestHead {
            script: self.script.as_os_str().as_encoded_bytes(),
            process_group: if self.daemon { b"site" } else { b"" },
            application_group: self.group.as_bytes(),
            main_interpreter: self.main,
            callable: b"application",
            script_reloading: self.reloading,
            script_modified: 0,
            ignore_activity: false,
            attempts: wsgi::protocol::request::Attempts { connects: 3, restarts: 2 },
            log_level: self.log_level.number(),
            request_start: 1_500_000,
            queue_start: if self.daemon { 2_500_000 } else { 0 },
            environ: wsgi::protocol::codec::Reader::new(&environ).pairs().unwrap(),
            body: self.first,
            body_behind: 0,
            body_rest: if self.rest.is_some() { BodyRest::Pull } else { BodyRest::None },
        };
        work(&request)
    }

    fn run(mut self) -> Reply {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let exchange = Memory {
            seen: Arc::clone(&seen),
            body: self.rest.as_mut().map(std::mem::take).unwrap_or_default(),
            takes: self.takes,
            record: self.record,
        };
        let process = process();
        let engine = if self.daemon { &process.daemon } else { &process.embedded };
        let exchange = Box::new(exchange);
        let control = Control::default();
        let (outcome, exchange) =
            self.with_request(|request| engine.handle(request, exchange, &control));
        drop(exchange);
        let seen = Arc::into_inner(seen).expect("the exchange came back").into_inner().unwrap();
        Reply { outcome, seen }
    }
}

/// How a request ended.
#[derive(Debug)]
struct Reply {
    outcome: Outcome,
    seen: Seen,
}

impl Reply {
    /// The body of a response that must be complete.
    #[track_caller]
    fn text(&self) -> String {
        assert_eq!(self.outcome, Outcome::Complete, "{:#?}", self.seen);
        self.body()
    }

    fn body(&self) -> String {
        String::from_utf8_lossy(&self.seen.pieces.concat()).into_owned()
    }

    fn logged(&self, text: &str) -> bool {
        self.seen.log.iter().any(|(_, line)| line.contains(text))
    }

    /// The request's log lines, without levels.
    fn log(&self) -> Vec<&str> {
        self.seen.log.iter().map(|(_, line)| line.as_str()).collect()
    }
}

/// An application that answers with what `body` (an expression of `environ`) says.
fn says(body: &str) -> String {
    format!(
        "def application(environ, start_response):\n\
         \x20   start_response('200 OK', [])\n\
         \x20   return [str({body}).encode()]\n"
    )
}

/// Runs a test in a process of its own, because it changes what all others share.
#[track_caller]
fn alone(name: &str, test: impl FnOnce()) {
    const MARK: &str = "ENGINE_TEST_ALONE";
    if std::env::var_os(MARK).is_some() {
        return test();
    }
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(MARK, "1")
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && out.contains(" 1 passed"), "{out}{error}");
}

/// Reads a file that an application wrote.
fn read(path: &PathBuf) -> String {
    let mut text = String::new();
    std::fs::File::open(path).unwrap().read_to_string(&mut text).unwrap();
    text
}
