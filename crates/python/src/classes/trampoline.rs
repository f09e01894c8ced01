//! Where Python calls Rust: the one way in, with a panic trap.
//!
//! A panic becomes a `SystemError`; it never crosses into C.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use pyo3_ffi as ffi;

use crate::attach::attached::{Attached, Scope};
use crate::objects::error::{Result, set_system_error};
use crate::objects::object::Object;

/// For callbacks that return a new reference, or null with an exception set.
///
/// # Safety
/// CPython calls this thread, which is attached.
pub(crate) unsafe fn object(
    body: impl for<'py> FnOnce(Attached<'py>) -> Result<'py, Object<'py>>,
) -> *mut ffi::PyObject {
    // SAFETY: as the caller says.
    unsafe { value(ptr::null_mut(), |py| body(py).map(Object::into_ptr)) }
}

/// For callbacks that return something else, with `failed` where an exception is set.
///
/// # Safety
/// CPython calls this thread, which is attached.
pub(crate) unsafe fn value<R>(
    failed: R,
    body: impl for<'py> FnOnce(Attached<'py>) -> Result<'py, R>,
) -> R {
    // SAFETY: as the caller says.
    let _scope = unsafe { Scope::of_caller() };
    // SAFETY: as the caller says, until this function returns.
    let py = unsafe { Attached::assume() };
    let caught = catch_unwind(AssertUnwindSafe(|| {
        body(py).map_err(crate::objects::error::Error::restore).ok()
    }));
    match caught {
        Ok(Some(result)) => result,
        Ok(None) => failed,
        Err(panic) => {
            set_system_error(py, &format!("{PANIC}{}", message(&*panic)));
            // A payload whose drop panics must not bring the process down.
            std::mem::forget(panic);
            failed
        }
    }
}

/// For destructors, which can report nothing. An exception that is set stays set.
///
/// # Safety
/// CPython calls this thread, which is attached.
pub(crate) unsafe fn quiet(body: impl FnOnce()) {
    // SAFETY: as the caller says.
    let _scope = unsafe { Scope::of_caller() };
    let (mut class, mut value, mut traceback) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
    // SAFETY: the thread is attached; what is fetched is restored below.
    unsafe { ffi::PyErr_Fetch(&raw mut class, &raw mut value, &raw mut traceback) };
    if let Err(panic) = catch_unwind(AssertUnwindSafe(body)) {
        std::mem::forget(panic);
    }
    // SAFETY: the three references from above.
    unsafe { ffi::PyErr_Restore(class, value, traceback) };
}

/// The beginning of the message of a `SystemError` that was a panic.
pub(crate) const PANIC: &str = "panic: ";

fn message(panic: &(dyn Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text,
        _ => "no message",
    }
}
