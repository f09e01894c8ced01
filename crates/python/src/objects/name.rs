//! Objects that are found by a name in the program: attributes, and entries of a dict.
//!
//! CPython compares names by their address first, and its cache of attributes does nothing else:
//! each look-up with a string of its own would take one more place of that cache, keep the string
//! alive there, and write to one more page that forked processes share. So such names are interned.

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::transmute;
use std::ptr::NonNull;
use std::sync::OnceLock;

use pyo3_ffi as ffi;

use crate::attach::attached::{Attached, InterpreterId};
use crate::objects::error::{Error, Exception, Result};
use crate::objects::object::Object;
use crate::symbol;

/// How many names a thread remembers: a power of two, and more than a request uses.
const REMEMBERED: usize = 64;

thread_local! {
    /// The names that this thread has used, each at the place that its address says. Each has a
    /// reference that is never given up: the interned strings live as long as their interpreter.
    static NAMES: [Cell<Option<Known>>; REMEMBERED] =
        const { [const { Cell::new(None) }; REMEMBERED] };
}

/// An interned string.
#[derive(Clone, Copy)]
struct Known {
    /// Of the name in the program. Its bytes are constant.
    address: *const c_char,
    interpreter: InterpreterId,
    string: NonNull<ffi::PyObject>,
}

impl<'py> Attached<'py> {
    /// The `str` that stands for all of this value in the current interpreter.
    pub fn name(self, value: &'static CStr) -> Result<'py, Object<'py>> {
        let (address, interpreter) = (value.as_ptr(), self.interpreter());
        // Constants lie behind each other, some of them at odd addresses.
        let place = (address.addr() ^ (address.addr() >> 6)) % REMEMBERED;
        let known = NAMES.try_with(|names| names[place].get()).ok().flatten();
        if let Some(known) = known
            && known.address == address
            && known.interpreter == interpreter
        {
            // SAFETY: the remembered reference keeps the string alive, and it is of this
            // interpreter: numbers of interpreters are never used twice.
            return Ok(unsafe { Object::borrowed(self, known.string) });
        }
        // SAFETY: a C string, and the thread is attached.
        let name = unsafe { Object::owned(self, ffi::PyUnicode_InternFromString(address))? };
        let string = name.clone().into_pointer();
        // A thread that ends remembers nothing any more.
        let _ =
            NAMES.try_with(|names| names[place].set(Some(Known { address, interpreter, string })));
        Ok(name)
    }
}

impl<'py> Object<'py> {
    /// The attribute `name`.
    pub fn attr(&self, name: &'static CStr) -> Result<'py, Object<'py>> {
        let py = self.py();
        let name = py.name(name)?;
        // SAFETY: both objects are alive, and the thread is attached.
        unsafe { Self::owned(py, ffi::PyObject_GetAttr(self.as_ptr(), name.as_ptr())) }
    }

    /// The attribute `name`; `None` if there is none. Other errors of the look-up come out.
    pub fn attr_opt(&self, name: &'static CStr) -> Result<'py, Option<Object<'py>>> {
        if let Some(get) = optional_getter() {
            let py = self.py();
            let name = py.name(name)?;
            let mut found = std::ptr::null_mut();
            // SAFETY: both objects are alive, the thread is attached, and there is a place for the
            // result, which is a new reference or null.
            let answer = unsafe { get(self.as_ptr(), name.as_ptr(), &raw mut found) };
            if answer < 0 {
                return Err(Error::fetch(py));
            }
            // SAFETY: a new reference, as CPython says it is then.
            return (answer > 0).then(|| unsafe { Self::owned(py, found) }).transpose();
        }
        match self.attr(name) {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.is_instance_of(Exception::AttributeError) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The one `str` in the interpreter that stands for this value.
    pub fn interned(self) -> Result<'py, Self> {
        let py = self.py();
        let mut pointer = self.into_ptr();
        // SAFETY: the reference is exchanged for one to the same or to an equal string, and is
        // ours; what is no `str` stays as it is. The thread is attached.
        unsafe {
            ffi::PyUnicode_InternInPlace(&raw mut pointer);
            Object::owned(py, pointer)
        }
    }

    /// Sets the attribute `name`.
    pub fn set_attr(&self, name: &'static CStr, value: &Object<'py>) -> Result<'py, ()> {
        let name = self.py().name(name)?;
        // SAFETY: all objects are alive, and the thread is attached.
        let done = unsafe { ffi::PyObject_SetAttr(self.as_ptr(), name.as_ptr(), value.as_ptr()) };
        self.checked(done)
    }

    /// `self.name(*arguments)`.
    pub fn call_method(
        &self,
        name: &'static CStr,
        arguments: &[&Object<'py>],
    ) -> Result<'py, Object<'py>> {
        self.attr(name)?.call(arguments)
    }

    /// `self[name] = value`, for a name that is used again and again.
    pub fn set_named(&self, name: &'static CStr, value: &Object<'py>) -> Result<'py, ()> {
        self.set_item(&self.py().name(name)?, value)
    }
}

/// `PyObject_GetOptionalAttr`, which makes no exception only to have it thrown away. Part of the
/// stable ABI since 3.13, which is later than what this program is built for.
type OptionalGetter =
    unsafe extern "C" fn(*mut ffi::PyObject, *mut ffi::PyObject, *mut *mut ffi::PyObject) -> c_int;

fn optional_getter() -> Option<OptionalGetter> {
    static GETTER: OnceLock<Option<OptionalGetter>> = OnceLock::new();
    *GETTER.get_or_init(|| {
        let address = symbol::find(c"PyObject_GetOptionalAttr")?;
        // SAFETY: CPython declares the function so since 3.13.
        Some(unsafe { transmute::<NonNull<c_void>, OptionalGetter>(address) })
    })
}
