//! The operations on a running request from other threads: interrupt it, or give it up.

use std::sync::{Arc, Mutex, MutexGuard};

use wsgi::lock::lock;

use python::{Attached, ThreadIdent};

use crate::interpreter::setup::HostedInterpreter;
use crate::request::lease::Lease;

/// A hold on one request, from before it runs until it is over. It keeps nothing of the
/// request alive.
#[derive(Default)]
pub struct Control(Mutex<State>);

#[derive(Default)]
struct State {
    lease: Option<Arc<Lease>>,
    /// Where its Python code runs, while it does.
    inside: Option<(Arc<HostedInterpreter>, ThreadIdent)>,
    interrupted: bool,
}

impl Control {
    /// Raises `mod_wsgi.RequestTimeout` in the request's Python code; false if it runs none (any
    /// more). Waits for the GIL, so that it may take any time. The calling thread is not attached.
    pub fn interrupt(&self) -> bool {
        let Some((hosted, _)) = self.lock().inside.clone() else { return false };
        hosted.interpreter.attach(|py| {
            // While this thread is attached, the request does not leave.
            let mut state = self.lock();
            let Some((hosted, thread)) = state.inside.clone() else { return false };
            state.interrupted = py.raise_in(thread, &hosted.request_timeout.bind(py));
            state.interrupted
        })
    }

    /// Ends the response of a request whose code will not be waited for: with `status` if nothing
    /// was sent, else so that the client sees that something is missing. False if the request is
    /// just sending or reading something, or is over. Never waits; the calling thread is not
    /// attached.
    pub fn give_up(&self, status: u16) -> bool {
        let lease = self.lock().lease.clone();
        lease.is_some_and(|lease| lease.give_up(status))
    }

    /// The request has begun.
    pub(crate) fn begin(&self, lease: &Arc<Lease>) {
        self.lock().lease = Some(Arc::clone(lease));
    }

    /// The request is over.
    pub(crate) fn end(&self) {
        self.lock().lease = None;
    }

    /// Python code of the request runs on this thread from now on.
    pub(crate) fn enter(&self, hosted: &Arc<HostedInterpreter>) {
        self.lock().inside = Some((Arc::clone(hosted), ThreadIdent::current()));
    }

    /// It runs none any more: what was to be raised in it must not hit the next request.
    pub(crate) fn leave(&self, py: Attached<'_>) {
        let mut state = self.lock();
        if let Some((_, thread)) = state.inside.take()
            && std::mem::take(&mut state.interrupted)
        {
            py.unraise_in(thread);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that panics is done under the lock.
        lock(&self.0)
    }
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control").finish_non_exhaustive()
    }
}
