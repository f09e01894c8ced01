//! From Python's values to Rust's, and the questions what an object is.

use std::os::fd::{FromRawFd, OwnedFd};

use pyo3_ffi as ffi;

use crate::objects::error::{Error, Exception, Result};
use crate::objects::object::Object;

impl<'py> Object<'py> {
    /// `self is None`.
    pub fn is_none(&self) -> bool {
        // SAFETY: the address of a constant of CPython's.
        self.as_ptr() == unsafe { ffi::Py_None() }
    }

    /// An instance of `str`.
    pub fn is_str(&self) -> bool {
        // SAFETY: the object is alive.
        unsafe { ffi::PyUnicode_Check(self.as_ptr()) != 0 }
    }

    /// An instance of `bytes`.
    pub fn is_bytes(&self) -> bool {
        // SAFETY: the object is alive.
        unsafe { ffi::PyBytes_Check(self.as_ptr()) != 0 }
    }

    /// An instance of `int`.
    pub fn is_int(&self) -> bool {
        // SAFETY: the object is alive.
        unsafe { ffi::PyLong_Check(self.as_ptr()) != 0 }
    }

    /// An instance of `list`.
    pub fn is_list(&self) -> bool {
        // SAFETY: the object is alive.
        unsafe { ffi::PyList_Check(self.as_ptr()) != 0 }
    }

    /// An instance of `tuple`.
    pub fn is_tuple(&self) -> bool {
        // SAFETY: the object is alive.
        unsafe { ffi::PyTuple_Check(self.as_ptr()) != 0 }
    }

    /// A `list`, and not one of a class derived from it.
    pub fn is_exact_list(&self) -> bool {
        // SAFETY: the object is alive.
        unsafe { ffi::PyList_CheckExact(self.as_ptr()) != 0 }
    }

    /// A `tuple`, and not one of a class derived from it.
    pub fn is_exact_tuple(&self) -> bool {
        // SAFETY: the object is alive.
        unsafe { ffi::PyTuple_CheckExact(self.as_ptr()) != 0 }
    }

    /// An instance of `dict`.
    pub fn is_dict(&self) -> bool {
        // SAFETY: the object is alive.
        unsafe { ffi::PyDict_Check(self.as_ptr()) != 0 }
    }

    /// The name of the object's class.
    pub fn type_name(&self) -> String {
        // SAFETY: the object is alive, and so is its type while it is.
        let class = unsafe {
            let class = ffi::Py_TYPE(self.as_ptr()).cast();
            Object::borrowed(self.py(), std::ptr::NonNull::new_unchecked(class))
        };
        let name = class.attr(c"__name__").and_then(|name| name.utf8());
        // Any text can be a name; in a message it stays within its line.
        name.map_or_else(|_| "object".to_owned(), |name| name.replace(char::is_control, " "))
    }

    /// The bytes of a `bytes` object.
    pub fn as_bytes(&self) -> Result<'py, &[u8]> {
        let mut start = std::ptr::null_mut();
        let mut length = 0;
        // SAFETY: the object is alive; what is no `bytes` is refused. The bytes never change and
        // live as long as the object, which `self` keeps.
        unsafe {
            if ffi::PyBytes_AsStringAndSize(self.as_ptr(), &raw mut start, &raw mut length) < 0 {
                return Err(Error::fetch(self.py()));
            }
            Ok(std::slice::from_raw_parts(start.cast(), length.unsigned_abs()))
        }
    }

    /// `bytes(self)` for whatever has the buffer protocol or yields small integers.
    pub fn to_bytes(&self) -> Result<'py, Object<'py>> {
        // SAFETY: the object is alive, and the thread is attached.
        unsafe { Self::owned(self.py(), ffi::PyBytes_FromObject(self.as_ptr())) }
    }

    /// A `str` as UTF-8; lone surrogates are an error.
    pub fn utf8(&self) -> Result<'py, String> {
        let mut length = 0;
        // SAFETY: the object is alive; what is no `str` is refused. The bytes are valid UTF-8 of
        // that length, owned by the object, and are copied at once.
        unsafe {
            let start = ffi::PyUnicode_AsUTF8AndSize(self.as_ptr(), &raw mut length);
            if start.is_null() {
                return Err(Error::fetch(self.py()));
            }
            let bytes = std::slice::from_raw_parts(start.cast::<u8>(), length.unsigned_abs());
            Ok(std::str::from_utf8_unchecked(bytes).to_owned())
        }
    }

    /// A `str` in latin-1; other characters are a `UnicodeEncodeError`.
    pub fn latin1(&self) -> Result<'py, Vec<u8>> {
        if let Some(bytes) = self.ascii() {
            return Ok(bytes.to_vec());
        }
        // SAFETY: the object is alive; what is no `str` is refused.
        let bytes =
            unsafe { Self::owned(self.py(), ffi::PyUnicode_AsLatin1String(self.as_ptr()))? };
        Ok(bytes.as_bytes()?.to_vec())
    }

    /// The characters of a `str` that has none but ASCII: CPython keeps those as bytes, and nothing
    /// is made.
    fn ascii(&self) -> Option<&[u8]> {
        if !self.is_str() {
            return None;
        }
        // SAFETY: a `str`.
        let characters = unsafe { ffi::PyUnicode_GetLength(self.as_ptr()) };
        let mut length = 0;
        // SAFETY: as above; the bytes are owned by the object, which `self` keeps, and never
        // change.
        unsafe {
            let start = ffi::PyUnicode_AsUTF8AndSize(self.as_ptr(), &raw mut length);
            if start.is_null() {
                ffi::PyErr_Clear();
                return None;
            }
            // Others have two bytes or more.
            let is_ascii = length == characters;
            is_ascii.then(|| std::slice::from_raw_parts(start.cast(), length.unsigned_abs()))
        }
    }

    /// `str(self)`, with `\` escapes for what is not Unicode; never fails.
    pub fn display(&self) -> String {
        let py = self.py();
        let shown = || -> Result<'py, String> {
            // SAFETY: the object is alive, and the thread is attached.
            let text = unsafe { Self::owned(py, ffi::PyObject_Str(self.as_ptr()))? };
            let arguments = [&py.text("utf-8")?, &py.text("backslashreplace")?];
            let bytes = text.call_method(c"encode", &arguments)?;
            Ok(String::from_utf8_lossy(bytes.as_bytes()?).into_owned())
        };
        shown().unwrap_or_else(|_| format!("<unprintable {} object>", self.type_name()))
    }

    /// An `int`, or what has `__index__`.
    pub fn to_i64(&self) -> Result<'py, i64> {
        let py = self.py();
        // SAFETY: the object is alive, and the thread is attached.
        let number = unsafe { Self::owned(py, ffi::PyNumber_Index(self.as_ptr()))? };
        // SAFETY: an `int`.
        let value = unsafe { ffi::PyLong_AsLongLong(number.as_ptr()) };
        match if value == -1 { Error::take(py) } else { None } {
            Some(error) => Err(error),
            None => Ok(value),
        }
    }

    /// A `float`, or what can be one.
    pub fn to_f64(&self) -> Result<'py, f64> {
        // SAFETY: the object is alive, and the thread is attached.
        let value = unsafe { ffi::PyFloat_AsDouble(self.as_ptr()) };
        match if value < 0.0 { Error::take(self.py()) } else { None } {
            Some(error) => Err(error),
            None => Ok(value),
        }
    }

    /// A duplicate of the descriptor of an `int` or of what has `fileno()`. It shares the file
    /// position with the original.
    pub fn file_descriptor(&self) -> Result<'py, OwnedFd> {
        let py = self.py();
        // SAFETY: the object is alive, and the thread is attached.
        let original = unsafe { ffi::PyObject_AsFileDescriptor(self.as_ptr()) };
        if original < 0 {
            return Err(Error::fetch(py));
        }
        // SAFETY: a number that is no descriptor is refused with EBADF.
        let copy = unsafe { libc::fcntl(original, libc::F_DUPFD_CLOEXEC, 0) };
        if copy < 0 {
            let text = std::io::Error::last_os_error().to_string();
            return Err(Error::new(py, Exception::OsError, &text));
        }
        // SAFETY: a new descriptor that has no other owner.
        Ok(unsafe { OwnedFd::from_raw_fd(copy) })
    }
}
