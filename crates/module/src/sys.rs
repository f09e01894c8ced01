//! What only the C interfaces of the linker, the kernel and the engine offer.
#![allow(unsafe_code, reason = "the one file of this crate that talks to C without a wrapper")]

mod states;

use core::ffi::{CStr, c_char, c_int, c_void};
use std::ffi::{CString, OsStr, OsString};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use httpd::{CommandTable, ErrorLog, Order, Record};
use wsgi::level::Level;
use wsgi::protocol::embed_abi::{
    Api, EmbedOutcome, ErrorText, Host, Line, SYMBOL, Server as ServerCalls, Take,
};
use wsgi::protocol::log_line::{LogLine, Source};

use crate::SOURCE_NAME;
use crate::Wsgi;
use crate::config::store;
use crate::embedded;
use crate::log_line;

pub(crate) use states::States;

static COMMANDS: CommandTable<{ store::COUNT + 1 }> = CommandTable::new::<Wsgi>(&store::commands());

/// The record that `LoadModule wsgi_module` looks for.
// SAFETY: httpd's modules are found by this name, and no other object in this library has it.
#[unsafe(no_mangle)]
static wsgi_module: Record<Wsgi> = Record::new(SOURCE_NAME, &COMMANDS);

/// The exported record.
pub(crate) fn record() -> &'static Record<Wsgi> {
    &wsgi_module
}

/// Script aliases come behind mod_alias's and before what maps everything.
pub(crate) const TRANSLATE_ORDER: Order = Order {
    after: &[c"mod_alias.c".as_ptr(), core::ptr::null()],
    before: &[c"mod_userdir.c".as_ptr(), c"mod_vhost_alias.c".as_ptr(), core::ptr::null()],
};

/// Access scripts come behind mod_ssl, which may refuse the connection, and before what asks for hosts.
pub(crate) const ACCESS_ORDER: Order = Order {
    after: &[c"mod_ssl.c".as_ptr(), core::ptr::null()],
    before: &[c"mod_authz_host.c".as_ptr(), core::ptr::null()],
};

/// A constant text with its end mark as a C string.
pub(crate) const fn c_text(text: &'static str) -> &'static CStr {
    match CStr::from_bytes_with_nul(text.as_bytes()) {
        Ok(text) => text,
        Err(_) => panic!("the text ends with its only NUL"),
    }
}

/// Sets variables in the environment of this process.
pub(crate) fn set_variables(variables: &[(&str, String)]) {
    for (name, value) in variables {
        // SAFETY: called in httpd's parent, or in a child that has just begun: neither has other threads
        // that could read the environment meanwhile.
        unsafe { std::env::set_var(name, value) };
    }
}

/// Takes variables out of the environment of this process.
pub(crate) fn remove_variables(names: &[&str]) {
    for name in names {
        // SAFETY: as above.
        unsafe { std::env::remove_var(name) };
    }
}

/// Does something while variables are set in the environment of this process, which is httpd's parent;
/// afterwards they are as before.
pub(crate) fn with_variables<R>(variables: &[(&str, String)], act: impl FnOnce() -> R) -> R {
    let before: Vec<_> =
        variables.iter().map(|(name, _)| (*name, std::env::var_os(name))).collect();
    set_variables(variables);
    let result = act();
    for (name, value) in before {
        match value {
            // SAFETY: as above.
            Some(value) => unsafe { std::env::set_var(name, value) },
            None => remove_variables(&[name]),
        }
    }
    result
}

/// Whether a program that finds this locale in its environment speaks C: no other is asked for, or the
/// one that is asked for is not installed.
pub(crate) fn speaks_c(locale: Option<OsString>) -> bool {
    let Some(name) = locale.and_then(|name| CString::new(name.into_vec()).ok()) else {
        return true;
    };
    matches!(name.to_bytes(), b"C" | b"POSIX") || !has_locale(&name)
}

/// Whether a locale is installed.
pub(crate) fn has_locale(name: &CStr) -> bool {
    // SAFETY: the name is a C string, and what is made is freed below; the process's own locale stays.
    unsafe {
        let made = libc::newlocale(libc::LC_CTYPE_MASK, name.as_ptr(), core::ptr::null_mut());
        if !made.is_null() {
            libc::freelocale(made);
        }
        !made.is_null()
    }
}

/// Lets a process that is forked while other threads allocate use the heap. May be called again, by
/// the parent, which has one thread.
pub(crate) fn keep_heap_over_forks() {
    // SAFETY: the function registers its handlers once and for all; this library is never unloaded,
    // so their addresses stay valid. No other thread allocates meanwhile.
    unsafe { dlmalloc::enable_alloc_after_fork() };
}

/// The directory that this library was loaded from.
pub(crate) fn own_directory() -> PathBuf {
    // SAFETY: the address is one in this library; the linker fills in the structure, whose file
    // name lives as long as the library.
    let path = unsafe {
        let mut info: libc::Dl_info = core::mem::zeroed();
        let found = libc::dladdr((&raw const wsgi_module).cast(), &raw mut info);
        (found != 0 && !info.dli_fname.is_null()).then(|| CStr::from_ptr(info.dli_fname))
    };
    let path = path.map(|path| Path::new(OsStr::from_bytes(path.to_bytes())));
    let path = path.and_then(|path| path.canonicalize().ok()).unwrap_or_default();
    path.parent().map(Path::to_owned).unwrap_or_default()
}

/// Makes `command` find these descriptors under the numbers from 3 on.
pub(crate) fn hand_on(command: &mut Command, descriptors: &[BorrowedFd<'_>]) {
    // Copies above every number that is wanted, so that none is overwritten before it is used.
    let above = RawFd::try_from(descriptors.len()).unwrap_or(RawFd::MAX).saturating_add(64);
    let copies: Vec<OwnedFd> = descriptors
        .iter()
        // SAFETY: the call makes a new descriptor, or a negative number, which is left out.
        .map(|from| unsafe { libc::fcntl(from.as_raw_fd(), libc::F_DUPFD_CLOEXEC, above) })
        .filter(|copy| *copy >= 0)
        // SAFETY: nobody else owns the new descriptor.
        .map(|copy| unsafe { OwnedFd::from_raw_fd(copy) })
        .collect();
    let complete = copies.len() == descriptors.len();
    let place_all = move || {
        for (place, copy) in (3..).zip(&copies) {
            // SAFETY: both are numbers of the new process, which runs nothing else yet.
            if unsafe { libc::dup2(copy.as_raw_fd(), place) } < 0 {
                return Err(std::io::Error::last_os_error());
            }
        }
        if complete { Ok(()) } else { Err(std::io::Error::from_raw_os_error(libc::EMFILE)) }
    };
    // SAFETY: between fork and exec only `dup2` is called.
    unsafe { command.pre_exec(place_all) };
}

/// Has the kernel end this process when its parent, which must be `parent`, ends. The threaded MPMs
/// hear of their end through a pipe of the parent's, and pay no heed to any signal but this one.
pub(crate) fn end_with_parent(parent: u32) {
    // SAFETY: the calls set and read attributes of this process.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        if std::os::unix::process::parent_id() != parent {
            libc::raise(libc::SIGKILL);
        }
    }
}

/// Tells `wsgid`, which is a child of this process and was not waited for, that httpd uses another
/// configuration by now.
pub(crate) fn retire(pid: i32) {
    // SAFETY: the call takes numbers. Until its end was noticed, nothing else gets its id.
    unsafe { libc::kill(pid, libc::SIGUSR2) };
}

/// Waits until the process `pid` has ended, but not longer than `patience`. Whoever is responsible
/// for its exit status still gets it.
pub(crate) fn wait_for_end(pid: i32, patience: Duration) {
    // SAFETY: the call makes a new descriptor, or a negative number.
    let descriptor = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let Some(descriptor) = RawFd::try_from(descriptor).ok().filter(|number| *number >= 0) else {
        return look_for_end(pid, patience);
    };
    // SAFETY: nobody else owns the new descriptor.
    let process = unsafe { OwnedFd::from_raw_fd(descriptor) };
    let mut watched = libc::pollfd { fd: process.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    let timeout = c_int::try_from(patience.as_millis()).unwrap_or(c_int::MAX);
    // SAFETY: one structure, as the number says.
    unsafe { libc::poll(&raw mut watched, 1, timeout) };
}

/// How many bytes that were written to a Unix socket have not been read at its other end.
pub(crate) fn unread(socket: BorrowedFd<'_>) -> usize {
    let mut count: c_int = 0;
    // SAFETY: the request writes one number to the place it is given.
    unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut count) };
    usize::try_from(count).unwrap_or(0)
}

/// [`wait_for_end`] for kernels before 5.3, which have no descriptors of processes.
fn look_for_end(pid: i32, patience: Duration) {
    let deadline = Instant::now() + patience;
    // SAFETY: all fields of the structure are numbers, for which zero is a value; the call writes it, and
    // leaves the process to whoever reaps it.
    let lives = || unsafe {
        let mut found: libc::siginfo_t = core::mem::zeroed();
        let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        let id = libc::id_t::try_from(pid).unwrap_or_default();
        libc::waitid(libc::P_PID, id, &raw mut found, flags) == 0 && found.si_pid() == 0
    };
    while Instant::now() < deadline && lives() {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether Python has been started in this process, by whomever.
pub(crate) fn python_runs() -> bool {
    type IsInitialized = unsafe extern "C" fn() -> c_int;
    // SAFETY: CPython declares the function so, and it may be called at any time.
    unsafe {
        let address = libc::dlsym(libc::RTLD_DEFAULT, c"Py_IsInitialized".as_ptr());
        !address.is_null() && core::mem::transmute::<*mut c_void, IsInitialized>(address)() != 0
    }
}

/// Loads Python's library and the engine into this process. Where Python runs already, its library is
/// the one that is used.
pub(crate) fn load(library: &Path, engine: &Path) -> Result<LoadedEngine, String> {
    // Python's extension modules take their symbols from whoever has them, so these must be visible.
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
    // SAFETY: loading runs the library's own start-up code; both are ours or the configured Python's.
    // The libraries stay for the life of the process.
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

/// What the engine may do to a request while it serves it.
pub(crate) trait Serve {
    /// httpd's record of the request, if the application may see it; else null.
    fn record(&self) -> *mut c_void;
    /// Reads from the body into `place`; a negative number is a fault (see [`wsgi::protocol::embed_abi`]).
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
        // SAFETY: the table is valid for the life of the process, and this is the thread that forked.
        unsafe { (self.0.after_fork)() }
    }

    /// Makes it ready for requests; `spec` is a [`wsgi::process::plan::EmbeddedSpec`] as JSON.
    pub(crate) fn start(self, spec: &[u8]) -> Result<(), String> {
        let level = httpd::main_server(|server| server.log_level(record().index()));
        let server = ServerCalls {
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
    pub(crate) fn handle<S: Serve>(self, request: &mut S, payload: &[u8]) -> EmbedOutcome {
        let host = host_of(request);
        let context = core::ptr::from_mut(request).cast();
        // SAFETY: host, context and payload outlive the call, after which the engine uses none of
        // them; `request` is not touched meanwhile but through the functions of the host.
        let code =
            unsafe { (self.0.handle)(&raw const host, context, payload.as_ptr(), payload.len()) };
        EmbedOutcome::from_code(code)
    }

    /// Has the engine ask a hook; `payload` is that of a question frame. Gives the payload of an answer
    /// frame; `None` if there is none, which the log of the request has been told.
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
    // What the callback was doing to the request is over either way, and the answer says it failed.
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(callback)).unwrap_or(otherwise)
}

// The engine calls the six functions below with the context that `handle` or `ask` gave it, and with pointers
// to as many bytes as it says, during that call, one at a time.

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
    if let Some(board) = guarded(None, embedded::scoreboard) {
        // SAFETY: see above; the bytes live during the call.
        unsafe { take(receiver, board.as_ptr(), board.len()) };
    }
}
