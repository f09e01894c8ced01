//! Initialising Python in a process that is not a Python: an Apache child.
//!
//! The host has loaded libpython with its symbols visible to all. Symbols that the stable ABI
//! leaves out are looked up there. Settings that CPython only takes from the environment
//! (`PYTHONHASHSEED`) are the host's business, before it has threads.

use std::ffi::{CString, c_int};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::ptr::{self, NonNull};
use std::sync::Mutex;

use crate::lock::lock;

use pyo3_ffi as ffi;

use crate::attach::attached::{self, Attached, Scope};
use crate::interpreter::Interpreter;
use crate::interpreter::preinitialize;
use crate::interpreter::signals;
use crate::symbol;

/// How Python is initialised.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The `python` program whose environment is wanted, `<python-home>/bin/python`: CPython finds
    /// its library and a virtual environment as that program would.
    pub program: Option<PathBuf>,
    /// `-O`: 0, 1 or 2.
    pub optimize: u8,
    /// `-B`: write no `.pyc` files.
    pub dont_write_bytecode: bool,
    /// `-s`: leave the user's site directory out.
    pub no_user_site: bool,
}

/// A process with Python in it.
#[derive(Clone, Debug)]
pub struct Initialized {
    /// The main interpreter.
    pub main: Interpreter,
    /// Python was there already; none of the options had an effect.
    pub joined: bool,
}

/// Why Python was not initialised.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InitializeError {
    /// A symbol of CPython is not in the process.
    #[error("the symbol {0} is not in this process: load libpython with RTLD_GLOBAL first")]
    Symbol(String),
    /// The program's path cannot be handed to CPython.
    #[error("the python program {0} cannot be decoded in the current locale")]
    Program(PathBuf),
    /// CPython could not settle on a locale and an encoding.
    #[error("CPython cannot be prepared: {0}")]
    Locale(String),
}

/// Initialises Python, or joins it where it is initialised already. Signal dispositions stay as
/// they are. A thread that is not attached before is not attached after.
pub fn initialize(options: &Options) -> Result<Initialized, InitializeError> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _alone = lock(&ONE_AT_A_TIME);
    require(c"Py_IsInitialized")?;
    require(c"PyInterpreterState_Main")?;
    // SAFETY: may be asked at any time.
    if unsafe { ffi::Py_IsInitialized() } != 0 {
        return Ok(Initialized { main: main_of_running(), joined: true });
    }
    preinitialize::as_the_program_does()?;
    set_program(options)?;
    set_flag(c"Py_OptimizeFlag", c_int::from(options.optimize));
    set_flag(c"Py_DontWriteBytecodeFlag", c_int::from(options.dont_write_bytecode));
    set_flag(c"Py_NoUserSiteDirectory", c_int::from(options.no_user_site));
    // SAFETY: Python is not initialised. Afterwards the thread is attached to the main interpreter.
    signals::preserved(|| unsafe { ffi::Py_InitializeEx(0) });
    // SAFETY: attached by the line above, until `PyEval_SaveThread`.
    let main = unsafe {
        let scope = Scope::of_caller();
        let main = Interpreter::main(Attached::assume());
        drop(scope);
        ffi::PyEval_SaveThread();
        main
    };
    Ok(Initialized { main, joined: false })
}

fn main_of_running() -> Interpreter {
    if attached::current().is_some() {
        // SAFETY: the thread is attached for as long as its caller runs.
        return Interpreter::main(unsafe { Attached::assume() });
    }
    // SAFETY: Python is initialised, and the thread is not attached by this crate; if it is by
    // other code, it stays so.
    unsafe {
        let gil = ffi::PyGILState_Ensure();
        let scope = Scope::of_caller();
        let main = Interpreter::main(Attached::assume());
        drop(scope);
        ffi::PyGILState_Release(gil);
        main
    }
}

fn set_program(options: &Options) -> Result<(), InitializeError> {
    type SetProgramName = unsafe extern "C" fn(*const libc::wchar_t);
    let Some(program) = &options.program else { return Ok(()) };
    let address = require(c"Py_SetProgramName")?;
    // SAFETY: CPython declares the function so in all versions that have it.
    let set = unsafe { std::mem::transmute::<NonNull<_>, SetProgramName>(address) };
    let refused = || InitializeError::Program(program.clone());
    let path = CString::new(program.as_os_str().as_bytes()).map_err(|_| refused())?;
    // SAFETY: a C string; Python need not be initialised for this.
    let wide = unsafe { ffi::Py_DecodeLocale(path.as_ptr(), ptr::null_mut()) };
    if wide.is_null() {
        return Err(refused());
    }
    // SAFETY: a wide string of CPython's own that is never freed, as it has to be kept.
    unsafe { set(wide.cast()) };
    Ok(())
}

/// Sets one of CPython's flag variables where this version still has it.
fn set_flag(name: &std::ffi::CStr, value: c_int) {
    if let Some(address) = symbol::find(name)
        && value != 0
    {
        // SAFETY: the variable is a C int, and no code reads it before Python is initialised.
        unsafe { address.cast::<c_int>().write(value) };
    }
}

/// The address of a symbol that has to be there.
pub(crate) fn require(name: &std::ffi::CStr) -> Result<NonNull<std::ffi::c_void>, InitializeError> {
    let missing = || InitializeError::Symbol(name.to_string_lossy().into_owned());
    symbol::find(name).ok_or_else(missing)
}
