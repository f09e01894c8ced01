//! C strings of httpd as Rust's byte slices, and back.

use core::ffi::{CStr, c_char};

/// The bytes of a C string; `None` for a null pointer.
///
/// # Safety
/// `text` is null or points to a NUL-terminated string that lives and stays unchanged for `'a`.
pub(crate) unsafe fn bytes<'a>(text: *const c_char) -> Option<&'a [u8]> {
    if text.is_null() {
        return None;
    }
    // SAFETY: the caller vouches for the string.
    Some(unsafe { CStr::from_ptr(text) }.to_bytes())
}

/// The bytes up to the first NUL, since nothing behind it would reach C.
pub(crate) fn until_nul(text: &[u8]) -> &[u8] {
    text.split(|byte| *byte == 0).next().unwrap_or_default()
}
