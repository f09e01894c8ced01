//! What only the C interfaces of CPython's loader, the kernel and httpd's side of the contract offer.
#![allow(unsafe_code, reason = "the one file of this crate that talks to C without a wrapper")]

mod malloc;

use core::ffi::c_void;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use engine::ServerLog;
use nix::fcntl::FdFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use python::module::Definition;
use wsgi::level::Level;
use wsgi::protocol::embed_abi::{
    Api, ErrorText, Host, Line, ReadScoreboardFn, Server, ServerLogFn, Take, fault_from_code,
};
use wsgi::protocol::frame::BodyFault;
use wsgi::protocol::log_line::LogLine;
use wsgi::protocol::scoreboard::Scoreboard;

use crate::Extension;
use crate::embedded;

pub(crate) use malloc::{reserve_free_chunks, trim_heap};

static EXTENSION: Definition<Extension> = Definition::new();

/// What CPython looks for when it loads this library as the module `_mod_wsgi`.
// SAFETY: the name is CPython's rule for the module's name, and no other object has it.
#[unsafe(no_mangle)]
extern "C" fn PyInit__mod_wsgi() -> *mut c_void {
    EXTENSION.init().cast()
}

/// Takes a descriptor that `wsgid` has left open for this process; programs that it executes do not
/// get it.
pub(crate) fn inherited(number: RawFd) -> Result<OwnedFd, String> {
    // SAFETY: the numbers are those of the contract with wsgid (`wsgi::process::plan::descriptor`), each is
    // taken once, and one that is not open is noticed by the call below.
    let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
    match nix::fcntl::fcntl(&descriptor, nix::fcntl::FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)) {
        Ok(_) => Ok(descriptor),
        Err(error) => {
            // Not ours to close.
            let _ = descriptor.into_raw_fd();
            Err(format!("descriptor {number} is not open ({error}); serve() is for wsgid alone"))
        }
    }
}

/// Whether nothing can come any more on a socket: its other end is closed, or its receiving side was shut
/// down.
pub(crate) fn has_ended(socket: BorrowedFd<'_>) -> bool {
    let mut watched = libc::pollfd { fd: socket.as_raw_fd(), events: libc::POLLRDHUP, revents: 0 };
    // SAFETY: one structure, as the number says; the call does not wait.
    unsafe { libc::poll(&raw mut watched, 1, 0) };
    watched.revents & libc::POLLRDHUP != 0
}

/// Has the kernel end this process when its parent ends, which is or will be the process with the id
/// `parent`. Called again after a fork, which forgets it.
pub(crate) fn end_with(parent: u32) {
    // Whoever forked us ends within moments; its end must not be mistaken for that of `parent`.
    let between = std::os::unix::process::parent_id();
    if between != parent {
        wait_for_end(between);
    }
    if std::os::unix::process::parent_id() != parent {
        // It is gone; the end of the control socket says so too.
        return;
    }
    // SAFETY: the call sets an attribute of this process. Where it is not heeded, the end of the control socket
    // to the parent still says the same.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) };
}

/// Waits until the process has ended and its children have got another parent, but not for ever.
fn wait_for_end(id: u32) {
    // SAFETY: the call makes a new descriptor, or a negative number where there is no such process any
    // more.
    let number = unsafe { libc::syscall(libc::SYS_pidfd_open, id, 0) };
    let Some(number) = RawFd::try_from(number).ok().filter(|number| *number >= 0) else {
        // Kernels before 5.3 have no such descriptors; the process ends within moments.
        let looks = 0..1000;
        looks.take_while(|_| std::os::unix::process::parent_id() == id).for_each(|_| {
            std::thread::sleep(std::time::Duration::from_millis(1));
        });
        return;
    };
    // SAFETY: nobody else owns the new descriptor.
    let process = unsafe { OwnedFd::from_raw_fd(number) };
    // Readable once it has ended, which is after its children were given away.
    let _ =
        poll(&mut [PollFd::new(process.as_fd(), PollFlags::POLLIN)], PollTimeout::from(1000u16));
}

/// How many threads this process has.
pub(crate) fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count)
}

static SIGNALS: AtomicI32 = AtomicI32::new(-1);
static OWNER: AtomicI32 = AtomicI32::new(0);

/// Exit status of a process that the application forked and that gets one of our signals, or comes back
/// from the request.
pub(crate) const FOREIGN: i32 = 255;

/// Has the numbers of the signals that a worker acts upon written into a stream, whose other end is
/// returned.
pub(crate) fn catch_signals() -> Result<UnixStream, String> {
    let failed = |error: &dyn std::fmt::Display| format!("WSGI0090: signals: {error}");
    let (ours, theirs) = UnixStream::pair().map_err(|error| failed(&error))?;
    theirs.set_nonblocking(true).map_err(|error| failed(&error))?;
    OWNER.store(nix::unistd::getpid().as_raw(), Ordering::Relaxed);
    SIGNALS.store(theirs.into_raw_fd(), Ordering::Relaxed);
    let action =
        SigAction::new(SigHandler::Handler(on_signal), SaFlags::SA_RESTART, SigSet::empty());
    let end = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGUSR1, Signal::SIGXCPU];
    for signal in end.into_iter().chain([Signal::SIGHUP, Signal::SIGUSR2]) {
        // SAFETY: the handler does nothing but what a handler may do.
        unsafe { sigaction(signal, &action) }.map_err(|error| failed(&error))?;
    }
    Ok(ours)
}

extern "C" fn on_signal(number: libc::c_int) {
    // SAFETY: getpid, write and _exit may be called in a handler; errno is put back.
    unsafe {
        if libc::getpid() != OWNER.load(Ordering::Relaxed) {
            libc::_exit(FOREIGN);
        }
        let errno = *libc::__errno_location();
        // The signals that are caught here have small numbers.
        let byte = number.to_le_bytes();
        libc::write(SIGNALS.load(Ordering::Relaxed), byte.as_ptr().cast(), 1);
        *libc::__errno_location() = errno;
    }
}

/// The worker that this process was forked from, if an application has done that: such a process is no
/// worker.
pub(crate) fn forked_from() -> Option<i32> {
    let owner = OWNER.load(Ordering::Relaxed);
    (owner != 0 && nix::unistd::getpid().as_raw() != owner).then_some(owner)
}

/// The signal that has a thread's stack written (`stacks`): one that hardly anybody else uses.
pub(crate) fn stack_signal() -> libc::c_int {
    libc::SIGRTMAX() - 7
}

/// Sends a signal to a thread of this process. One that has ended meanwhile gets none.
pub(crate) fn signal_thread(thread: nix::unistd::Pid, signal: libc::c_int) {
    let process = nix::unistd::getpid().as_raw();
    // SAFETY: the call takes numbers; the process is this one, so nobody else is hit.
    unsafe { libc::syscall(libc::SYS_tgkill, process, thread.as_raw(), signal) };
}

/// Ends the process at once: no destructors, no `atexit` of C.
pub(crate) fn exit_now(status: i32) -> ! {
    // SAFETY: it does not return, so nothing sees what was left half done.
    unsafe { libc::_exit(status) }
}

/// Sets the name that `ps` shows. The process was started with a long command line, which is written
/// over; Python has copied what it needs of it.
pub(crate) fn set_title(title: &str) {
    let Some((first, behind)) = argument_area() else { return };
    let room = behind - first;
    if room == 0 {
        return;
    }
    // SAFETY: the kernel says that the arguments of this process lie there; they are writable
    // memory of the stack, and nobody else looks at them any more.
    unsafe {
        let place = core::slice::from_raw_parts_mut(first as *mut u8, room);
        place.fill(0);
        let length = title.len().min(room - 1);
        place[..length].copy_from_slice(&title.as_bytes()[..length]);
    }
}

/// Where the arguments lie: fields 48 and 49 of `/proc/self/stat`.
fn argument_area() -> Option<(usize, usize)> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is a name that may hold anything, up to the last parenthesis.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut numbers = fields.split_ascii_whitespace().skip(45).map(str::parse);
    let (first, behind) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    (first > 0 && behind > first).then_some((first, behind))
}

/// What httpd's side offers for one request.
#[derive(Clone, Copy)]
pub(crate) struct HostCalls {
    host: Host,
    context: *mut c_void,
}

// SAFETY: the contract allows the functions to be called by any thread, one at a time; the engine has
// them behind a lock, and gives the exchange back before the request ends.
unsafe impl Send for HostCalls {}

impl HostCalls {
    /// The address of httpd's record of the request, if the application may see it.
    pub(crate) fn record(&self) -> Option<NonZeroUsize> {
        NonZeroUsize::new(self.host.record.expose_provenance())
    }

    /// Reads from the request's body.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, BodyFault> {
        // SAFETY: (of this and the functions below) the request is being served, so the context is
        // valid, and the pointers lead to as many bytes as is said.
        let count = unsafe { (self.host.read)(self.context, buffer.as_mut_ptr(), buffer.len()) };
        usize::try_from(count).map_err(|_| fault_from_code(count))
    }

    /// Sends the head; false if the client is gone.
    pub(crate) fn head(&mut self, payload: &[u8]) -> bool {
        // SAFETY: see above.
        unsafe { (self.host.head)(self.context, payload.as_ptr(), payload.len()) == 0 }
    }

    /// Sends a piece of the body; false if the client is gone.
    pub(crate) fn data(&mut self, bytes: &[u8]) -> bool {
        // SAFETY: see above.
        unsafe { (self.host.data)(self.context, bytes.as_ptr(), bytes.len()) == 0 }
    }

    /// Sends a part of a file; false if the client is gone.
    pub(crate) fn file(&mut self, file: BorrowedFd<'_>, offset: u64, length: u64) -> bool {
        // SAFETY: see above; the descriptor is open.
        unsafe { (self.host.file)(self.context, file.as_raw_fd(), offset, length) == 0 }
    }

    /// The value of a variable of mod_ssl's, if it has one.
    pub(crate) fn variable(&mut self, name: &[u8]) -> Option<Vec<u8>> {
        let mut value: Option<Vec<u8>> = None;
        let receiver = (&raw mut value).cast();
        // SAFETY: see above; the receiver is what `take_bytes` wants.
        unsafe {
            (self.host.variable)(self.context, name.as_ptr(), name.len(), take_bytes, receiver);
        }
        value
    }

    /// Writes a line into the request's error log.
    pub(crate) fn log(&mut self, line: &LogLine<'_>) {
        let line = Line::of(line);
        // SAFETY: see above.
        unsafe { (self.host.log)(self.context, &raw const line) }
    }
}

/// httpd's main error log, as a function of httpd's side.
struct HostLog {
    write: ServerLogFn,
    most: u8,
}

impl ServerLog for HostLog {
    fn logs(&self, level: Level) -> bool {
        level.number() <= self.most
    }

    fn write(&self, line: LogLine<'_>) {
        let line = Line::of(&line);
        // SAFETY: the function is httpd's and stays for the life of the process; the line is lent.
        unsafe { (self.write)(&raw const line) }
    }
}

/// httpd's scoreboard, as a function of httpd's side.
fn host_scoreboard(read: ReadScoreboardFn) -> engine::ReadScoreboard {
    Arc::new(move || {
        let mut board: Option<Vec<u8>> = None;
        // SAFETY: the function is httpd's and stays for the life of the process; the receiver is
        // what `take_bytes` wants.
        unsafe { read(take_bytes, (&raw mut board).cast()) };
        board.and_then(|board| Scoreboard::decode(&board).ok())
    })
}

/// # Safety
/// Called by httpd's side with a receiver of this side's and as many bytes as it says.
unsafe extern "C" fn take_bytes(receiver: *mut c_void, bytes: *const u8, length: usize) {
    // SAFETY: see above.
    let (place, bytes) = unsafe {
        (&mut *receiver.cast::<Option<Vec<u8>>>(), core::slice::from_raw_parts(bytes, length))
    };
    *place = Some(bytes.to_vec());
}

/// What embedded mode finds here: see [`wsgi::protocol::embed_abi::SYMBOL`].
// SAFETY: the name is that of the contract, and no other object has it.
#[unsafe(no_mangle)]
static dormouse_embed_4: Api = Api {
    initialize: api_initialize,
    after_fork: api_after_fork,
    start: api_start,
    handle: api_handle,
    ask: api_ask,
    shutdown: api_shutdown,
};

/// # Safety
/// Called by httpd's side as [`wsgi::protocol::embed_abi::Initialize`] says.
unsafe extern "C" fn api_initialize(
    python: *const u8,
    length: usize,
    error: *mut ErrorText,
) -> i32 {
    // SAFETY: see above.
    let (python, error) = unsafe { (core::slice::from_raw_parts(python, length), &mut *error) };
    outcome(error, || embedded::initialize(python))
}

extern "C" fn api_after_fork() {
    // A panic has been reported; the process serves on with the state of its parent.
    let _ = crate::panics::caught(embedded::after_fork);
}

/// # Safety
/// Called by httpd's side as [`wsgi::protocol::embed_abi::Start`] says.
unsafe extern "C" fn api_start(
    spec: *const u8,
    length: usize,
    server: Server,
    error: *mut ErrorText,
) -> i32 {
    // SAFETY: see above.
    let (spec, error) = unsafe { (core::slice::from_raw_parts(spec, length), &mut *error) };
    outcome(error, || {
        let log = HostLog { write: server.log, most: server.log_level };
        let log: Arc<dyn ServerLog> = Arc::new(log);
        embedded::start(spec, &log, host_scoreboard(server.scoreboard))
    })
}

/// 0, or 1 with the reason in `error`.
fn outcome(error: &mut ErrorText, work: impl FnOnce() -> Result<(), String>) -> i32 {
    match crate::panics::caught(work).and_then(|result| result) {
        Ok(()) => 0,
        Err(text) => {
            error.set(&text);
            1
        }
    }
}

/// # Safety
/// Called by httpd's side as [`Api::handle`] says.
unsafe extern "C" fn api_handle(
    host: *const Host,
    context: *mut c_void,
    payload: *const u8,
    length: usize,
) -> i32 {
    // SAFETY: see above.
    let (host, payload) = unsafe { (*host, core::slice::from_raw_parts(payload, length)) };
    embedded::handle(HostCalls { host, context }, payload).code()
}

/// # Safety
/// Called by httpd's side as [`Api::ask`] says.
unsafe extern "C" fn api_ask(
    host: *const Host,
    context: *mut c_void,
    payload: *const u8,
    length: usize,
    take: Take,
    receiver: *mut c_void,
) -> i32 {
    // SAFETY: see above.
    let (host, payload) = unsafe { (*host, core::slice::from_raw_parts(payload, length)) };
    let Some(answer) = embedded::ask(HostCalls { host, context }, payload) else { return 1 };
    // SAFETY: see above; the bytes live during the call.
    unsafe { take(receiver, answer.as_ptr(), answer.len()) };
    0
}

extern "C" fn api_shutdown() {
    embedded::shutdown();
}
