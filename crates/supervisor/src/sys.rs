//! Functions that only the operating system's C interface offers.
#![allow(unsafe_code, reason = "the one file of this crate that talks to the kernel without nix")]

mod birth;
mod change;
mod descriptors;
mod states;

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

pub(crate) use birth::{Change, Directory, Task, begin};
pub(crate) use states::States;

/// Descriptors of this process that are handed on are kept above this number, so that putting one
/// in its place never overwrites another.
pub(crate) const ABOVE: RawFd = 64;

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// A handle of the process `pid`, a child that was not reaped; `None` if the kernel (before 5.3)
/// has none.
pub(crate) fn open_process(pid: libc::pid_t) -> Option<OwnedFd> {
    // SAFETY: the call makes a new descriptor, or gives a negative number. It is closed for
    // programs that are executed.
    let descriptor = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let descriptor = RawFd::try_from(descriptor).ok().filter(|descriptor| *descriptor >= 0)?;
    // SAFETY: the new descriptor has no other owner.
    Some(unsafe { std::os::fd::FromRawFd::from_raw_fd(descriptor) })
}

/// Sends a signal to the process behind a handle, if it lives.
pub(crate) fn signal_process(process: BorrowedFd<'_>, signal: nix::sys::signal::Signal) {
    let (number, none) = (signal as libc::c_int, std::ptr::null::<libc::siginfo_t>());
    // SAFETY: without information about the signal the kernel makes its own, as for `kill`.
    unsafe { libc::syscall(libc::SYS_pidfd_send_signal, process.as_raw_fd(), number, none, 0) };
}

/// Ignores a signal.
pub(crate) fn ignore(signal: nix::sys::signal::Signal) -> nix::Result<()> {
    // SAFETY: ignoring runs no code of ours.
    unsafe { nix::sys::signal::signal(signal, nix::sys::signal::SigHandler::SigIgn) }.map(|_| ())
}

/// Replaces standard output, which httpd's parent reads to its end, by the error log.
pub(crate) fn close_ready() {
    // SAFETY: both descriptors are open, and nothing is buffered for standard output.
    unsafe { libc::dup2(libc::STDERR_FILENO, wsgi::process::plan::supervisor_descriptor::READY) };
}

/// Closes every descriptor from `first` on, now: what httpd has left open is not ours.
pub(crate) fn close_inherited(first: RawFd) {
    // SAFETY: called first thing in `main`, before anything in this process owns a descriptor that
    // high.
    unsafe { descriptors::close_from(first) };
}

/// Takes a descriptor that this process was started with, above [`ABOVE`] and not to be inherited.
pub(crate) fn inherited(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: the number is in the contract with whatever has started this process (httpd's parent,
    // or `wsgid` for `wsgid refuse`), which has left it open for us alone; if nothing is open under
    // it the call says so. Each number is taken once.
    unsafe {
        let copy = libc::fcntl(number, libc::F_DUPFD_CLOEXEC, ABOVE + 1);
        check(copy)?;
        libc::close(number);
        Ok(std::os::fd::FromRawFd::from_raw_fd(copy))
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

/// How many bytes wait in a socket or pipe to be read.
pub(crate) fn unread(socket: std::os::fd::BorrowedFd<'_>) -> usize {
    let mut count: libc::c_int = 0;
    // SAFETY: the request writes one number to the place it is given.
    unsafe { libc::ioctl(socket.as_raw_fd(), libc::FIONREAD, &raw mut count) };
    usize::try_from(count).unwrap_or(0)
}

/// A copy of a descriptor, above [`ABOVE`] and not to be inherited.
pub(crate) fn raised(descriptor: &OwnedFd) -> io::Result<OwnedFd> {
    use nix::fcntl::{FcntlArg, fcntl};
    let number = fcntl(descriptor, FcntlArg::F_DUPFD_CLOEXEC(ABOVE + 1))?;
    // SAFETY: the call has just made this descriptor for us.
    Ok(unsafe { std::os::fd::FromRawFd::from_raw_fd(number) })
}

/// Whether a locale is installed.
pub(crate) fn has_locale(name: &str) -> bool {
    let Ok(name) = CString::new(name) else { return false };
    // SAFETY: the name is a C string, and what is made is freed below; the process's own locale
    // stays.
    unsafe {
        let made = libc::newlocale(libc::LC_ALL_MASK, name.as_ptr(), std::ptr::null_mut());
        if !made.is_null() {
            libc::freelocale(made);
        }
        !made.is_null()
    }
}

/// How many seconds local time is ahead of UTC at a moment, in the zone of this process.
pub(crate) fn utc_offset(moment: i64) -> i32 {
    let moment: libc::time_t = moment;
    // SAFETY: all fields of the structure are numbers or a pointer, for which zero is a value; the
    // call reads one place and writes the other.
    let time = unsafe {
        let mut time: libc::tm = std::mem::zeroed();
        libc::localtime_r(&raw const moment, &raw mut time);
        time
    };
    i32::try_from(time.tm_gmtoff).unwrap_or_default()
}
