//! This process as the kernel sees it: descriptors, parent, threads, signals, title, end.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use nix::fcntl::FdFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

/// A descriptor of the contract with `wsgid` is not there.
#[derive(Debug, thiserror::Error)]
#[error("descriptor {number} is not open ({error}); serve() is for wsgid alone")]
pub(crate) struct NotInherited {
    number: RawFd,
    error: nix::Error,
}

/// Takes a descriptor that `wsgid` has left open for this process; programs that it executes do not
/// get it.
pub(crate) fn inherited(number: RawFd) -> Result<OwnedFd, NotInherited> {
    // SAFETY: the numbers are those of the contract with wsgid (`wsgi::process::plan::descriptor`),
    // each is taken once, and one that is not open is noticed by the call below.
    let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
    match nix::fcntl::fcntl(&descriptor, nix::fcntl::FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)) {
        Ok(_) => Ok(descriptor),
        Err(error) => {
            // Not ours to close.
            let _ = descriptor.into_raw_fd();
            Err(NotInherited { number, error })
        }
    }
}

/// Whether nothing can come any more on a socket: its other end is closed, or its receiving side
/// was shut down.
pub(crate) fn has_ended(socket: BorrowedFd<'_>) -> bool {
    let mut watched = libc::pollfd { fd: socket.as_raw_fd(), events: libc::POLLRDHUP, revents: 0 };
    // SAFETY: one structure, as the number says; the call does not wait.
    unsafe { libc::poll(&raw mut watched, 1, 0) };
    watched.revents & libc::POLLRDHUP != 0
}

/// Has the kernel end this process when its parent ends, which is or will be the process with the
/// id `parent`. Called again after a fork, which forgets it.
pub(crate) fn end_with(parent: u32) {
    // The process that forked this one ends within moments; its end must not be mistaken for that
    // of `parent`.
    let between = std::os::unix::process::parent_id();
    if between != parent {
        wait_for_end(between);
    }
    if std::os::unix::process::parent_id() != parent {
        // It is gone; the end of the control socket says so too.
        return;
    }
    // SAFETY: the call sets an attribute of this process. Where it is not heeded, the end of the
    // control socket to the parent still says the same.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) };
}

/// Waits until the process has ended and its children have got another parent, but not for ever.
fn wait_for_end(id: u32) {
    // SAFETY: the call makes a new descriptor, or a negative number where there is no such process
    // any more.
    let number = unsafe { libc::syscall(libc::SYS_pidfd_open, id, 0) };
    let Some(number) = RawFd::try_from(number).ok().filter(|number| *number >= 0) else {
        // Kernels before 5.3 have no such descriptors; the process ends within moments.
        let looks = 0..1000;
        looks.take_while(|_| std::os::unix::process::parent_id() == id).for_each(|_| {
            std::thread::sleep(std::time::Duration::from_millis(1));
        });
        return;
    };
    // SAFETY: the new descriptor has no other owner.
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

/// Exit status of a process that the application forked and that gets one of our signals, or comes
/// back from the request.
pub(crate) const FOREIGN: i32 = 255;

/// Has the numbers of the signals that a worker acts upon written into a stream, whose other end is
/// returned.
pub(crate) fn catch_signals() -> std::io::Result<UnixStream> {
    let (ours, theirs) = UnixStream::pair()?;
    theirs.set_nonblocking(true)?;
    OWNER.store(nix::unistd::getpid().as_raw(), Ordering::Relaxed);
    SIGNALS.store(theirs.into_raw_fd(), Ordering::Relaxed);
    let action =
        SigAction::new(SigHandler::Handler(on_signal), SaFlags::SA_RESTART, SigSet::empty());
    let end = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGUSR1, Signal::SIGXCPU];
    for signal in end.into_iter().chain([Signal::SIGHUP, Signal::SIGUSR2]) {
        // SAFETY: the handler does nothing but what a handler may do.
        unsafe { sigaction(signal, &action) }?;
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

/// The worker that this process was forked from, if an application has done that: such a process is
/// no worker.
pub(crate) fn forked_from() -> Option<i32> {
    let owner = OWNER.load(Ordering::Relaxed);
    (owner != 0 && nix::unistd::getpid().as_raw() != owner).then_some(owner)
}

static FORKS: AtomicU32 = AtomicU32::new(0);

/// Has the forks of this process counted from now on.
pub(crate) fn count_forks() {
    extern "C" fn count() {
        FORKS.fetch_add(1, Ordering::Relaxed);
    }
    // SAFETY: the function does nothing but what may be done around a fork, and lives as long as
    // the process: the library is never unloaded.
    unsafe { libc::pthread_atfork(Some(count), None, None) };
}

/// How many times this process has forked, or was about to.
pub(crate) fn forks() -> u32 {
    FORKS.load(Ordering::Relaxed)
}

/// The signal that has a thread's stack written (`stacks`): one that hardly any other code uses.
pub(crate) fn stack_signal() -> libc::c_int {
    libc::SIGRTMAX() - 7
}

/// Sends a signal to a thread of this process. One that has ended meanwhile gets none.
pub(crate) fn signal_thread(thread: nix::unistd::Pid, signal: libc::c_int) {
    let process = nix::unistd::getpid().as_raw();
    // SAFETY: the call takes numbers; the process is this one, so no other process is hit.
    unsafe { libc::syscall(libc::SYS_tgkill, process, thread.as_raw(), signal) };
}

/// Ends the process at once: no destructors, no `atexit` of C.
pub(crate) fn exit_now(status: i32) -> ! {
    // SAFETY: it does not return, so nothing sees what was left half done.
    unsafe { libc::_exit(status) }
}

/// Sets the name that `ps` shows. The process was started with a long command line, which is
/// written over; Python has copied what it needs of it.
pub(crate) fn set_title(title: &str) {
    let Some((first, behind)) = argument_area() else { return };
    let room = behind - first;
    if room == 0 {
        return;
    }
    // SAFETY: the kernel says that the arguments of this process lie there; they are writable
    // memory of the stack, and no other code reads them any more.
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
