//! Raising an exception in another thread.

use std::ffi::c_long;

use pyo3_ffi as ffi;

use crate::attach::attached::Attached;
use crate::objects::object::Object;

/// The identifier of a native thread in CPython (`threading.get_ident()`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThreadIdent(c_long);

impl ThreadIdent {
    /// That of the calling thread.
    pub fn current() -> Self {
        // SAFETY: may be asked by any thread at any time. Both types have the same width, and the
        // number is an identifier: nothing is calculated with it.
        Self(unsafe { ffi::PyThread_get_thread_ident() }.cast_signed())
    }
}

impl<'py> Attached<'py> {
    /// Has an exception of this class raised in another thread of this interpreter, once it runs
    /// Python code again: a call into C is not interrupted. False if the interpreter does not know
    /// the thread.
    pub fn raise_in(self, thread: ThreadIdent, class: &Object<'py>) -> bool {
        // SAFETY: attached; the class is a live object, of which CPython takes a reference.
        unsafe { ffi::PyThreadState_SetAsyncExc(thread.0, class.as_ptr()) == 1 }
    }

    /// Takes back what [`Attached::raise_in`] has asked for, if it was not raised yet.
    pub fn unraise_in(self, thread: ThreadIdent) {
        // SAFETY: attached; null stands for no exception.
        unsafe { ffi::PyThreadState_SetAsyncExc(thread.0, std::ptr::null_mut()) };
    }
}
