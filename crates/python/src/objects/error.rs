//! Python exceptions as Rust errors.

use std::ffi::CString;
use std::fmt;
use std::ptr;

use pyo3_ffi as ffi;

use crate::attach::attached::Attached;
use crate::classes::trampoline::PANIC;
use crate::objects::object::Object;

/// The result of a call into Python.
pub type Result<'py, T> = std::result::Result<T, Error<'py>>;

/// A Python exception that was raised and taken: the exception object with its traceback. It is
/// boxed in one pointer.
#[derive(Clone)]
pub struct Error<'py>(Object<'py>);

/// The built-in exception classes that are raised or told apart from Rust.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are Python's")]
pub enum Exception {
    AttributeError,
    BaseException,
    Exception,
    ImportError,
    LookupError,
    ModuleNotFoundError,
    NotImplementedError,
    OsError,
    RuntimeError,
    SyntaxError,
    SystemError,
    SystemExit,
    TypeError,
    UnicodeError,
    ValueError,
}

impl Exception {
    /// The class.
    pub fn class(self, py: Attached<'_>) -> Object<'_> {
        // SAFETY: reading pointers that CPython sets before any of our code runs and never changes.
        unsafe {
            py.constant(match self {
                Self::AttributeError => ffi::PyExc_AttributeError,
                Self::BaseException => ffi::PyExc_BaseException,
                Self::Exception => ffi::PyExc_Exception,
                Self::ImportError => ffi::PyExc_ImportError,
                Self::LookupError => ffi::PyExc_LookupError,
                Self::ModuleNotFoundError => ffi::PyExc_ModuleNotFoundError,
                Self::NotImplementedError => ffi::PyExc_NotImplementedError,
                Self::OsError => ffi::PyExc_OSError,
                Self::RuntimeError => ffi::PyExc_RuntimeError,
                Self::SyntaxError => ffi::PyExc_SyntaxError,
                Self::SystemError => ffi::PyExc_SystemError,
                Self::SystemExit => ffi::PyExc_SystemExit,
                Self::TypeError => ffi::PyExc_TypeError,
                Self::UnicodeError => ffi::PyExc_UnicodeError,
                Self::ValueError => ffi::PyExc_ValueError,
            })
        }
    }
}

impl<'py> Error<'py> {
    /// A new exception with a message; a NUL in it is shown as `\0`.
    pub fn new(py: Attached<'py>, class: Exception, message: &str) -> Self {
        let class = class.class(py);
        match py.text(message) {
            // SAFETY: an exception class and a value; the thread is attached.
            Ok(text) => unsafe { ffi::PyErr_SetObject(class.as_ptr(), text.as_ptr()) },
            Err(error) => return error,
        }
        Self::fetch(py)
    }

    /// An exception object to be raised: an instance of `BaseException`, or a class of them.
    pub fn raise(py: Attached<'py>, exception: &Object<'py>) -> Self {
        let class = exception.attr(c"__class__");
        let is_instance = exception.is_instance(&Exception::BaseException.class(py));
        let (class, value) = match (is_instance, class) {
            (Ok(true), Ok(class)) => (class, exception.clone()),
            (Ok(_), Ok(_)) => (exception.clone(), py.none()),
            (Err(error), _) | (_, Err(error)) => return error,
        };
        // SAFETY: live objects; what is no exception class becomes a SystemError.
        unsafe { ffi::PyErr_SetObject(class.as_ptr(), value.as_ptr()) };
        Self::fetch(py)
    }

    /// Takes the exception that is set.
    pub(crate) fn fetch(py: Attached<'py>) -> Self {
        Self::take(py).unwrap_or_else(|| {
            let text = "a call into Python failed and set no exception";
            Self::new(py, Exception::SystemError, text)
        })
    }

    /// Takes the exception that is set, if one is.
    pub(crate) fn take(py: Attached<'py>) -> Option<Self> {
        let (mut class, mut value, mut traceback) =
            (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
        // SAFETY: the thread is attached. `PyErr_Fetch` hands over references or nulls, and
        // `PyErr_NormalizeException` makes the value an instance of the class.
        unsafe {
            ffi::PyErr_Fetch(&raw mut class, &raw mut value, &raw mut traceback);
            if class.is_null() {
                return None;
            }
            ffi::PyErr_NormalizeException(&raw mut class, &raw mut value, &raw mut traceback);
            if !traceback.is_null() {
                ffi::PyException_SetTraceback(value, traceback);
                ffi::Py_DECREF(traceback);
            }
            ffi::Py_DECREF(class);
            Object::owned(py, value).ok().map(Self)
        }
    }

    /// Sets the exception again, for CPython to find.
    pub(crate) fn restore(self) {
        let value = self.0;
        // SAFETY: the value is an exception instance, the thread is attached; `PyErr_Restore`
        // takes over one reference of each.
        unsafe {
            let class = ffi::Py_TYPE(value.as_ptr()).cast();
            ffi::Py_INCREF(class);
            let traceback = ffi::PyException_GetTraceback(value.as_ptr());
            ffi::PyErr_Restore(class, value.into_ptr(), traceback);
        }
    }

    /// Reports the exception where CPython reports those that no code can handle.
    pub fn print(self) {
        self.restore();
        // SAFETY: an exception is set, and the thread is attached; no object is at fault.
        unsafe { ffi::PyErr_WriteUnraisable(ptr::null_mut()) };
    }

    /// The exception object.
    pub fn value(&self) -> &Object<'py> {
        &self.0
    }

    /// Whether the exception is of a built-in class.
    pub fn is_instance_of(&self, class: Exception) -> bool {
        self.matches(&class.class(self.0.py()))
    }

    /// Whether the exception is of `class`.
    pub fn matches(&self, class: &Object<'py>) -> bool {
        // SAFETY: live objects, and the thread is attached.
        unsafe { ffi::PyErr_GivenExceptionMatches(self.0.as_ptr(), class.as_ptr()) != 0 }
    }

    /// The message of the panic that the exception was, in a function of ours that Python called.
    pub fn panic(&self) -> Option<String> {
        let text = self.is_instance_of(Exception::SystemError).then(|| self.0.display())?;
        text.strip_prefix(PANIC).map(str::to_owned)
    }

    /// The traceback object.
    pub fn traceback(&self) -> Option<Object<'py>> {
        // SAFETY: an exception instance, and the thread is attached; null without exception.
        let traceback = unsafe { ffi::PyException_GetTraceback(self.0.as_ptr()) };
        // SAFETY: a new reference.
        (!traceback.is_null()).then(|| unsafe { Object::owned(self.0.py(), traceback).ok() })?
    }

    /// The lines that Python would print, without ends of line. Where the `traceback` module
    /// fails, one line with class and text.
    pub fn lines(&self) -> Vec<String> {
        self.format().unwrap_or_else(|_| vec![self.to_string()])
    }

    fn format(&self) -> Result<'py, Vec<String>> {
        let py = self.0.py();
        let class = self.0.attr(c"__class__")?;
        let traceback = self.traceback().unwrap_or_else(|| py.none());
        let module = py.import(c"traceback")?;
        let arguments = [&class, &self.0, &traceback];
        let mut lines = Vec::new();
        for part in module.call_method(c"format_exception", &arguments)?.iterate()? {
            lines.extend(part?.display().lines().map(str::to_owned));
        }
        Ok(lines)
    }
}

impl fmt::Display for Error<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.type_name(), self.0.display())
    }
}

impl fmt::Debug for Error<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Sets an exception where there may be no memory for objects of ours.
pub(crate) fn set_system_error(_py: Attached<'_>, message: &str) {
    let message = CString::new(message.replace('\0', "\\0")).expect("NULs have been replaced");
    // SAFETY: an exception class and a C string, which is copied; the thread is attached.
    unsafe { ffi::PyErr_SetString(ffi::PyExc_SystemError, message.as_ptr()) };
}
