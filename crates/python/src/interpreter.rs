//! Interpreters of the process, and how a thread attaches to them.
//!
//! All share one GIL, unless one is asked to have its own: sub-interpreters are made as CPython has
//! always made them, so extension modules that were written for that keep working.

pub(crate) mod fork;
pub(crate) mod initialize;
pub(crate) mod interrupt;
pub(crate) mod preinitialize;
pub(crate) mod shutdown;
pub mod signals;
pub(crate) mod status;

mod own_gil;

use std::fmt;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use crate::lock::lock;

use pyo3_ffi as ffi;

use crate::attach::attached::{self, Attached, InterpreterId, Scope};
use crate::attach::gil_state::{self, Bound};
use crate::attach::thread_state;
use crate::objects::error::Error;
use crate::symbol;

/// An interpreter of this process. Copies mean the same one.
#[derive(Clone)]
pub struct Interpreter(Arc<InterpreterState>);

/// Why a thread could not attach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttachError {
    /// The thread is attached to another interpreter; it has to detach first.
    #[error("this thread is attached to interpreter {0:?}; detach first")]
    Busy(InterpreterId),
    /// The interpreter has been ended.
    #[error("interpreter {0:?} has been ended")]
    Ended(InterpreterId),
}

/// A sub-interpreter could not be made; what CPython says about it, if anything.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "CPython cannot make another sub-interpreter{}",
    .0.as_deref().map(|text| format!(": {text}")).unwrap_or_default()
)]
pub struct CreateError(Option<String>);

/// Why an interpreter was not ended. It stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndError {
    /// The main interpreter ends with the process.
    #[error("the main interpreter is not ended before the process")]
    Main,
    /// The thread is attached to an interpreter.
    #[error("the thread is attached; detach first")]
    Attached,
    /// It has been ended before.
    #[error("the interpreter has been ended already")]
    Ended,
    /// Other threads are attached, or keep thread states: they have to end first.
    #[error("other threads still use the interpreter; they have to end first")]
    InUse,
    /// Python code in it started threads that do not end. No thread can attach to it any more.
    #[error("threads that run in the interpreter did not end")]
    ThreadsLeft,
}

pub(crate) struct InterpreterState {
    pub(crate) id: InterpreterId,
    pub(crate) pointer: NonNull<ffi::PyInterpreterState>,
    /// The thread state that came with a sub-interpreter. It belongs to no thread and stays to the
    /// end: up to 3.11, CPython ends the process when an interpreter that has lost its last state
    /// gets a new one.
    first: AtomicPtr<ffi::PyThreadState>,
    own_gil: AtomicBool,
    life: Mutex<Life>,
}

// SAFETY: the pointer is only handed to CPython functions that any thread may call, and only
// while `life` says that the interpreter is there.
unsafe impl Send for InterpreterState {}
// SAFETY: as above.
unsafe impl Sync for InterpreterState {}

#[derive(Default)]
struct Life {
    ended: bool,
    /// Threads that are attached or about to be.
    inside: usize,
    /// Thread states that threads of ours keep.
    states: isize,
}

/// How long an interpreter that is being ended waits for thread states to go.
const LAST_STATES: Duration = Duration::from_millis(500);

static KNOWN: Mutex<Vec<Arc<InterpreterState>>> = Mutex::new(Vec::new());

impl Interpreter {
    /// The main interpreter.
    ///
    /// # Panics
    /// Never: CPython has one while a thread is attached.
    pub fn main(_py: Attached<'_>) -> Self {
        let pointer = symbol::main_interpreter().expect("a CPython has a main interpreter");
        Self(known(InterpreterId::MAIN, pointer))
    }

    /// The interpreter that the thread is attached to.
    ///
    /// # Panics
    /// Never: CPython has one while a thread is attached.
    pub fn current(py: Attached<'_>) -> Self {
        // SAFETY: the token proves that the thread is attached.
        let pointer = NonNull::new(unsafe { ffi::PyInterpreterState_Get() });
        Self(known(py.interpreter(), pointer.expect("an attached thread has an interpreter")))
    }

    /// Makes a sub-interpreter. The thread stays attached to the one it is attached to.
    ///
    /// # Panics
    /// If CPython says that it made one and then has none.
    pub fn create(py: Attached<'_>) -> Result<Self, CreateError> {
        // SAFETY: the token proves that the thread is attached.
        let start = || unsafe { ffi::Py_NewInterpreter() };
        Self::made_by(py, || NonNull::new(start()).ok_or(CreateError(None)))
    }

    /// Makes a sub-interpreter with a GIL of its own. Extension modules that do not say that they
    /// can be used by several interpreters are refused there by CPython, as are fork and daemon
    /// threads. The thread stays attached to the one it is attached to.
    ///
    /// # Panics
    /// If CPython says that it made one and then has none.
    pub fn create_with_own_gil(py: Attached<'_>) -> Result<Self, CreateError> {
        // SAFETY: the token proves that the thread is attached.
        let start = || unsafe { own_gil::new() };
        let why = |text| CreateError(Some(text));
        let made =
            Self::made_by(py, || NonNull::new(start().map_err(why)?).ok_or(CreateError(None)))?;
        made.0.own_gil.store(true, Ordering::Release);
        Ok(made)
    }

    /// Whether this CPython can do [`Interpreter::create_with_own_gil`].
    pub fn can_have_own_gil() -> bool {
        own_gil::is_possible()
    }

    /// The interpreter whose first state `start` leaves current.
    fn made_by(
        _py: Attached<'_>,
        start: impl FnOnce() -> Result<NonNull<ffi::PyThreadState>, CreateError>,
    ) -> Result<Self, CreateError> {
        // SAFETY: the thread is attached, and stays so: the state is swapped back below, which also
        // changes the GIL where the new interpreter has its own.
        let (made, shared) = unsafe {
            let before = ffi::PyThreadState_Get();
            let made = start();
            let shared = made.is_ok().then(|| {
                let pointer = NonNull::new(ffi::PyInterpreterState_Get());
                known(attached::actual(), pointer.expect("the new interpreter is current"))
            });
            ffi::PyThreadState_Swap(before);
            (made?, shared)
        };
        let shared = shared.ok_or(CreateError(None))?;
        shared.first.store(made.as_ptr(), Ordering::Release);
        Ok(Self(shared))
    }

    /// Whether threads of this process run Python code one at a time: builds without a GIL, where
    /// nothing has switched it on again, run it at the same time.
    pub fn has_gil(py: Attached<'_>) -> bool {
        let asked = || {
            let asked = py.import(c"sys")?.attr_opt(c"_is_gil_enabled")?;
            asked.map_or(Ok(true), |asked| asked.call(&[])?.is_true())
        };
        asked().unwrap_or(true)
    }

    /// Which interpreter this is.
    pub fn id(&self) -> InterpreterId {
        self.0.id
    }

    /// Runs `work` attached to this interpreter, waiting for its GIL. A thread that is attached to
    /// it already just runs `work`.
    pub fn try_attach<R>(
        &self,
        work: impl for<'py> FnOnce(Attached<'py>) -> R,
    ) -> Result<R, AttachError> {
        let shared = &self.0;
        if let Some(current) = attached::current() {
            if current != shared.id {
                return Err(AttachError::Busy(current));
            }
            // SAFETY: the thread is attached to this interpreter until this call returns: the call
            // that attached it is further up its stack.
            let py = unsafe { Attached::assume() };
            return Ok(work(py));
        }
        if !shared.enter() {
            return Err(AttachError::Ended(shared.id));
        }
        let _inside = Inside(shared);
        let state = thread_state::of(shared);
        // SAFETY: it is this thread's own state for a live interpreter, and the thread is detached.
        unsafe { ffi::PyEval_RestoreThread(state.as_ptr()) };
        // SAFETY: as above; the state outlives this call.
        let bound = unsafe { gil_state::bind(state) };
        let _detach = Detach { _scope: Scope::enter(shared.id), _bound: bound };
        // SAFETY: attached above, detached when `_detach` goes, after `work` has returned.
        Ok(work(unsafe { Attached::assume() }))
    }

    /// [`Interpreter::try_attach`] for callers where it cannot fail.
    ///
    /// # Panics
    /// If the interpreter has been ended or the thread is attached to another one.
    pub fn attach<R>(&self, work: impl for<'py> FnOnce(Attached<'py>) -> R) -> R {
        match self.try_attach(work) {
            Ok(result) => result,
            Err(error) => panic!("{error}"),
        }
    }

    /// Ends a sub-interpreter: joins its threads, runs its `atexit` functions, frees it. The
    /// calling thread is not attached, and all others that ever attached to it have ended.
    /// [`Handle`](crate::Handle)s to its objects stay valid and can do nothing any more.
    pub fn end(self) -> Result<(), EndError> {
        let shared = &self.0;
        if shared.id == InterpreterId::MAIN {
            return Err(EndError::Main);
        }
        if attached::current().is_some() {
            return Err(EndError::Attached);
        }
        let main = {
            let known = lock(&KNOWN);
            known.iter().find(|other| other.id == InterpreterId::MAIN).cloned()
        };
        let pointer = symbol::main_interpreter().ok_or(EndError::Main)?;
        let main = main.unwrap_or_else(|| self::known(InterpreterId::MAIN, pointer));
        // The thread's own state counts, so it is made before anything is counted.
        if !shared.enter() {
            return Err(EndError::Ended);
        }
        let state = thread_state::of(shared);
        let main_state = thread_state::of(&main);
        {
            let mut life = shared.life();
            life.inside -= 1;
            if life.inside > 0 || life.states > 1 {
                return Err(EndError::InUse);
            }
            life.ended = true;
        }
        // SAFETY: this thread's own state; `ended` is set by this call, so no other thread ends it.
        unsafe { ffi::PyEval_RestoreThread(state.as_ptr()) };
        // SAFETY: the same; when the state has been freed below, the guard only puts back the
        // state that was found before.
        let _bound = unsafe { gil_state::bind(state) };
        let scope = Scope::enter(shared.id);
        // SAFETY: attached by the line above, until the end of this function.
        let py = unsafe { Attached::assume() };
        shutdown::join_threads(py).unwrap_or_else(Error::print);
        shutdown::run_atexit(py).unwrap_or_else(Error::print);
        // SAFETY: attached; no thread attaches with the first state, and it is taken out once.
        unsafe { shared.drop_first() };
        if !shared.is_alone(py) {
            drop(scope);
            // SAFETY: attached; the interpreter is left as it is.
            unsafe { ffi::PyEval_SaveThread() };
            return Err(EndError::ThreadsLeft);
        }
        // SAFETY: its only thread state is the current one. Afterwards no state is current; up to
        // 3.11 the GIL is still held, later it is not: swapping the main state in is right for
        // both, and saving it detaches.
        unsafe {
            ffi::Py_EndInterpreter(state.as_ptr());
            ffi::PyThreadState_Swap(main_state.as_ptr());
            ffi::PyEval_SaveThread();
        }
        drop(scope);
        thread_state::forget(shared.id);
        let mut known = lock(&KNOWN);
        known.retain(|other| other.id != shared.id);
        Ok(())
    }
}

impl fmt::Debug for Interpreter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Interpreter").field(&self.0.id.0).finish()
    }
}

/// Detaches when attached work is done, also when it panics.
struct Detach {
    _scope: Scope,
    _bound: Bound,
}

impl Drop for Detach {
    fn drop(&mut self) {
        // SAFETY: `try_attach` attached this thread, and what was attached or detached meanwhile
        // has been undone.
        unsafe { ffi::PyEval_SaveThread() };
    }
}

/// Counts a thread out when it is done.
struct Inside<'a>(&'a InterpreterState);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.leave();
    }
}

impl InterpreterState {
    /// Frees the state that came with the interpreter.
    ///
    /// # Safety
    /// The thread is attached to the interpreter with another state.
    unsafe fn drop_first(&self) {
        let first = self.first.swap(std::ptr::null_mut(), Ordering::AcqRel);
        if first.is_null() {
            return;
        }
        // SAFETY: the caller is attached; this state is current nowhere, and known here only.
        unsafe {
            ffi::PyThreadState_Clear(first);
            ffi::PyThreadState_Delete(first);
        }
    }

    /// Whether the interpreter does not share the main one's GIL.
    pub(crate) fn has_own_gil(&self) -> bool {
        self.own_gil.load(Ordering::Acquire)
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        lock(&self.life)
    }

    /// Counts a thread in; `false` if the interpreter has been ended.
    pub(crate) fn enter(&self) -> bool {
        let mut life = self.life();
        life.inside += usize::from(!life.ended);
        !life.ended
    }

    /// Whether the current thread state is the interpreter's only one. A thread that has been
    /// joined may still have to take its own away, so it is waited for a little.
    fn is_alone(&self, py: Attached<'_>) -> bool {
        let start = Instant::now();
        loop {
            // SAFETY: the thread is attached to this interpreter, which is being ended by it.
            let states = unsafe { symbol::count_thread_states(self.pointer) };
            if states == Some(1) || start.elapsed() > LAST_STATES {
                return states == Some(1);
            }
            py.detach(|| thread::sleep(Duration::from_millis(1)));
        }
    }

    pub(crate) fn leave(&self) {
        self.life().inside -= 1;
    }

    pub(crate) fn count_state(&self, change: isize) {
        self.life().states += change;
    }
}

fn known(id: InterpreterId, pointer: NonNull<ffi::PyInterpreterState>) -> Arc<InterpreterState> {
    let mut known = lock(&KNOWN);
    if let Some(shared) = known.iter().find(|shared| shared.id == id) {
        return Arc::clone(shared);
    }
    let shared = Arc::new(InterpreterState {
        id,
        pointer,
        first: AtomicPtr::default(),
        own_gil: AtomicBool::default(),
        life: Mutex::default(),
    });
    known.push(Arc::clone(&shared));
    shared
}
