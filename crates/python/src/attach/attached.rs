//! The proof that the current thread is attached to an interpreter.
//!
//! [`Attached`] has no size: which interpreter it is about is kept in a cell of the thread, which
//! this file owns. All code that attaches, detaches or is called by Python goes through it.

use std::cell::Cell;
use std::marker::PhantomData;

use pyo3_ffi as ffi;

use crate::attach::thread_state;

/// Which interpreter of the process; numbers are never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InterpreterId(pub(crate) i64);

impl InterpreterId {
    /// The interpreter that CPython starts with.
    pub const MAIN: Self = Self(0);
}

thread_local! {
    static CURRENT: Cell<Option<InterpreterId>> = const { Cell::new(None) };
}

/// The current thread holds the GIL of an interpreter, for as long as `'py`.
///
/// It cannot leave its thread, and it cannot be carried into [`Attached::detach`].
#[derive(Clone, Copy, Debug)]
pub struct Attached<'py> {
    lifetime: PhantomData<&'py ()>,
    thread: PhantomData<*mut ()>,
}

impl Attached<'_> {
    /// # Safety
    /// The thread is attached for all of `'py`, and [`current`] says to which interpreter.
    pub(crate) unsafe fn assume() -> Self {
        Self { lifetime: PhantomData, thread: PhantomData }
    }

    /// The interpreter that the thread is attached to.
    ///
    /// # Panics
    /// Never: the code that makes the token has noted the interpreter.
    pub fn interpreter(self) -> InterpreterId {
        current().expect("a token exists only while the thread is attached")
    }

    /// Releases the GIL while `work` runs: whatever may block belongs in here.
    ///
    /// `work` is `Send` so that it can hold neither the token nor an object: neither of them is.
    pub fn detach<R>(self, work: impl FnOnce() -> R + Send) -> R {
        let interpreter = self.interpreter();
        // SAFETY: the token proves that the thread is attached.
        let state = unsafe { ffi::PyEval_SaveThread() };
        let lent = thread_state::lend(interpreter, state);
        CURRENT.set(None);
        let _reattach = Reattach { interpreter, state, lent };
        work()
    }
}

/// Attaches again, also when the work panics.
struct Reattach {
    interpreter: InterpreterId,
    state: *mut ffi::PyThreadState,
    lent: bool,
}

impl Drop for Reattach {
    fn drop(&mut self) {
        if self.lent {
            thread_state::take_back(self.interpreter);
        }
        // SAFETY: `detach` saved this state on this thread, and who attached since has detached.
        unsafe { ffi::PyEval_RestoreThread(self.state) };
        CURRENT.set(Some(self.interpreter));
    }
}

/// The interpreter that the thread is attached to, as far as this crate knows.
pub(crate) fn current() -> Option<InterpreterId> {
    CURRENT.get()
}

/// Notes the interpreter for a scope and puts back what was noted before.
pub(crate) struct Scope(Option<InterpreterId>);

impl Scope {
    pub(crate) fn enter(interpreter: InterpreterId) -> Self {
        Self(CURRENT.replace(Some(interpreter)))
    }

    /// For a callback: asks CPython which interpreter calls.
    ///
    /// # Safety
    /// The thread is attached.
    pub(crate) unsafe fn of_caller() -> Self {
        // SAFETY: the caller says that the thread is attached.
        Self::enter(unsafe { actual() })
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        CURRENT.set(self.0);
    }
}

/// The interpreter that CPython says the thread is attached to.
///
/// # Safety
/// The thread is attached.
pub(crate) unsafe fn actual() -> InterpreterId {
    // SAFETY: the caller says that the thread is attached.
    InterpreterId(unsafe { ffi::PyInterpreterState_GetID(ffi::PyInterpreterState_Get()) })
}
