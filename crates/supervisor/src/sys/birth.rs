//! Starting a process without waiting for it.
//!
//! The files that a new process has to look up (its directory, scripts, its program) may lie in a
//! file system of the group's user that never answers. So it is forked, and this process goes on at
//! once; `vfork` and what the standard library does would keep it until the program was executed.
//! The new process says over a pipe how far it is ([`Word`]); the kernel closes that when the
//! program is executed.
//!
//! Between fork and exec system calls are made and nothing else: what they need was allocated
//! before.

use std::ffi::{CStr, CString, OsString};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::{Gid, Uid};

use super::change::{
    check, die_with, duplicate, prove_dropped, reset_signals, set_groups, set_priority,
};
use super::{ABOVE, descriptors, raised};
use crate::start::credentials::Credentials;
use crate::start::word::{Step, WORD, Word, way};

/// How a new process differs from this one. It has a session of its own, and is ended with this
/// process. In the session of httpd's administrator it could open their terminal as `/dev/tty`, and
/// read and write there what they see and type.
#[derive(Debug)]
pub(crate) struct Change<'c> {
    /// The user that it runs as.
    pub(crate) credentials: &'c Credentials,
    /// Its standard input, output and error; all from above [`ABOVE`].
    pub(crate) standard: [&'c OwnedFd; 3],
    /// Descriptors that it finds under these numbers; all others but 0, 1 and 2 are closed. The
    /// numbers count up from 3.
    pub(crate) descriptors: Vec<(RawFd, &'c OwnedFd)>,
    /// File mode creation mask.
    pub(crate) umask: Option<u32>,
    /// Nice value.
    pub(crate) priority: Option<i32>,
    /// Root directory; the program is looked for in it.
    pub(crate) root: Option<&'c Path>,
    /// Working directory, entered as the new user.
    pub(crate) directory: Option<Directory<'c>>,
}

/// A working directory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Directory<'d> {
    pub(crate) path: &'d Path,
    /// If it does not exist, the process stays where this one is.
    pub(crate) may_be_missing: bool,
}

/// The work of a new process once it is changed.
#[derive(Debug, Default)]
pub(crate) struct Task {
    /// It says when these were changed last.
    pub(crate) scripts: Vec<PathBuf>,
    /// It executes the first of these that is there; without any it ends.
    pub(crate) programs: Vec<PathBuf>,
    /// Arguments, without the program's name.
    pub(crate) arguments: Vec<OsString>,
    pub(crate) environment: Vec<(OsString, OsString)>,
}

/// The capacity of a pipe in bytes, unless it is told otherwise.
const PIPE: i32 = 64 * 1024;
/// More words than a process says of anything but scripts.
const OTHER_WORDS: usize = 16;

/// Starts a process; gives its id, and the pipe that it says its [`Word`]s over, which does not
/// block. It must be reaped by the caller.
///
/// # Errors
/// If there can be no process, or a path, argument or variable has a null byte in it.
pub(crate) fn begin(change: &Change<'_>, task: &Task) -> io::Result<(libc::pid_t, OwnedFd)> {
    let (reader, writer) = nix::unistd::pipe2(OFlag::O_CLOEXEC)?;
    let writer = raised(&writer)?;
    fcntl(&reader, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    let words = i32::try_from((task.scripts.len() + OTHER_WORDS) * WORD).unwrap_or(i32::MAX);
    if words > PIPE {
        // All words have room, because they are not read before it matters.
        fcntl(&reader, FcntlArg::F_SETPIPE_SZ(words))?;
    }
    let newborn = Newborn::new(change, task, writer.as_raw_fd())?;
    let (arguments, environment) = (newborn.argument_pointers(), newborn.environment_pointers());
    // SAFETY: this process has one thread, and the new one only makes system calls until it
    // executes its program or ends: it never returns from here.
    match unsafe { libc::fork() } {
        0 => newborn.live(arguments, &environment),
        pid if pid > 0 => Ok((pid, reader)),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The memory that the new process needs, allocated before the fork.
struct Newborn {
    parent: u32,
    places: Vec<(RawFd, RawFd)>,
    /// Where it says how far it is, behind all other descriptors.
    words: RawFd,
    /// The user that it becomes, if that is another one.
    switch: bool,
    user: (Uid, Gid),
    groups: Vec<libc::gid_t>,
    umask: Option<u32>,
    priority: Option<i32>,
    root: Option<CString>,
    directory: Option<(CString, bool)>,
    scripts: Vec<CString>,
    programs: Vec<CString>,
    /// The directories on the way to the first program, from the root on.
    way: Vec<CString>,
    arguments: Vec<CString>,
    environment: Vec<CString>,
}

impl Newborn {
    fn new(change: &Change<'_>, task: &Task, words: RawFd) -> io::Result<Self> {
        let credentials = change.credentials;
        let standard = (0..).zip(change.standard);
        let mut places: Vec<(RawFd, RawFd)> = standard
            .chain(change.descriptors.iter().copied())
            .map(|(place, from)| (place, from.as_raw_fd()))
            .collect();
        let last = RawFd::try_from(places.len()).unwrap_or(ABOVE);
        places.push((last, words));
        assert!(places.iter().all(|(place, from)| *from > ABOVE && *place < ABOVE));
        let variable = |(name, value): &(OsString, OsString)| {
            CString::new([name.as_bytes(), b"=", value.as_bytes()].concat())
        };
        let directory = change.directory.map(|directory| {
            io::Result::Ok((path_text(directory.path)?, directory.may_be_missing))
        });
        let paths = |paths: &[PathBuf]| -> io::Result<Vec<CString>> {
            paths.iter().map(|path| path_text(path)).collect()
        };
        let way: Vec<PathBuf> = way(&task.programs);
        let arguments = task.arguments.iter().map(|text| CString::new(text.as_bytes()));
        Ok(Self {
            parent: std::process::id(),
            places,
            words: last,
            switch: credentials.change,
            user: (credentials.uid, credentials.gid),
            groups: credentials.groups.iter().map(|group| group.as_raw()).collect(),
            umask: change.umask,
            priority: change.priority,
            root: change.root.map(path_text).transpose()?,
            directory: directory.transpose()?,
            scripts: paths(&task.scripts)?,
            programs: paths(&task.programs)?,
            way: paths(&way)?,
            arguments: arguments.collect::<Result<_, _>>()?,
            environment: task.environment.iter().map(variable).collect::<Result<_, _>>()?,
        })
    }

    /// The arguments with a place for the program's name before them, as `execve` wants them.
    fn argument_pointers(&self) -> Vec<*const libc::c_char> {
        let arguments = self.arguments.iter().map(|text| text.as_ptr());
        std::iter::once(std::ptr::null()).chain(arguments).chain([std::ptr::null()]).collect()
    }

    fn environment_pointers(&self) -> Vec<*const libc::c_char> {
        let variables = self.environment.iter().map(|text| text.as_ptr());
        variables.chain([std::ptr::null()]).collect()
    }

    /// Becomes the program. Whatever goes wrong is said, and ends the process.
    fn live(
        &self,
        mut arguments: Vec<*const libc::c_char>,
        environment: &[*const libc::c_char],
    ) -> ! {
        let outcome = self.change().and_then(|()| {
            if let Some((directory, may_be_missing)) = &self.directory {
                self.say(Word::Begins(Step::Directory));
                match nix::unistd::chdir(directory.as_c_str()) {
                    Err(Errno::ENOENT | Errno::ENOTDIR) if *may_be_missing => {}
                    other => other?,
                }
            }
            if !self.scripts.is_empty() {
                self.say(Word::Begins(Step::Scripts));
                self.scripts.iter().for_each(|script| self.say(changed(script)));
            }
            Ok(())
        });
        match outcome {
            Ok(()) if self.programs.is_empty() => exit(0),
            Ok(()) => {
                self.say(Word::Begins(Step::Program));
                self.say(self.execute(&mut arguments, environment));
                self.look_for_obstacle();
            }
            Err(error) => self.say(Word::Failed(error as i32)),
        }
        exit(127)
    }

    fn change(&self) -> nix::Result<()> {
        // The new process leads no process group yet, so this does not fail.
        nix::unistd::setsid()?;
        for (place, from) in &self.places {
            check(duplicate(*from, *place))?;
        }
        // Nothing of this process's may stay open in one that hangs before its program is executed.
        // SAFETY: the new process never returns to those who own these.
        unsafe { descriptors::close_from(self.words + 1) };
        descriptors::close_from_on_exec(self.words);
        reset_signals()?;
        if let Some(priority) = self.priority {
            set_priority(priority)?;
        }
        if let Some(root) = &self.root {
            nix::unistd::chroot(root.as_c_str())?;
            nix::unistd::chdir(c"/")?;
        }
        if self.switch {
            let (uid, gid) = self.user;
            set_groups(&self.groups)?;
            nix::unistd::setresgid(gid, gid, gid)?;
            nix::unistd::setresuid(uid, uid, uid)?;
            prove_dropped(uid, gid)?;
        }
        if let Some(umask) = self.umask {
            // SAFETY: the call has no way to fail and touches no memory.
            unsafe { libc::umask(umask) };
        }
        // After the change of user, which would clear it.
        die_with(self.parent)
    }

    /// Executes the first program that is there. Comes back with why it has not.
    fn execute(
        &self,
        arguments: &mut [*const libc::c_char],
        environment: &[*const libc::c_char],
    ) -> Word {
        for (index, program) in self.programs.iter().enumerate() {
            // A link that leads nowhere is there.
            if matches!(status(program, libc::lstat), Err(Errno::ENOENT | Errno::ENOTDIR)) {
                continue;
            }
            if let Some(name) = arguments.first_mut() {
                *name = program.as_ptr();
            }
            // SAFETY: both lists end with a null pointer, and their C strings live in `self`.
            unsafe { libc::execve(program.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
            return Word::NotExecuted { program: index, error: Errno::last_raw() };
        }
        Word::NoProgram
    }

    /// Says which directory on the way to the program is missing or closed.
    fn look_for_obstacle(&self) {
        for (index, directory) in self.way.iter().enumerate() {
            // SAFETY: the path is a C string.
            if unsafe { libc::access(directory.as_ptr(), libc::X_OK) } != 0 {
                return self.say(Word::Obstacle { step: index, error: Errno::last_raw() });
            }
        }
    }

    /// If the reader was closed, SIGPIPE ends this process.
    fn say(&self, word: Word) {
        let bytes = word.encode();
        // SAFETY: the bytes are as many as is said. So few are written all or not at all.
        unsafe { libc::write(self.words, bytes.as_ptr().cast(), bytes.len()) };
    }
}

fn exit(status: libc::c_int) -> ! {
    // SAFETY: the call ends this process, and runs nothing of what its parent has registered for
    // that.
    unsafe { libc::_exit(status) }
}

fn path_text(path: &Path) -> io::Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}

fn changed(script: &CStr) -> Word {
    match status(script, libc::stat) {
        Ok(data) => Word::Changed { seconds: data.st_mtime, nanoseconds: data.st_mtime_nsec },
        Err(_) => Word::NotFound,
    }
}

type ScriptLook = unsafe extern "C" fn(*const libc::c_char, *mut libc::stat) -> libc::c_int;

fn status(path: &CStr, look: ScriptLook) -> nix::Result<libc::stat> {
    // SAFETY: all fields of the structure are numbers, for which zero is a value; the path is a C
    // string, and the call writes one structure.
    unsafe {
        let mut data: libc::stat = std::mem::zeroed();
        Errno::result(look(path.as_ptr(), &raw mut data))?;
        Ok(data)
    }
}
