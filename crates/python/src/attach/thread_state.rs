//! Thread states: each native thread keeps one per interpreter, for the thread's life.
//!
//! So `threading.local` and context variables last from one attach to the next. The state for the
//! main interpreter is the one that CPython's `PyGILState` functions know, and it is made before
//! any other; while the thread is attached with another one, they find that (see `gil_state`).
//! A thread that ends frees the states that were made here.

use std::cell::RefCell;
use std::ptr::NonNull;
use std::sync::Arc;

use pyo3_ffi as ffi;

use crate::attach::attached::{self, InterpreterId, Scope};
use crate::attach::gil_state;
use crate::interpreter::InterpreterState;
use crate::symbol;

thread_local! {
    static STATES: RefCell<States> = const { RefCell::new(States(Vec::new())) };
}

struct States(Vec<Entry>);

struct Entry {
    interpreter: InterpreterId,
    state: NonNull<ffi::PyThreadState>,
    made: Made,
}

/// The maker of a thread state, which decides how it is freed.
enum Made {
    /// Other code; it is only known here.
    Elsewhere,
    /// `PyGILState_Ensure`, which returned this.
    Ensured(ffi::PyGILState_STATE),
    /// `PyThreadState_New`.
    New(Arc<InterpreterState>),
}

/// The thread's state for `shared`, made if there is none. The thread is not attached.
pub(crate) fn of(shared: &Arc<InterpreterState>) -> NonNull<ffi::PyThreadState> {
    // An interpreter with a GIL of its own must not wait for the main interpreter's.
    if !shared.has_own_gil() {
        let main = known(InterpreterId::MAIN).unwrap_or_else(ensure_main);
        if shared.id == InterpreterId::MAIN {
            return main;
        }
    }
    known(shared.id).unwrap_or_else(|| {
        // SAFETY: the pointer is that of a live interpreter: `Interpreter::enter` counted this
        // thread in before it came here, so the interpreter cannot be ended meanwhile.
        let state = unsafe { ffi::PyThreadState_New(shared.pointer.as_ptr()) };
        let state = NonNull::new(state).expect("CPython has memory for a thread state");
        shared.count_state(1);
        push(shared.id, state, Made::New(Arc::clone(shared)));
        state
    })
}

/// Forgets the state for an interpreter that is being ended, with which it dies.
pub(crate) fn forget(interpreter: InterpreterId) {
    reach(|entries| entries.retain(|entry| entry.interpreter != interpreter));
}

/// While a thread that Python made is detached, its own state is what attaches to the same
/// interpreter. `true` if it was not known before.
pub(crate) fn lend(interpreter: InterpreterId, state: *mut ffi::PyThreadState) -> bool {
    let Some(state) = NonNull::new(state) else { return false };
    if known(interpreter).is_some() {
        return false;
    }
    push(interpreter, state, Made::Elsewhere);
    true
}

/// Ends what [`lend`] began.
pub(crate) fn take_back(interpreter: InterpreterId) {
    forget(interpreter);
}

fn known(interpreter: InterpreterId) -> Option<NonNull<ffi::PyThreadState>> {
    reach(|entries| {
        let entry = entries.iter().find(|entry| entry.interpreter == interpreter)?;
        Some(entry.state)
    })?
}

fn push(interpreter: InterpreterId, state: NonNull<ffi::PyThreadState>, made: Made) {
    reach(|entries| entries.push(Entry { interpreter, state, made }));
}

/// The thread's list; `None` while it is being dropped, when freeing a state may still run Python
/// code that detaches. Never panics: some callers are half-way between attached and not.
fn reach<R>(work: impl FnOnce(&mut Vec<Entry>) -> R) -> Option<R> {
    STATES.try_with(|states| work(&mut states.borrow_mut().0)).ok()
}

fn ensure_main() -> NonNull<ffi::PyThreadState> {
    // SAFETY: Python is initialised, for there is an `Interpreter`.
    let before = unsafe { ffi::PyGILState_GetThisThreadState() };
    // SAFETY: the same; the thread is not attached, which `Interpreter::enter` has checked.
    let gil = unsafe { ffi::PyGILState_Ensure() };
    // SAFETY: the call above attached the thread.
    if unsafe { attached::actual() } == InterpreterId::MAIN {
        // SAFETY: the same.
        let state = unsafe { ffi::PyEval_SaveThread() };
        let state = NonNull::new(state).expect("the thread was attached");
        // An `Ensure` without its `Release` keeps the state alive between two attaches.
        let made = if before.is_null() { Made::Ensured(gil) } else { Made::Elsewhere };
        push(InterpreterId::MAIN, state, made);
        return state;
    }
    // The thread is one of a sub-interpreter, and CPython took it at its word.
    // SAFETY: the pair of the call above.
    unsafe { ffi::PyGILState_Release(gil) };
    let main = symbol::main_interpreter().expect("every CPython has PyInterpreterState_Main");
    // SAFETY: the main interpreter lives as long as Python does.
    let state = unsafe { ffi::PyThreadState_New(main.as_ptr()) };
    let state = NonNull::new(state).expect("CPython has memory for a thread state");
    // It may be known to `PyGILState` from now on, so it is never freed.
    push(InterpreterId::MAIN, state, Made::Elsewhere);
    state
}

impl Drop for States {
    /// The thread ends: its states go, the main interpreter's last.
    fn drop(&mut self) {
        // SAFETY: this may always be asked.
        if unsafe { ffi::Py_IsInitialized() } == 0 || attached::current().is_some() {
            return;
        }
        while let Some(Entry { interpreter, state, made }) = self.0.pop() {
            match made {
                Made::Elsewhere => {}
                Made::Ensured(gil) => {
                    // SAFETY: this thread's own state, of an interpreter that lives while Python
                    // is initialised; nothing is attached.
                    unsafe { ffi::PyEval_RestoreThread(state.as_ptr()) };
                    let _scope = Scope::enter(interpreter);
                    // SAFETY: the pair of `PyGILState_Ensure`; it frees the state and detaches.
                    unsafe { ffi::PyGILState_Release(gil) };
                }
                Made::New(shared) => {
                    if !shared.enter() {
                        continue;
                    }
                    // SAFETY: this thread's own state; `enter` says that its interpreter lives,
                    // and keeps it alive until `leave`.
                    unsafe { ffi::PyEval_RestoreThread(state.as_ptr()) };
                    let scope = Scope::enter(interpreter);
                    // SAFETY: attached with this very state, which is freed after the guard has
                    // gone. Objects that the state holds may call Python when they are dropped.
                    unsafe {
                        let bound = gil_state::bind(state);
                        ffi::PyThreadState_Clear(state.as_ptr());
                        drop(bound);
                        ffi::PyEval_SaveThread();
                    }
                    drop(scope);
                    // SAFETY: cleared and current nowhere; no other code has its address.
                    unsafe { ffi::PyThreadState_Delete(state.as_ptr()) };
                    shared.count_state(-1);
                    shared.leave();
                }
            }
        }
    }
}
