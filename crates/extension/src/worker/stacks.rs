//! The stacks of this process's threads, as Python sees them, without the GIL.
//!
//! `faulthandler` writes the stacks when a signal arrives, from the handler itself: also where a
//! call into C keeps the GIL for ever. It writes into a file in memory, which is read here.

use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::AsRawFd;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::unistd::Pid;
use python::Attached;

use crate::sys;

/// How long a thread may take to answer: one that the kernel does not wake does not.
const WAIT_LIMIT: Duration = Duration::from_secs(1);
/// Between two looks at what was written.
const PAUSE: Duration = Duration::from_millis(5);

/// The stacks of this process's threads.
#[derive(Debug)]
pub(crate) struct Stacks(Mutex<File>);

/// Has `faulthandler` allocate what it needs, so that workers share it with their template.
pub(crate) fn prepare(py: Attached<'_>) -> python::Result<'_, ()> {
    let faulthandler = py.import(c"faulthandler")?;
    let signal = py.int(sys::stack_signal().into())?;
    let error_output = py.int(2)?;
    faulthandler.call_method(c"register", &[&signal, &error_output])?;
    faulthandler.call_method(c"unregister", &[&signal]).map(drop)
}

impl Stacks {
    /// Has `faulthandler` write stacks from now on. Of a process that is forked later it must be
    /// asked again.
    pub(crate) fn install(py: Attached<'_>) -> Result<Self, String> {
        let file = memfd_create(c"wsgi-stacks", MFdFlags::MFD_CLOEXEC);
        let file = File::from(file.map_err(|error| error.to_string())?);
        let register = || -> python::Result<'_, ()> {
            let options = py.dict()?;
            options.set("file", &py.int(file.as_raw_fd().into())?)?;
            options.set("all_threads", &py.bool(true))?;
            let register = py.import(c"faulthandler")?.attr(c"register")?;
            register.call_with(&[&py.int(sys::stack_signal().into())?], Some(&options)).map(drop)
        };
        register().map_err(|error| error.to_string())?;
        Ok(Self(Mutex::new(file)))
    }

    /// The stack of one thread that runs Python code.
    pub(crate) fn of(&self, thread: Pid) -> Vec<String> {
        let sections = self.ask(thread);
        let own = sections.into_iter().find(|lines| lines[0].starts_with("Current thread"));
        own.unwrap_or_else(|| vec!["its stack is not known".to_owned()])
    }

    /// The stacks of all threads in the interpreter that the thread has run code in last.
    pub(crate) fn all(&self, thread: Pid) -> Vec<String> {
        let lines = self.ask(thread).concat();
        if lines.is_empty() { vec!["the stacks are not known".to_owned()] } else { lines }
    }

    /// The answer of a thread, a section for each thread.
    fn ask(&self, thread: Pid) -> Vec<Vec<String>> {
        let Ok(mut file) = self.0.lock() else { return Vec::new() };
        if file.set_len(0).and_then(|()| file.rewind()).is_err() {
            return Vec::new();
        }
        sys::signal_thread(thread, sys::stack_signal());
        let deadline = Instant::now() + WAIT_LIMIT;
        let mut length = 0;
        while Instant::now() < deadline {
            std::thread::sleep(PAUSE);
            let now = file.metadata().map_or(0, |data| data.len());
            // The handler writes without a pause, so what has stopped growing is complete.
            if now > 0 && now == length {
                break;
            }
            length = now;
        }
        let mut text = String::new();
        if file.rewind().is_err() || file.read_to_string(&mut text).is_err() {
            return Vec::new();
        }
        sections(&text)
    }
}

fn sections(text: &str) -> Vec<Vec<String>> {
    text.split("\n\n")
        .map(|section| section.lines().map(str::to_owned).collect::<Vec<_>>())
        .filter(|lines| !lines.is_empty())
        .collect()
}
