//! Rust functions that Python can call.

use std::any::TypeId;
use std::collections::HashMap;
use std::ffi::CStr;
use std::ptr;
use std::sync::Mutex;

use crate::lock::lock;

use pyo3_ffi as ffi;

use crate::attach::attached::Attached;
use crate::classes::arguments::Arguments;
use crate::classes::trampoline;
use crate::objects::error::Result;
use crate::objects::object::Object;

/// A function without state. One with state is a [`Method`](crate::Method) of a class that holds
/// it, taken as a bound method.
pub trait Function: 'static {
    /// Its name in Python.
    const NAME: &'static CStr;
    /// Its doc string.
    const DOC: &'static CStr;

    /// Called by Python.
    fn call<'py>(py: Attached<'py>, arguments: Arguments<'py>) -> Result<'py, Object<'py>>;
}

impl<'py> Attached<'py> {
    /// A Python function object for `F`.
    pub fn function<F: Function>(self) -> Result<'py, Object<'py>> {
        let definition = definition::<F>();
        // SAFETY: the definition is never freed; there is no bound object and no module.
        unsafe {
            let made = ffi::PyCFunction_NewEx(definition, ptr::null_mut(), ptr::null_mut());
            Object::owned(self, made)
        }
    }
}

/// The definition of a function as CPython reads it.
pub(crate) fn method_def<F: Function>() -> ffi::PyMethodDef {
    ffi::PyMethodDef {
        ml_name: F::NAME.as_ptr(),
        ml_meth: ffi::PyMethodDefPointer { PyCFunctionFastWithKeywords: call::<F> },
        ml_flags: ffi::METH_FASTCALL | ffi::METH_KEYWORDS,
        ml_doc: F::DOC.as_ptr(),
    }
}

struct Address(*mut ffi::PyMethodDef);

// SAFETY: CPython only reads a definition.
unsafe impl Send for Address {}

/// One definition for each function and process: function objects point to it for ever.
fn definition<F: Function>() -> *mut ffi::PyMethodDef {
    static KEPT: Mutex<Option<HashMap<TypeId, Address>>> = Mutex::new(None);
    let mut kept = lock(&KEPT);
    let make = || Address(Box::into_raw(Box::new(method_def::<F>())));
    kept.get_or_insert_default().entry(TypeId::of::<F>()).or_insert_with(make).0
}

unsafe extern "C" fn call<F: Function>(
    _bound: *mut ffi::PyObject,
    values: *const *mut ffi::PyObject,
    count: isize,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: CPython calls with what `METH_FASTCALL | METH_KEYWORDS` promises.
    unsafe {
        trampoline::object(|py| F::call(py, Arguments::from_array(py, values, count, names)?))
    }
}
