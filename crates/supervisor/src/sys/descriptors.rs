//! Closing descriptors that a new program is not to find.
//!
//! `close_range` does it in one call: from Linux 5.9, and with `CLOSE_RANGE_CLOEXEC` from 5.11.
//! Before, they are looked for one by one. All of it may run between fork and exec: it allocates
//! nothing.

use std::io;
use std::os::fd::RawFd;

/// Has the kernel close all descriptors from `first` on when a program is executed.
pub(crate) fn close_from_on_exec(first: RawFd) {
    if !close_range(first, libc::CLOSE_RANGE_CLOEXEC) {
        each_from(first, on_exec);
    }
}

/// Closes all descriptors from `first` on, now.
///
/// # Safety
/// Nothing in this process owns one of them.
pub(crate) unsafe fn close_from(first: RawFd) {
    if !close_range(first, 0) {
        each_from(first, |number| {
            // SAFETY: the caller says that it has no owner.
            unsafe { libc::close(number) };
        });
    }
}

fn on_exec(number: RawFd) {
    // SAFETY: marking a descriptor takes nothing away from code that is still running.
    unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) };
}

/// Whether the kernel has done it. The call is made by its number: C libraries before glibc 2.34
/// have no function for it.
fn close_range(first: RawFd, flags: libc::c_uint) -> bool {
    let first = libc::c_uint::try_from(first).unwrap_or(libc::c_uint::MAX);
    // SAFETY: without flags, the one caller answers for it; with the flag it only marks.
    unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, flags) == 0 }
}

/// Does something with each open descriptor from `first` on.
fn each_from(first: RawFd, mut act: impl FnMut(RawFd)) {
    if listed(|number| {
        if number >= first {
            act(number);
        }
    })
    .is_err()
    {
        // There is no /proc: all numbers that could be open are tried.
        (first..limit()).for_each(act);
    }
}

/// The number behind the highest descriptor. The limit may have been lowered meanwhile, or be
/// without end; the kernel's own (`fs.nr_open`) is this one, unless an administrator has raised it.
fn limit() -> RawFd {
    1 << 20
}

/// Shows `visit` the number of each open descriptor, from `/proc/self/fd`.
fn listed(mut visit: impl FnMut(RawFd)) -> io::Result<()> {
    let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC;
    // SAFETY: the path is a C string, and the call makes a new descriptor or gives a negative
    // number.
    let directory = unsafe { libc::open(c"/proc/self/fd".as_ptr(), flags) };
    if directory < 0 {
        return Err(io::Error::last_os_error());
    }
    let mut entries = [0_u8; 1024];
    let outcome = loop {
        // SAFETY: the buffer is as long as is said.
        let count = unsafe {
            let place = entries.as_mut_ptr();
            libc::syscall(libc::SYS_getdents64, directory, place, entries.len())
        };
        let Ok(count) = usize::try_from(count) else { break Err(io::Error::last_os_error()) };
        if count == 0 {
            break Ok(());
        }
        numbers(&entries[..count], |number| {
            if number != directory {
                visit(number);
            }
        });
    };
    // SAFETY: it was opened above, and `visit` was not shown it.
    unsafe { libc::close(directory) };
    outcome
}

/// Bytes of an entry (`struct linux_dirent64`) before its name, and where in it its own length
/// stands.
const NAME: usize = 19;
const LENGTH: usize = 16;

/// Shows `visit` the names of directory entries that are numbers.
fn numbers(mut entries: &[u8], mut visit: impl FnMut(RawFd)) {
    while let Some(&[low, high]) = entries.get(LENGTH..LENGTH + 2) {
        let length = usize::from(u16::from_ne_bytes([low, high]));
        let Some((entry, rest)) = entries.split_at_checked(length.max(NAME)) else { return };
        let name = entry[NAME..].split(|byte| *byte == 0).next().unwrap_or_default();
        if let Some(number) = str::from_utf8(name).ok().and_then(|name| name.parse().ok()) {
            visit(number);
        }
        entries = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::fd::AsRawFd;
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    /// The descriptors that a new program finds, if `prepare` runs before it.
    fn found_by_a_program(prepare: fn()) -> Vec<RawFd> {
        let mut command = Command::new("/bin/ls");
        command.arg("/proc/self/fd");
        // SAFETY: system calls only.
        unsafe {
            command.pre_exec(move || {
                // Three that nothing has marked, one of them far away.
                for number in [20, 21, 900] {
                    libc::dup2(2, number);
                }
                prepare();
                Ok(())
            });
        }
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let numbers = text.lines().filter_map(|line| line.parse().ok());
        // The process that runs the tests may have left others open.
        numbers.filter(|number| [20, 21, 900].contains(number)).collect()
    }

    #[test]
    fn a_new_program_finds_nothing_beyond_with_any_kernel() {
        assert_eq!(found_by_a_program(|| {}), [20, 21, 900], "the test itself works");
        assert_eq!(found_by_a_program(|| close_from_on_exec(21)), [20]);
        // The path that is taken where the kernel has no close_range, or does not know its flag.
        assert_eq!(found_by_a_program(|| each_from(21, on_exec)), [20]);
        assert_eq!(found_by_a_program(|| (21..limit()).for_each(on_exec)), [20]);
    }

    #[test]
    fn open_descriptors_are_listed() {
        // More than fit into one piece of the list.
        let files: Vec<File> = (0..100).map(|_| File::open("/dev/null").unwrap()).collect();
        let mut seen = Vec::new();
        listed(|number| seen.push(number)).unwrap();
        for file in &files {
            assert!(seen.contains(&file.as_raw_fd()), "{file:?} is missing in {seen:?}");
        }
        let mut few = Vec::new();
        each_from(50, |number| few.push(number));
        assert!(few.iter().all(|number| *number >= 50) && few.len() > 50, "{few:?}");
    }

    #[test]
    fn broken_lists_end() {
        for bytes in [&[0; 40][..], &[255; 40], &[1; 18], &[]] {
            numbers(bytes, |number| panic!("{number}"));
        }
    }
}
