//! Signals that a worker gets: those that ask for its end, and those that are passed on to
//! applications.

use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use engine::{Engine, ServerLog};
use nix::sys::signal::Signal;
use wsgi::level::Level;

use crate::log::ProcessLog;
use crate::panics::caught;
use crate::sys;

/// The signals of this process.
pub(crate) struct Signals {
    stream: UnixStream,
    engine: Arc<Engine>,
    log: Arc<ProcessLog>,
    /// To the thread that tells applications; made with the first signal for them.
    dispatcher: Mutex<Option<Sender<Signal>>>,
}

impl Signals {
    /// Catches the signals.
    pub(crate) fn catch(engine: Arc<Engine>, log: Arc<ProcessLog>) -> Result<Self, String> {
        let stream = sys::catch_signals()?;
        Ok(Self { stream, engine, log, dispatcher: Mutex::new(None) })
    }

    /// Becomes readable when there is a signal.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    /// Takes the signals that have come. Passes on those for applications; true if one of the others
    /// asks for the end.
    pub(crate) fn take(&self) -> bool {
        let mut numbers = [0; 64];
        let count = (&self.stream).read(&mut numbers).unwrap_or(0);
        let mut end = false;
        for number in &numbers[..count] {
            match Signal::try_from(i32::from(*number)) {
                Ok(signal @ (Signal::SIGHUP | Signal::SIGUSR2)) => self.pass_on(signal),
                _ => end = true,
            }
        }
        end
    }

    /// Has a thread of its own tell the applications, since that may take any time.
    fn pass_on(&self, signal: Signal) {
        let mut dispatcher = self.dispatcher.lock().unwrap_or_else(PoisonError::into_inner);
        if dispatcher.is_none() {
            *dispatcher = self.dispatch();
        }
        if let Some(dispatcher) = &*dispatcher {
            // The thread lives as long as the sender.
            let _ = dispatcher.send(signal);
        }
    }

    fn dispatch(&self) -> Option<Sender<Signal>> {
        let (sender, signals) = mpsc::channel::<Signal>();
        let (engine, log) = (self.engine.clone(), self.log.clone());
        let tell = move || {
            for signal in signals {
                let name = signal.as_str();
                if let Err(panic) = caught(|| engine.signal(name, signal as i32)) {
                    let text = format!("internal error while passing on {name}: {panic}");
                    log.line(Level::Error, text.as_bytes());
                }
            }
        };
        let thread = thread::Builder::new().name("wsgi-signals".into()).spawn(tell);
        if let Err(error) = &thread {
            let text = format!("WSGI0207: signals are not passed on: {error}");
            self.log.line(Level::Error, text.as_bytes());
        }
        thread.is_ok().then_some(sender)
    }
}
