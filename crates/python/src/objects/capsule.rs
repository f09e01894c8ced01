//! `PyCapsule`: an address that Python code hands on to C code of its own.

use std::ffi::CStr;
use std::num::NonZeroUsize;
use std::ptr;

use pyo3_ffi as ffi;

use crate::attach::attached::Attached;
use crate::objects::error::Result;
use crate::objects::object::Object;

/// The name of a capsule whose address is not to be used any more. C code asks for the address by
/// the name that it knows, which is none, and gets a `ValueError`.
const EXPIRED: &CStr = c"expired";

/// A capsule without a name. No code on this side follows its address.
#[derive(Clone, Debug)]
pub struct Capsule<'py>(Object<'py>);

impl<'py> Capsule<'py> {
    /// A capsule round `address`, which C code may use until [`Self::expire`].
    pub fn new(py: Attached<'py>, address: NonZeroUsize) -> Result<'py, Self> {
        let address = ptr::with_exposed_provenance_mut(address.get());
        // SAFETY: the thread is attached. The address is not null, and without a destructor CPython
        // does nothing with it; no name is null.
        unsafe { Object::owned(py, ffi::PyCapsule_New(address, ptr::null(), None)).map(Self) }
    }

    /// The capsule as an object.
    pub fn object(&self) -> &Object<'py> {
        &self.0
    }

    /// Has every later call for the address refused.
    ///
    /// # Panics
    /// If the object is no capsule any more, which CPython rules out.
    pub fn expire(&self) {
        // SAFETY: a live capsule, and the thread is attached; the name lives for ever.
        let done = unsafe { ffi::PyCapsule_SetName(self.0.as_ptr(), EXPIRED.as_ptr()) };
        assert!(done == 0, "a capsule stays one");
    }
}
