//! The functions that CPython calls for a class: one for each signature.
//!
//! CPython checks that the object of a method, an attribute or a slot is an instance of the type
//! that the function was given to; `inside` checks that its value is there.

use std::ffi::{c_int, c_void};
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};

use pyo3_ffi as ffi;

use super::{Attribute, Call, Class, Construct, Getter, LIVE, Method, Next};
use super::{allocate, inside, payload};
use crate::attach::attached::Attached;
use crate::classes::arguments::Arguments;
use crate::classes::trampoline;
use crate::objects::error::{Error, Exception, Result};
use crate::objects::object::Object;

/// # Safety
/// `object` is what CPython passes as the object of a call, which it keeps alive.
unsafe fn this(
    py: Attached<'_>,
    object: *mut ffi::PyObject,
) -> Result<'_, ManuallyDrop<Object<'_>>> {
    let missing = || Error::new(py, Exception::SystemError, "a method without its object");
    let object = NonNull::new(object).ok_or_else(missing)?;
    // SAFETY: as the caller says.
    Ok(unsafe { Object::view(py, object) })
}

pub(super) unsafe extern "C" fn method<M: Method>(
    object: *mut ffi::PyObject,
    values: *const *mut ffi::PyObject,
    count: isize,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: CPython calls with what `METH_FASTCALL | METH_KEYWORDS` promises.
    unsafe {
        trampoline::object(|py| {
            let object = this(py, object)?;
            let arguments = Arguments::from_array(py, values, count, names)?;
            M::call(inside(&object)?, &object, arguments)
        })
    }
}

pub(super) unsafe extern "C" fn getter<G: Getter>(
    object: *mut ffi::PyObject,
    _closure: *mut c_void,
) -> *mut ffi::PyObject {
    // SAFETY: CPython calls with an instance.
    unsafe { trampoline::object(|py| G::get(inside(&*this(py, object)?)?, py)) }
}

pub(super) unsafe extern "C" fn itself(object: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: CPython calls with an instance.
    unsafe { trampoline::object(|py| Ok(Object::clone(&*this(py, object)?))) }
}

pub(super) unsafe extern "C" fn next<T: Next>(object: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: CPython calls with an instance. Null without an exception is the end.
    unsafe {
        trampoline::value(ptr::null_mut(), |py| {
            let object = this(py, object)?;
            let item = T::next(inside(&object)?, &object)?;
            Ok(item.map_or(ptr::null_mut(), Object::into_ptr))
        })
    }
}

pub(super) unsafe extern "C" fn call<T: Call>(
    object: *mut ffi::PyObject,
    values: *mut ffi::PyObject,
    keywords: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: CPython calls with an instance, a tuple and a dict or null.
    unsafe {
        trampoline::object(|py| {
            let object = this(py, object)?;
            T::call(inside(&object)?, &object, Arguments::from_tuple(py, values, keywords)?)
        })
    }
}

pub(super) unsafe extern "C" fn construct<T: Construct>(
    class: *mut ffi::PyTypeObject,
    values: *mut ffi::PyObject,
    keywords: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: CPython calls with the type that has this slot or one derived from it, a tuple and
    // a dict or null.
    unsafe {
        trampoline::object(|py| {
            let value = T::construct(py, Arguments::from_tuple(py, values, keywords)?)?;
            allocate(py, class, value)
        })
    }
}

/// `__init__`: everything has been done by `__new__`, also for a derived class that passes other
/// arguments on.
pub(super) unsafe extern "C" fn initialized(
    _object: *mut ffi::PyObject,
    _values: *mut ffi::PyObject,
    _keywords: *mut ffi::PyObject,
) -> c_int {
    0
}

pub(super) unsafe extern "C" fn attribute<T: Attribute>(
    object: *mut ffi::PyObject,
    name: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: CPython calls with an instance and a `str`.
    unsafe {
        trampoline::object(|py| T::attribute(inside(&*this(py, object)?)?, py, &*this(py, name)?))
    }
}

/// `tp_dealloc` of a heap type: drops the value, frees the memory, gives up the type, which each
/// instance holds a reference to.
pub(super) unsafe extern "C" fn dealloc<T: Class>(object: *mut ffi::PyObject) {
    // SAFETY: CPython calls once, with an instance that no reference leads to any more. The value
    // is dropped if it was ever written.
    unsafe {
        let class = ffi::Py_TYPE(object);
        let payload = payload::<T>(object).as_ptr();
        if (*payload).state == LIVE {
            (*payload).state = 0;
            trampoline::quiet(|| (*payload).value.assume_init_drop());
        }
        let free = ffi::PyType_GetSlot(class, ffi::Py_tp_free);
        let free = std::mem::transmute::<*mut c_void, ffi::freefunc>(free);
        free(object.cast());
        ffi::Py_DECREF(class.cast());
    }
}
