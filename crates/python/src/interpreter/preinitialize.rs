//! The settings that CPython fixes before anything else: locale, encoding of file names,
//! allocators.
//!
//! `Py_InitializeEx` alone takes an embedding program's old default, in which the C locale means
//! ASCII. Here it is what the `python` program does: UTF-8 in the C locale (PEP 538, PEP 540), and
//! what `PYTHONUTF8`, `PYTHONCOERCECLOCALE` and the like say. The functions are not part of the
//! stable ABI, so they are looked up.

use std::ffi::c_int;
use std::mem::transmute;
use std::ptr::NonNull;

use crate::interpreter::initialize::{InitializeError, require};
use crate::interpreter::status::InitStatus;

/// Room for CPython's `PyPreConfig`, of which only CPython knows the fields: ten numbers in 3.10 to
/// 3.15.
#[repr(C)]
struct Room([c_int; 64]);

type Fill = unsafe extern "C" fn(*mut Room);
type Apply = unsafe extern "C" fn(*const Room) -> InitStatus;

/// Does it. A CPython that is initialised already stays as it is.
///
/// CPython changes the environment variable `LC_CTYPE` if it leaves the C locale. A host with
/// several threads sets the variable before it has them, and CPython finds nothing to change.
pub(crate) fn as_the_program_does() -> Result<(), InitializeError> {
    let fill = require(c"PyPreConfig_InitPythonConfig")?;
    let apply = require(c"Py_PreInitialize")?;
    let mut room = Room([0; 64]);
    // SAFETY: CPython declares the functions so since 3.8.
    let (fill, apply) =
        unsafe { (transmute::<NonNull<_>, Fill>(fill), transmute::<NonNull<_>, Apply>(apply)) };
    // SAFETY: the room is aligned as the structure is, and several times as large.
    unsafe { fill(&raw mut room) };
    // SAFETY: filled above; CPython copies what it needs.
    let status = unsafe { apply(&raw const room) };
    status.outcome().map_err(InitializeError::Locale)
}
