//! CPython's `PyStatus`: how a step of its initialisation went.

use std::ffi::{CStr, c_char, c_int};

/// CPython's `PyStatus`, laid out so since 3.8.
#[repr(C)]
pub(crate) struct InitStatus {
    kind: c_int,
    function: *const c_char,
    message: *const c_char,
    exit_code: c_int,
}

impl InitStatus {
    /// The error is CPython's own, where it has one.
    pub(crate) fn outcome(&self) -> Result<(), String> {
        if self.kind == 0 {
            return Ok(());
        }
        Err(self.text())
    }

    /// The message of CPython, or at least its numbers.
    pub(crate) fn text(&self) -> String {
        if self.message.is_null() {
            return format!("CPython's status is {} ({})", self.kind, self.exit_code);
        }
        // SAFETY: a constant string of CPython.
        unsafe { CStr::from_ptr(self.message) }.to_string_lossy().into_owned()
    }
}
