//! Sub-interpreters with a GIL of their own (PEP 684): from CPython 3.12 on.
//!
//! The functions are not part of the stable ABI, so they are looked up; the layout of what they
//! take has been the same since they exist (3.12 to 3.14).

use std::ffi::c_int;
use std::mem::transmute;
use std::ptr::{self, NonNull};

use pyo3_ffi as ffi;

use crate::interpreter::status::InitStatus;
use crate::symbol;

/// CPython's `PyInterpreterConfig`.
#[repr(C)]
struct Config {
    use_main_obmalloc: c_int,
    allow_fork: c_int,
    allow_exec: c_int,
    allow_threads: c_int,
    allow_daemon_threads: c_int,
    check_multi_interp_extensions: c_int,
    gil: c_int,
}

/// `PyInterpreterConfig_OWN_GIL`.
const OWN_GIL: c_int = 2;

/// CPython's isolated configuration: extension modules must say that they can be used by several
/// interpreters, and nothing is allowed that such an interpreter cannot undo.
static ISOLATED: Config = Config {
    use_main_obmalloc: 0,
    allow_fork: 0,
    allow_exec: 0,
    allow_threads: 1,
    allow_daemon_threads: 0,
    check_multi_interp_extensions: 1,
    gil: OWN_GIL,
};

type New = unsafe extern "C" fn(*mut *mut ffi::PyThreadState, *const Config) -> InitStatus;

/// Whether this CPython can make such interpreters.
pub(super) fn is_possible() -> bool {
    address().is_some()
}

fn address() -> Option<NonNull<std::ffi::c_void>> {
    symbol::find(c"Py_NewInterpreterFromConfig")
}

/// Makes an interpreter and gives its first thread state, which is current then. The error is
/// CPython's own, where it has one.
///
/// # Safety
/// The thread is attached. Afterwards it is attached with the new state, or as before.
pub(super) unsafe fn new() -> Result<*mut ffi::PyThreadState, String> {
    let address = address().ok_or("CPython has none before 3.12")?;
    // SAFETY: CPython declares the function so since 3.12.
    let new = unsafe { transmute::<NonNull<std::ffi::c_void>, New>(address) };
    let mut state = ptr::null_mut();
    // SAFETY: both pointers are good for the call, and the thread is attached.
    let status = unsafe { new(&raw mut state, &raw const ISOLATED) };
    if !state.is_null() {
        return Ok(state);
    }
    Err(status.text())
}
