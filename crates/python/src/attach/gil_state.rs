//! Which thread state the `PyGILState` functions find.
//!
//! Extension modules use those functions to get back to "the" interpreter of their thread. From
//! 3.12 on they find the state that the thread attached with last, so they work in
//! sub-interpreters. Up to 3.11 they find the first state that the thread ever had, and one that is
//! attached with another waits for itself for ever (`sqlite3` in 3.10 does that when a connection
//! is closed). So for those versions the state is bound here, as 3.12 does it.
//!
//! CPython keeps the state in a thread-specific value whose key it does not tell. The key is found
//! by its value, and proved by changing it.

use std::ffi::CStr;
use std::ptr::NonNull;
use std::sync::OnceLock;

use pyo3_ffi as ffi;

type State = NonNull<ffi::PyThreadState>;

/// CPython's key; `None` where there is nothing to do or to be found.
static KEY: OnceLock<Option<libc::pthread_key_t>> = OnceLock::new();

/// Puts back what was bound before.
pub(crate) struct Bound(Option<(libc::pthread_key_t, *mut ffi::PyThreadState)>);

/// Has the `PyGILState` functions find `state` on this thread until the guard is dropped.
///
/// # Safety
/// `state` is this thread's own, and lives as long as the guard.
pub(crate) unsafe fn bind(state: State) -> Bound {
    // SAFETY: may be asked on any thread.
    let before = unsafe { ffi::PyGILState_GetThisThreadState() };
    if before == state.as_ptr() || before.is_null() {
        return Bound(None);
    }
    let Some(key) = *KEY.get_or_init(|| key(before, state)) else { return Bound(None) };
    set(key, state.as_ptr());
    Bound(Some((key, before)))
}

impl Drop for Bound {
    fn drop(&mut self) {
        if let Some((key, before)) = self.0 {
            set(key, before);
        }
    }
}

fn set(key: libc::pthread_key_t, state: *mut ffi::PyThreadState) {
    // SAFETY: the key is CPython's own, which lives as long as Python does. Its value is such a
    // pointer; it fails only for want of memory, and the thread has a value already.
    unsafe { libc::pthread_setspecific(key, state.cast_const().cast()) };
}

/// Looks for the key whose value is `current`, CPython's answer on this thread; `other` is another
/// state of the thread.
fn key(current: *mut ffi::PyThreadState, other: State) -> Option<libc::pthread_key_t> {
    if !binds_only_the_first() {
        return None;
    }
    // SAFETY: a number of the system.
    let count = unsafe { libc::sysconf(libc::_SC_THREAD_KEYS_MAX) };
    (0..libc::pthread_key_t::try_from(count).ok()?).find(|key| {
        // SAFETY: glibc and musl answer null for keys that are not in use.
        let same = unsafe { libc::pthread_getspecific(*key) } == current.cast();
        same && {
            set(*key, other.as_ptr());
            // SAFETY: may be asked on any thread.
            let found = unsafe { ffi::PyGILState_GetThisThreadState() } == other.as_ptr();
            // Another library's key, with the same pointer in it, is put back as it was.
            set(*key, current);
            found
        }
    })
}

/// Whether this CPython is older than 3.12.
fn binds_only_the_first() -> bool {
    // SAFETY: a constant string, such as "3.11.2 (main, ...".
    let version = unsafe { CStr::from_ptr(ffi::Py_GetVersion()) }.to_string_lossy();
    let mut numbers = version.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
    let (major, minor) = (numbers.next(), numbers.next());
    matches!((major, minor), (Some(Ok(3)), Some(Ok(..=11))))
}
