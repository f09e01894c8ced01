//! Signals that a worker gets: those that ask for its end, and those that are passed on to
//! applications.

use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex};
use std::thread;

use wsgi::lock::lock;

use engine::Engine;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use wsgi::codes;

use crate::log::ProcessLog;
use crate::panics::caught;
use crate::sys;
use crate::thread_stack;

/// The actions that signals ask for, the most urgent last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SignalRequest {
    Nothing,
    /// Another process in the place of this one (SIGUSR1).
    Replacement,
    /// The same, because the processor was used for too long (SIGXCPU).
    Relief,
    /// The end (SIGTERM, SIGINT).
    End,
}

/// The signals of this process.
pub(crate) struct Signals {
    stream: UnixStream,
    engine: Arc<Engine>,
    log: Arc<ProcessLog>,
    /// The configured size of stacks.
    stack_size: Option<u64>,
    /// To the thread that tells applications; made with the first signal for them.
    dispatcher: Mutex<Option<Sender<Signal>>>,
}

impl Signals {
    /// Catches the signals.
    pub(crate) fn catch(
        engine: Arc<Engine>,
        log: Arc<ProcessLog>,
        stack_size: Option<u64>,
    ) -> std::io::Result<Self> {
        let stream = sys::catch_signals()?;
        Ok(Self { stream, engine, log, stack_size, dispatcher: Mutex::new(None) })
    }

    /// Becomes readable when there is a signal.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    /// Whether a signal has come that was not taken.
    pub(crate) fn are_waiting(&self) -> bool {
        let mut descriptors = [PollFd::new(self.stream.as_fd(), PollFlags::POLLIN)];
        poll(&mut descriptors, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
    }

    /// Takes the signals that have come, and passes on those for applications. Gives what the most
    /// urgent of the others asks for.
    pub(crate) fn take(&self) -> SignalRequest {
        let mut numbers = [0; 64];
        let count = (&self.stream).read(&mut numbers).unwrap_or(0);
        let mut asked = SignalRequest::Nothing;
        for number in &numbers[..count] {
            asked = asked.max(match Signal::try_from(i32::from(*number)) {
                Ok(signal @ (Signal::SIGHUP | Signal::SIGUSR2)) => {
                    self.pass_on(signal);
                    SignalRequest::Nothing
                }
                Ok(Signal::SIGUSR1) => SignalRequest::Replacement,
                Ok(Signal::SIGXCPU) => SignalRequest::Relief,
                _ => SignalRequest::End,
            });
        }
        asked
    }

    /// Has a thread of its own tell the applications, since that may take any time.
    fn pass_on(&self, signal: Signal) {
        let mut dispatcher = lock(&self.dispatcher);
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
                    log.report(codes::internal_error(&format!("passing on {name}"), &panic));
                }
            }
        };
        let builder = thread::Builder::new().name("wsgi-signals".into());
        let thread = builder.stack_size(thread_stack::size(self.stack_size)).spawn(tell);
        if let Err(error) = &thread {
            self.log.report(codes::signals_not_passed_on(error));
        }
        thread.is_ok().then_some(sender)
    }
}
