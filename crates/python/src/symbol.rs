//! Symbols of CPython that its stable ABI leaves out, looked up when they are needed.
//!
//! The interpreter is in the process already, so a look-up among all loaded symbols finds its.

use std::ffi::{CStr, c_void};
use std::mem::transmute;
use std::ptr::NonNull;

use pyo3_ffi as ffi;

/// The address of a symbol of this process.
pub(crate) fn find(name: &CStr) -> Option<NonNull<c_void>> {
    // SAFETY: the name is a C string, and a look-up has no other demand.
    NonNull::new(unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) })
}

/// The main interpreter.
pub(crate) fn main_interpreter() -> Option<NonNull<ffi::PyInterpreterState>> {
    type Main = unsafe extern "C" fn() -> *mut ffi::PyInterpreterState;
    let address = find(c"PyInterpreterState_Main")?;
    // SAFETY: CPython declares the function so since 3.7.
    let main = unsafe { transmute::<NonNull<c_void>, Main>(address) };
    // SAFETY: it may be called at any time.
    NonNull::new(unsafe { main() })
}

/// How many thread states an interpreter has; `None` if CPython does not tell.
///
/// # Safety
/// The thread is attached to `interpreter`.
pub(crate) unsafe fn count_thread_states(
    interpreter: NonNull<ffi::PyInterpreterState>,
) -> Option<usize> {
    type Head = unsafe extern "C" fn(*mut ffi::PyInterpreterState) -> *mut ffi::PyThreadState;
    type Next = unsafe extern "C" fn(*mut ffi::PyThreadState) -> *mut ffi::PyThreadState;
    let head = find(c"PyInterpreterState_ThreadHead")?;
    let next = find(c"PyThreadState_Next")?;
    // SAFETY: CPython declares the functions so since 2.2.
    let (head, next) = unsafe {
        (transmute::<NonNull<c_void>, Head>(head), transmute::<NonNull<c_void>, Next>(next))
    };
    let mut count = 0;
    // SAFETY: the interpreter lives, for the thread is attached to it; its states change only
    // under the GIL, which this thread holds.
    unsafe {
        let mut state = head(interpreter.as_ptr());
        while !state.is_null() {
            count += 1;
            state = next(state);
        }
    }
    Some(count)
}

/// Whether the current thread holds the GIL, as far as CPython tells (up to 3.11 it says yes to
/// every thread once there are sub-interpreters).
pub(crate) fn holds_gil() -> bool {
    type Check = unsafe extern "C" fn() -> std::ffi::c_int;
    let Some(address) = find(c"PyGILState_Check") else { return false };
    // SAFETY: CPython declares the function so since 3.4.
    let check = unsafe { transmute::<NonNull<c_void>, Check>(address) };
    // SAFETY: it may be called at any time once Python is in the process.
    unsafe { check() != 0 }
}
