//! The members that Python sees of a class, collected once per process.

use std::any::TypeId;
use std::collections::HashMap;
use std::ffi::{c_int, c_void};
use std::marker::PhantomData;
use std::sync::Mutex;

use crate::lock::lock;

use pyo3_ffi as ffi;

use super::slots;
use super::{Attribute, Call, Class, Construct, Getter, Method, Next};

/// The members of the class `T`.
pub struct Members<T> {
    methods: Vec<ffi::PyMethodDef>,
    getters: Vec<ffi::PyGetSetDef>,
    slots: Vec<(c_int, *mut c_void)>,
    class: PhantomData<fn() -> T>,
}

impl<T: Class> Members<T> {
    /// None.
    #[expect(clippy::new_without_default, reason = "it begins a chain of calls")]
    pub fn new() -> Self {
        let (methods, getters, slots) = (Vec::new(), Vec::new(), Vec::new());
        Self { methods, getters, slots, class: PhantomData }
    }

    /// Adds a method.
    #[must_use]
    pub fn method<M: Method<Class = T>>(mut self) -> Self {
        self.methods.push(ffi::PyMethodDef {
            ml_name: M::NAME.as_ptr(),
            ml_meth: ffi::PyMethodDefPointer { PyCFunctionFastWithKeywords: slots::method::<M> },
            ml_flags: ffi::METH_FASTCALL | ffi::METH_KEYWORDS,
            ml_doc: M::DOC.as_ptr(),
        });
        self
    }

    /// Adds a read-only attribute.
    #[must_use]
    pub fn getter<G: Getter<Class = T>>(mut self) -> Self {
        self.getters.push(ffi::PyGetSetDef {
            name: G::NAME.as_ptr(),
            get: Some(slots::getter::<G>),
            set: None,
            doc: G::DOC.as_ptr(),
            closure: std::ptr::null_mut(),
        });
        self
    }

    /// Makes instances iterators.
    #[must_use]
    pub fn iterator(mut self) -> Self
    where
        T: Next,
    {
        let iter: ffi::getiterfunc = slots::itself;
        let next: ffi::iternextfunc = slots::next::<T>;
        self.slots.push((ffi::Py_tp_iter, iter as *mut c_void));
        self.slots.push((ffi::Py_tp_iternext, next as *mut c_void));
        self
    }

    /// Makes instances callable.
    #[must_use]
    pub fn call(mut self) -> Self
    where
        T: Call,
    {
        let call: ffi::ternaryfunc = slots::call::<T>;
        self.slots.push((ffi::Py_tp_call, call as *mut c_void));
        self
    }

    /// Makes the class callable.
    #[must_use]
    pub fn constructor(mut self) -> Self
    where
        T: Construct,
    {
        let new: ffi::newfunc = slots::construct::<T>;
        let init: ffi::initproc = slots::initialized;
        self.slots.push((ffi::Py_tp_new, new as *mut c_void));
        self.slots.push((ffi::Py_tp_init, init as *mut c_void));
        self
    }

    /// Lets instances answer every look-up of an attribute.
    #[must_use]
    pub fn attribute(mut self) -> Self
    where
        T: Attribute,
    {
        let get: ffi::getattrofunc = slots::attribute::<T>;
        self.slots.push((ffi::Py_tp_getattro, get as *mut c_void));
        self
    }
}

/// The slots of `T`, and whether it can be constructed. CPython keeps pointers to the method
/// definitions for as long as the process lives, so there is one set for each class.
pub(super) fn slots_of<T: Class>() -> (Vec<ffi::PyType_Slot>, bool) {
    let mut kept = lock(&KEPT);
    let slots =
        &kept.get_or_insert_default().entry(TypeId::of::<T>()).or_insert_with(define::<T>).0;
    let constructible = slots.iter().any(|(slot, _)| *slot == ffi::Py_tp_new);
    let slots = slots.iter().map(|&(slot, pfunc)| ffi::PyType_Slot { slot, pfunc });
    (slots.chain([ffi::PyType_Slot::default()]).collect(), constructible)
}

static KEPT: Mutex<Option<HashMap<TypeId, Slots>>> = Mutex::new(None);

struct Slots(Vec<(c_int, *mut c_void)>);

// SAFETY: the addresses are those of functions and of definitions that only CPython reads.
unsafe impl Send for Slots {}

fn define<T: Class>() -> Slots {
    let Members { mut methods, mut getters, mut slots, .. } = T::members();
    let dealloc: ffi::destructor = slots::dealloc::<T>;
    slots.push((ffi::Py_tp_dealloc, dealloc as *mut c_void));
    slots.push((ffi::Py_tp_doc, T::DOC.as_ptr().cast_mut().cast()));
    if !methods.is_empty() {
        methods.push(ffi::PyMethodDef::zeroed());
        slots.push((ffi::Py_tp_methods, Vec::leak(methods).as_mut_ptr().cast()));
    }
    if !getters.is_empty() {
        getters.push(ffi::PyGetSetDef::default());
        slots.push((ffi::Py_tp_getset, Vec::leak(getters).as_mut_ptr().cast()));
    }
    Slots(slots)
}
