//! From Rust's values to Python's: what an attached thread can make or import.

use std::ffi::CStr;
use std::ptr::NonNull;

use pyo3_ffi as ffi;

use crate::attach::attached::Attached;
use crate::objects::error::{Error, Result};
use crate::objects::object::Object;

impl<'py> Attached<'py> {
    /// `None`.
    pub fn none(self) -> Object<'py> {
        // SAFETY: a constant of CPython's that is always alive.
        unsafe { self.constant(ffi::Py_None()) }
    }

    /// `True` or `False`.
    pub fn bool(self, value: bool) -> Object<'py> {
        // SAFETY: as above.
        unsafe { self.constant(if value { ffi::Py_True() } else { ffi::Py_False() }) }
    }

    /// # Safety
    /// The address of one of CPython's static objects.
    pub(crate) unsafe fn constant(self, pointer: *mut ffi::PyObject) -> Object<'py> {
        // SAFETY: static objects are never null and always alive.
        unsafe { Object::borrowed(self, NonNull::new_unchecked(pointer)) }
    }

    /// A `str`.
    pub fn text(self, value: &str) -> Result<'py, Object<'py>> {
        // SAFETY: pointer and length of valid UTF-8, which is copied.
        unsafe {
            let made = ffi::PyUnicode_FromStringAndSize(value.as_ptr().cast(), signed(value.len()));
            Object::owned(self, made)
        }
    }

    /// A `str` from latin-1.
    pub fn latin1(self, value: &[u8]) -> Result<'py, Object<'py>> {
        // SAFETY: pointer and length of bytes, which are copied; no error handler is needed.
        unsafe {
            let start = value.as_ptr().cast();
            let made = ffi::PyUnicode_DecodeLatin1(start, signed(value.len()), std::ptr::null());
            Object::owned(self, made)
        }
    }

    /// A `str` from the file system encoding, as `os.fsdecode`.
    pub fn fs_path(self, value: &[u8]) -> Result<'py, Object<'py>> {
        // SAFETY: pointer and length of bytes, which are copied.
        unsafe {
            let start = value.as_ptr().cast();
            Object::owned(self, ffi::PyUnicode_DecodeFSDefaultAndSize(start, signed(value.len())))
        }
    }

    /// A `bytes`.
    pub fn bytes(self, value: &[u8]) -> Result<'py, Object<'py>> {
        // SAFETY: pointer and length of bytes, which are copied.
        unsafe {
            let start = value.as_ptr().cast();
            Object::owned(self, ffi::PyBytes_FromStringAndSize(start, signed(value.len())))
        }
    }

    /// An `int`.
    pub fn int(self, value: i64) -> Result<'py, Object<'py>> {
        // SAFETY: the thread is attached.
        unsafe { Object::owned(self, ffi::PyLong_FromLongLong(value)) }
    }

    /// A `float`.
    pub fn float(self, value: f64) -> Result<'py, Object<'py>> {
        // SAFETY: the thread is attached.
        unsafe { Object::owned(self, ffi::PyFloat_FromDouble(value)) }
    }

    /// An empty `dict`.
    pub fn dict(self) -> Result<'py, Object<'py>> {
        // SAFETY: the thread is attached.
        unsafe { Object::owned(self, ffi::PyDict_New()) }
    }

    /// An empty `list`.
    pub fn list(self) -> Result<'py, Object<'py>> {
        // SAFETY: the thread is attached.
        unsafe { Object::owned(self, ffi::PyList_New(0)) }
    }

    /// A `tuple`.
    pub fn tuple(self, items: &[&Object<'py>]) -> Result<'py, Object<'py>> {
        // SAFETY: the thread is attached; every place of the new tuple is filled once, with a
        // reference of its own, before any other code sees it.
        unsafe {
            let tuple = Object::owned(self, ffi::PyTuple_New(signed(items.len())))?;
            for (index, &item) in items.iter().enumerate() {
                ffi::PyTuple_SetItem(tuple.as_ptr(), signed(index), item.clone().into_ptr());
            }
            Ok(tuple)
        }
    }

    /// `import name`; of a dotted name the last module.
    pub fn import(self, name: &CStr) -> Result<'py, Object<'py>> {
        // SAFETY: a C string, and the thread is attached.
        unsafe { Object::owned(self, ffi::PyImport_ImportModule(name.as_ptr())) }
    }

    /// `sys.modules`.
    pub fn modules(self) -> Result<'py, Object<'py>> {
        // SAFETY: the thread is attached; the dict is there for as long as the interpreter.
        let modules = unsafe { NonNull::new(ffi::PyImport_GetModuleDict()) };
        // SAFETY: as above.
        modules
            .map(|modules| unsafe { Object::borrowed(self, modules) })
            .ok_or_else(|| Error::fetch(self))
    }

    /// A module that is in `sys.modules` already.
    pub fn loaded_module(self, name: &str) -> Result<'py, Option<Object<'py>>> {
        self.modules()?.item_opt(&self.text(name)?)
    }

    /// An empty module that is in no `sys.modules`.
    pub fn new_module(self, name: &str) -> Result<'py, Object<'py>> {
        let name = self.text(name)?;
        // SAFETY: a `str`, and the thread is attached.
        unsafe { Object::owned(self, ffi::PyModule_NewObject(name.as_ptr())) }
    }

    /// A new exception class; `name` is `module.name`.
    pub fn new_exception(
        self,
        name: &CStr,
        doc: &CStr,
        base: &Object<'py>,
    ) -> Result<'py, Object<'py>> {
        if !name.to_bytes().contains(&b'.') {
            let text = "the name of an exception class must be module.name";
            return Err(Error::new(self, crate::Exception::SystemError, text));
        }
        // SAFETY: C strings, which are copied, and a live object; null is an empty dict.
        unsafe {
            let (name, doc) = (name.as_ptr(), doc.as_ptr());
            let none = std::ptr::null_mut();
            Object::owned(self, ffi::PyErr_NewExceptionWithDoc(name, doc, base.as_ptr(), none))
        }
    }
}

/// A length for CPython. No object in memory is longer than `isize::MAX`.
pub(crate) fn signed(length: usize) -> isize {
    isize::try_from(length).expect("nothing in memory is longer than isize::MAX")
}
