//! The engine in this process: Python's library and the engine are loaded, and called by the
//! contract of [`wsgi::protocol::embed_abi`].

use core::ffi::{CStr, c_char, c_int, c_void};
use std::ffi::CString;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use httpd::ErrorLog;
use wsgi::level::Level;
use wsgi::protocol::embed_abi::{Api, ErrorText, Host, Line, SYMBOL, ServerFunctions, Take};
use wsgi::protocol::log_line::{LogLine, Source};
use wsgi::protocol::outcome::Outcome;

use crate::log_line;
use crate::scoreboard;
use crate::sys::{python_runs, record};

/// Loads Python's library and the engine into this process. Where Python runs already, its library
/// is the one that is used.
pub(crate) fn load(library: &Path, engine: &Path) -> Result<LoadedEngine, String> {
    // Python's extension modules take their symbols from any loaded library, so these must be
    // visible.
    if !python_runs() {
        open(library, libc::RTLD_NOW | libc::RTLD_GLOBAL)?;
    }
    let engine = open(engine, libc::RTLD_NOW | libc::RTLD_LOCAL)?;
    // SAFETY: the handle is live. The symbol's name changes with the contract, so what is found has
    // the type that the contract says; it is a constant of a library that is never unloaded.
    let api = unsafe { libc::dlsym(engine, SYMBOL.as_ptr()).cast::<Api>().as_ref() };
    let name = SYMBOL.to_string_lossy();
    api.map(LoadedEngine)
        .ok_or_else(|| format!("the engine has no {name}; it is of another version"))
}

fn open(path: &Path, flags: c_int) -> Result<*mut c_void, String> {
    let name = CString::new(path.as_os_str().as_bytes()).map_err(|error| error.to_string())?;
    // SAFETY: loading runs the library's own start-up code; both are ours or the configured
    // Python's. The libraries stay for the life of the process.
    unsafe {
        let handle = libc::dlopen(name.as_ptr(), flags);
        if handle.is_null() {
            let error: *const c_char = libc::dlerror();
            let text = if error.is_null() { c"unknown error" } else { CStr::from_ptr(error) };
            return Err(text.to_string_lossy().into_owned());
        }
        Ok(handle)
    }
}

/// The engine, loaded into this process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LoadedEngine(&'static Api);

/// The operations of the engine on a request that it serves.
pub(crate) trait Serve {
    /// httpd's record of the request, if the application may see it; else null.
    fn record(&self) -> *mut c_void;
    /// Reads from the body into `place`; a negative number is a fault (see
    /// [`wsgi::protocol::embed_abi`]).
    fn read(&mut self, place: &mut [u8]) -> isize;
    /// Takes the payload of a head frame; false if the client is gone.
    fn head(&mut self, payload: &[u8]) -> bool;
    /// Sends a piece of the body; false if the client is gone.
    fn data(&mut self, bytes: &[u8]) -> bool;
    /// Sends a part of a file; false if the client is gone.
    fn file(&mut self, file: BorrowedFd<'_>, offset: u64, length: u64) -> bool;
    /// Writes a line into the request's log.
    fn log(&mut self, line: &LogLine<'_>);
    /// The value of a variable of mod_ssl's, if it has one.
    fn variable(&mut self, name: &[u8]) -> Option<Vec<u8>>;
}

impl LoadedEngine {
    /// Starts Python in httpd's parent; `python` is a [`wsgi::process::plan::PythonFacts`] as JSON.
    pub(crate) fn initialize(self, python: &[u8]) -> Result<(), String> {
        let mut error = ErrorText::EMPTY;
        // SAFETY: all pointers lead to as many bytes as is said.
        let code = unsafe { (self.0.initialize)(python.as_ptr(), python.len(), &raw mut error) };
        if code == 0 { Ok(()) } else { Err(error.get()) }
    }

    /// Has Python take note that httpd has forked this process.
    pub(crate) fn after_fork(self) {
        // SAFETY: the table is valid for the life of the process, and this is the thread that
        // forked.
        unsafe { (self.0.after_fork)() }
    }

    /// Makes it ready for requests; `spec` is a [`wsgi::process::plan::EmbeddedSpec`] as JSON.
    pub(crate) fn start(self, spec: &[u8]) -> Result<(), String> {
        let level = httpd::main_server(|server| server.log_level(record().index()));
        let server = ServerFunctions {
            log: server_line,
            log_level: level.unwrap_or_default(),
            scoreboard: server_scoreboard,
        };
        let mut error = ErrorText::EMPTY;
        // SAFETY: all pointers lead to as many bytes as is said.
        let code = unsafe { (self.0.start)(spec.as_ptr(), spec.len(), server, &raw mut error) };
        if code == 0 { Ok(()) } else { Err(error.get()) }
    }

    /// Has the engine serve a request; `payload` is that of a request frame.
    pub(crate) fn handle<S: Serve>(self, request: &mut S, payload: &[u8]) -> Outcome {
        let host = host_of(request);
        let context = core::ptr::from_mut(request).cast();
        // SAFETY: host, context and payload outlive the call, after which the engine uses none of
        // them; `request` is not touched meanwhile but through the functions of the host.
        let code =
            unsafe { (self.0.handle)(&raw const host, context, payload.as_ptr(), payload.len()) };
        Outcome::from_code(code)
    }

    /// Has the engine ask a hook; `payload` is that of a question frame. Gives the payload of an
    /// answer frame; `None` if there is none, which the log of the request has been told.
    pub(crate) fn ask<S: Serve>(self, request: &mut S, payload: &[u8]) -> Option<Vec<u8>> {
        let host = host_of(request);
        let context = core::ptr::from_mut(request).cast();
        let mut answer: Option<Vec<u8>> = None;
        let receiver = (&raw mut answer).cast();
        let (bytes, length) = (payload.as_ptr(), payload.len());
        // SAFETY: as in `handle`; the receiver is what `take_answer` wants.
        let code =
            unsafe { (self.0.ask)(&raw const host, context, bytes, length, take_answer, receiver) };
        answer.filter(|_| code == 0)
    }

    /// Ends the interpreters.
    pub(crate) fn shutdown(self) {
        // SAFETY: the table is valid for the life of the process.
        unsafe { (self.0.shutdown)() }
    }
}

/// The functions of a request, for the engine.
fn host_of<S: Serve>(request: &S) -> Host {
    Host {
        record: request.record(),
        read: host_read::<S>,
        head: host_head::<S>,
        data: host_data::<S>,
        file: host_file::<S>,
        log: host_log::<S>,
        variable: host_variable::<S>,
    }
}

/// Runs a callback of the engine; a panic must not reach it.
fn guarded<R>(otherwise: R, callback: impl FnOnce() -> R) -> R {
    // The callback's work on the request is over either way, and the answer says it failed.
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(callback)).unwrap_or(otherwise)
}

// The engine calls the six functions below with the context that `handle` or `ask` gave it, and
// with pointers to as many bytes as it says, during that call, one at a time.

/// # Safety
/// See above.
unsafe extern "C" fn host_read<S: Serve>(
    context: *mut c_void,
    place: *mut u8,
    length: usize,
) -> isize {
    // SAFETY: see above.
    let (request, place) =
        unsafe { (&mut *context.cast::<S>(), core::slice::from_raw_parts_mut(place, length)) };
    guarded(-1, || request.read(place))
}

/// # Safety
/// See above.
unsafe extern "C" fn host_head<S: Serve>(
    context: *mut c_void,
    payload: *const u8,
    length: usize,
) -> i32 {
    // SAFETY: see above.
    let (request, payload) =
        unsafe { (&mut *context.cast::<S>(), core::slice::from_raw_parts(payload, length)) };
    i32::from(!guarded(false, || request.head(payload)))
}

/// # Safety
/// See above.
unsafe extern "C" fn host_data<S: Serve>(
    context: *mut c_void,
    bytes: *const u8,
    length: usize,
) -> i32 {
    // SAFETY: see above.
    let (request, bytes) =
        unsafe { (&mut *context.cast::<S>(), core::slice::from_raw_parts(bytes, length)) };
    i32::from(!guarded(false, || request.data(bytes)))
}

/// # Safety
/// See above; the descriptor stays open during the call.
unsafe extern "C" fn host_file<S: Serve>(
    context: *mut c_void,
    descriptor: i32,
    offset: u64,
    length: u64,
) -> i32 {
    // SAFETY: see above.
    let (request, file) =
        unsafe { (&mut *context.cast::<S>(), BorrowedFd::borrow_raw(descriptor)) };
    i32::from(!guarded(false, || request.file(file, offset, length)))
}

/// # Safety
/// See above.
unsafe extern "C" fn host_log<S: Serve>(context: *mut c_void, line: *const Line) {
    // SAFETY: see above.
    let (request, line) = unsafe { (&mut *context.cast::<S>(), read_line(line)) };
    guarded((), || request.log(&line));
}

/// # Safety
/// See above; the engine gives a function and what that function takes.
unsafe extern "C" fn host_variable<S: Serve>(
    context: *mut c_void,
    name: *const u8,
    length: usize,
    take: Take,
    receiver: *mut c_void,
) {
    // SAFETY: see above.
    let (request, name) =
        unsafe { (&mut *context.cast::<S>(), core::slice::from_raw_parts(name, length)) };
    if let Some(value) = guarded(None, || request.variable(name)) {
        // SAFETY: see above; the bytes live during the call.
        unsafe { take(receiver, value.as_ptr(), value.len()) };
    }
}

/// # Safety
/// The engine calls it during `ask`, with that call's receiver and as many bytes as it says.
unsafe extern "C" fn take_answer(receiver: *mut c_void, bytes: *const u8, length: usize) {
    // SAFETY: see above.
    let (answer, bytes) = unsafe {
        (&mut *receiver.cast::<Option<Vec<u8>>>(), core::slice::from_raw_parts(bytes, length))
    };
    *answer = Some(bytes.to_vec());
}

/// # Safety
/// The engine calls it with a line that it lends.
unsafe extern "C" fn server_line(line: *const Line) {
    // SAFETY: see above.
    let line = unsafe { read_line(line) };
    guarded((), || {
        httpd::main_server(|server| log_line(&server, &line));
    });
}

/// # Safety
/// The engine lends the line, with as many bytes as it says, for `'l`.
unsafe fn read_line<'l>(line: *const Line) -> LogLine<'l> {
    // SAFETY: see above.
    let (line, file, text) = unsafe {
        let line = *line;
        let file = core::slice::from_raw_parts(line.file, line.file_length);
        (line, file, core::slice::from_raw_parts(line.text, line.text_length))
    };
    let level = Level::from_number(line.level).unwrap_or(Level::Error);
    LogLine { level, source: Source { file, line: line.line }, text }
}

/// # Safety
/// The engine calls it with a function and what that function takes.
unsafe extern "C" fn server_scoreboard(take: Take, receiver: *mut c_void) {
    if let Some(board) = guarded(None, scoreboard::for_embedded) {
        // SAFETY: see above; the bytes live during the call.
        unsafe { take(receiver, board.as_ptr(), board.len()) };
    }
}
