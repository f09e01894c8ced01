//! Functions that only the kernel and the C library offer: environment, locale, descriptors, other
//! processes.

use core::ffi::{CStr, c_int, c_void};
use std::ffi::{CString, OsString};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

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
        // SAFETY: called in httpd's parent, or in a child that has just begun: neither has other
        // threads that could read the environment meanwhile.
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

/// Does something while variables are set in the environment of this process, which is httpd's
/// parent; afterwards they are as before.
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

/// Whether a program that finds this locale in its environment speaks C: no other is asked for, or
/// the one that is asked for is not installed.
pub(crate) fn speaks_c(locale: Option<OsString>) -> bool {
    let Some(name) = locale.and_then(|name| CString::new(name.into_vec()).ok()) else {
        return true;
    };
    matches!(name.to_bytes(), b"C" | b"POSIX") || !has_locale(&name)
}

/// Whether a locale is installed.
pub(crate) fn has_locale(name: &CStr) -> bool {
    // SAFETY: the name is a C string, and what is made is freed below; the process's own locale
    // stays.
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

/// Makes `command` find these descriptors under the numbers from 3 on.
pub(crate) fn hand_on(command: &mut Command, descriptors: &[BorrowedFd<'_>]) {
    // Copies above every number that is wanted, so that none is overwritten before it is used.
    let above = RawFd::try_from(descriptors.len()).unwrap_or(RawFd::MAX).saturating_add(64);
    let copies: Vec<OwnedFd> = descriptors
        .iter()
        // SAFETY: the call makes a new descriptor, or a negative number, which is left out.
        .map(|from| unsafe { libc::fcntl(from.as_raw_fd(), libc::F_DUPFD_CLOEXEC, above) })
        .filter(|copy| *copy >= 0)
        // SAFETY: the new descriptor has no other owner.
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
/// are told of their end through a pipe of the parent's, and pay no heed to any signal but this
/// one.
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

/// Waits until the process `pid` has ended, but not longer than `limit`. The code that is
/// responsible for its exit status still gets it.
pub(crate) fn wait_for_end(pid: i32, limit: Duration) {
    // SAFETY: the call makes a new descriptor, or a negative number.
    let descriptor = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let Some(descriptor) = RawFd::try_from(descriptor).ok().filter(|number| *number >= 0) else {
        return look_for_end(pid, limit);
    };
    // SAFETY: the new descriptor has no other owner.
    let process = unsafe { OwnedFd::from_raw_fd(descriptor) };
    let mut watched = libc::pollfd { fd: process.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    let timeout = c_int::try_from(limit.as_millis()).unwrap_or(c_int::MAX);
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
fn look_for_end(pid: i32, limit: Duration) {
    let deadline = Instant::now() + limit;
    // SAFETY: all fields of the structure are numbers, for which zero is a value; the call writes
    // it, and does not reap the process (`WNOWAIT`).
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
