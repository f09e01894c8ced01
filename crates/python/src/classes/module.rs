//! Extension modules: what a library's `PyInit_…` returns.

use std::ffi::{CStr, c_int, c_void};
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::OnceLock;

use pyo3_ffi as ffi;

use crate::attach::attached::Attached;
use crate::classes::function::{self, Function};
use crate::classes::trampoline;
use crate::objects::error::Result;
use crate::objects::object::Object;
use crate::symbol;

/// An extension module.
pub trait Module: 'static {
    /// Its name.
    const NAME: &'static CStr;
    /// Its doc string.
    const DOC: &'static CStr;

    /// Its functions.
    fn functions() -> Functions;

    /// Fills the module each time that it is imported into an interpreter.
    fn exec<'py>(py: Attached<'py>, module: &Object<'py>) -> Result<'py, ()>;
}

/// The functions of a module.
#[derive(Default)]
pub struct Functions(Vec<ffi::PyMethodDef>);

impl Functions {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a function.
    #[must_use]
    pub fn with<F: Function>(mut self) -> Self {
        self.0.push(function::method_def::<F>());
        self
    }
}

/// The definition of a module, to be kept in a `static`.
pub struct Definition<M> {
    made: OnceLock<Address>,
    module: PhantomData<fn() -> M>,
}

struct Address(NonNull<ffi::PyModuleDef>);

// SAFETY: only CPython touches what it points to, under the GIL.
unsafe impl Send for Address {}
// SAFETY: as above.
unsafe impl Sync for Address {}

impl<M: Module> Definition<M> {
    /// The definition of `M`.
    #[expect(clippy::new_without_default, reason = "a static needs a const fn")]
    pub const fn new() -> Self {
        Self { made: OnceLock::new(), module: PhantomData }
    }

    /// The result of `PyInit_*`. CPython calls that function attached; no other code may.
    ///
    /// # Panics
    /// If the thread does not hold the GIL.
    pub fn init(&'static self) -> *mut ffi::PyObject {
        assert!(symbol::holds_gil(), "PyInit is called by CPython's import, on an attached thread");
        let definition = self.made.get_or_init(|| Address(define::<M>()));
        // SAFETY: the definition is complete and never freed, and the thread is attached.
        unsafe { ffi::PyModuleDef_Init(definition.0.as_ptr()) }
    }
}

fn define<M: Module>() -> NonNull<ffi::PyModuleDef> {
    let mut methods = M::functions().0;
    methods.push(ffi::PyMethodDef::zeroed());
    let exec: unsafe extern "C" fn(*mut ffi::PyObject) -> c_int = exec::<M>;
    let slots = vec![
        ffi::PyModuleDef_Slot { slot: ffi::Py_mod_exec, value: exec as *mut c_void },
        ffi::PyModuleDef_Slot::default(),
    ];
    NonNull::from(Box::leak(Box::new(ffi::PyModuleDef {
        m_base: ffi::PyModuleDef_HEAD_INIT,
        m_name: M::NAME.as_ptr(),
        m_doc: M::DOC.as_ptr(),
        m_size: 0,
        m_methods: Vec::leak(methods).as_mut_ptr(),
        m_slots: Vec::leak(slots).as_mut_ptr(),
        m_traverse: None,
        m_clear: None,
        m_free: None,
    })))
}

unsafe extern "C" fn exec<M: Module>(module: *mut ffi::PyObject) -> c_int {
    // SAFETY: CPython calls with the new module, on an attached thread.
    unsafe {
        trampoline::value(-1, |py| {
            let module = NonNull::new(module).map(|module| Object::borrowed(py, module));
            let module = module.ok_or_else(|| crate::objects::error::Error::fetch(py))?;
            M::exec(py, &module).map(|()| 0)
        })
    }
}

impl<M> std::fmt::Debug for Definition<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Definition").finish_non_exhaustive()
    }
}
