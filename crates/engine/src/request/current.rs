//! The state of a native thread: its small number, and the request that it is inside of.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use nix::unistd::{getpid, gettid};
use python::{Attached, Handle, InterpreterId, Object};

use crate::request::lease::Lease;

thread_local! {
    static NUMBER: Cell<Option<i64>> = const { Cell::new(None) };
    static REQUEST: RefCell<Option<Current>> = const { RefCell::new(None) };
}

/// The next number to give out; 0 is that of the process's first thread.
static NEXT: AtomicI64 = AtomicI64::new(1);

struct Current {
    lease: Arc<Lease>,
    interpreter: InterpreterId,
    data: Handle,
}

/// `mod_wsgi.thread_id`: a small number, given out in the order of first use.
pub(crate) fn number() -> i64 {
    NUMBER.get().unwrap_or_else(|| {
        let is_first = gettid() == getpid();
        let number = if is_first { 0 } else { NEXT.fetch_add(1, Ordering::Relaxed) };
        NUMBER.set(Some(number));
        number
    })
}

/// The request that the thread is inside of.
pub(crate) fn lease() -> Option<Arc<Lease>> {
    // A thread that ends may still run Python code that writes to a stream.
    REQUEST.try_with(|it| it.borrow().as_ref().map(|current| Arc::clone(&current.lease))).ok()?
}

/// The dict of the request that the thread is inside of, in this interpreter.
pub(crate) fn data(py: Attached<'_>) -> Option<Object<'_>> {
    REQUEST.with_borrow(|request| {
        let current = request.as_ref().filter(|it| it.interpreter == py.interpreter())?;
        Some(current.data.bind(py))
    })
}

/// The thread is inside of a request until this is dropped, attached.
pub(crate) struct Inside;

impl Inside {
    pub(crate) fn enter(lease: Arc<Lease>, data: &Object<'_>) -> Self {
        let interpreter = data.py().interpreter();
        REQUEST.set(Some(Current { lease, interpreter, data: data.handle() }));
        Self
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        // Taken out first: dropping the dict may run Python code that asks for the request.
        drop(REQUEST.take());
    }
}
