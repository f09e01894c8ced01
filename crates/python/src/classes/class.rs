//! Classes written in Rust: heap types with a Rust value inside, made once per interpreter.
//!
//! They take no part in cyclic garbage collection: a class that keeps a [`Handle`] has to give it
//! up at a known moment (the end of a request, `close()`), or a cycle through it is never freed.

use std::any::TypeId;
use std::ffi::{CStr, c_int, c_uint, c_ulong};
use std::marker::PhantomData;
use std::mem::{MaybeUninit, offset_of};
use std::ptr::NonNull;

use pyo3_ffi as ffi;

use crate::attach::attached::Attached;
use crate::classes::arguments::Arguments;
use crate::objects::error::{Error, Exception, Result};
use crate::objects::object::{Handle, Object};

mod members;
mod slots;

pub use members::Members;

/// A Rust type whose values are Python objects.
pub trait Class: Send + Sync + Sized + 'static {
    /// `module.Name`.
    const NAME: &'static CStr;
    /// The doc string.
    const DOC: &'static CStr;
    /// Whether Python code may derive from it.
    const SUBCLASSABLE: bool = false;

    /// The members that Python sees of it.
    fn members() -> Members<Self>;
}

/// A method of a class.
pub trait Method: 'static {
    /// The class.
    type Class: Class;
    /// Its name in Python.
    const NAME: &'static CStr;
    /// Its doc string.
    const DOC: &'static CStr;

    /// Called by Python; `object` is the object that `this` is inside of.
    fn call<'py>(
        this: &Self::Class,
        object: &Object<'py>,
        arguments: Arguments<'py>,
    ) -> Result<'py, Object<'py>>;
}

/// A read-only attribute of a class.
pub trait Getter: 'static {
    /// The class.
    type Class: Class;
    /// Its name in Python.
    const NAME: &'static CStr;
    /// Its doc string.
    const DOC: &'static CStr;

    /// Called by Python.
    fn get<'py>(this: &Self::Class, py: Attached<'py>) -> Result<'py, Object<'py>>;
}

/// Instances are iterators.
pub trait Next: Class {
    /// The next item; `None` at the end.
    fn next<'py>(&self, object: &Object<'py>) -> Result<'py, Option<Object<'py>>>;
}

/// Instances can be called.
pub trait Call: Class {
    /// Called by Python.
    fn call<'py>(
        &self,
        object: &Object<'py>,
        arguments: Arguments<'py>,
    ) -> Result<'py, Object<'py>>;
}

/// The class can be called, to make instances.
pub trait Construct: Class {
    /// Makes the value inside of a new instance.
    fn construct<'py>(py: Attached<'py>, arguments: Arguments<'py>) -> Result<'py, Self>;
}

/// Instances answer every look-up of an attribute themselves.
pub trait Attribute: Class {
    /// Called by Python for `object.name`.
    fn attribute<'py>(&self, py: Attached<'py>, name: &Object<'py>) -> Result<'py, Object<'py>>;
}

/// The Python class of a Rust [`Class`], in the current interpreter.
#[derive(Debug)]
pub struct ClassObject<'py, T> {
    object: Object<'py>,
    class: PhantomData<fn() -> T>,
}

/// A [`ClassObject`] that is bound to no attachment.
#[derive(Debug)]
pub struct ClassHandle<T> {
    handle: Handle,
    class: PhantomData<fn() -> T>,
}

impl<'py> Attached<'py> {
    /// Makes the Python class for `T` in the current interpreter.
    ///
    /// # Panics
    /// If a `T` is larger than 2 GiB.
    pub fn class<T: Class>(self) -> Result<'py, ClassObject<'py, T>> {
        const { assert!(align_of::<Payload<T>>() <= size_of::<ffi::PyObject>()) };
        let (mut slots, constructible) = members::slots_of::<T>();
        let mut flags: c_ulong = ffi::Py_TPFLAGS_DEFAULT | ffi::Py_TPFLAGS_IMMUTABLETYPE;
        if T::SUBCLASSABLE {
            flags |= ffi::Py_TPFLAGS_BASETYPE;
        }
        if !constructible {
            flags |= ffi::Py_TPFLAGS_DISALLOW_INSTANTIATION;
        }
        let size = offset::<T>() + size_of::<Payload<T>>();
        let mut spec = ffi::PyType_Spec {
            name: T::NAME.as_ptr(),
            basicsize: c_int::try_from(size).expect("a class payload is small"),
            itemsize: 0,
            flags: c_uint::try_from(flags).expect("type flags fit in 32 bits"),
            slots: slots.as_mut_ptr(),
        };
        // SAFETY: the name is static, the slots end with a zero one, and what they point to is
        // never freed. The functions in them expect objects of this layout.
        let object = unsafe { Object::owned(self, ffi::PyType_FromSpec(&raw mut spec))? };
        Ok(ClassObject { object, class: PhantomData })
    }
}

impl<'py, T: Class> ClassObject<'py, T> {
    /// A new instance with `value` inside.
    pub fn instance(&self, value: T) -> Result<'py, Object<'py>> {
        // SAFETY: the object is the type that was made for `T`.
        unsafe { allocate(self.object.py(), self.object.as_ptr().cast(), value) }
    }

    /// The value inside of `object`; `None` if it is no instance.
    pub fn get<'a>(&self, object: &'a Object<'py>) -> Option<&'a T> {
        // SAFETY: live objects; a subtype of the type that was made for `T` has its layout.
        unsafe {
            let class = ffi::Py_TYPE(object.as_ptr());
            let derived = ffi::PyType_IsSubtype(class, self.object.as_ptr().cast()) != 0;
            if derived { inside(object).ok() } else { None }
        }
    }

    /// The class as an object.
    pub fn object(&self) -> &Object<'py> {
        &self.object
    }

    /// A reference that may outlive the attachment.
    pub fn handle(&self) -> ClassHandle<T> {
        ClassHandle { handle: self.object.handle(), class: PhantomData }
    }
}

impl<T: Class> ClassHandle<T> {
    /// The class for the current attachment.
    ///
    /// # Panics
    /// If it belongs to another interpreter.
    pub fn bind<'py>(&self, py: Attached<'py>) -> ClassObject<'py, T> {
        ClassObject { object: self.handle.bind(py), class: PhantomData }
    }
}

/// The data behind the object's head: the class that the value is of, and the value.
#[repr(C)]
struct Payload<T> {
    /// [`LIVE`] once the value is there: CPython hands out zeroed memory.
    state: u64,
    class: MaybeUninit<TypeId>,
    value: MaybeUninit<T>,
}

const LIVE: u64 = 0x6d6f_7573_6531_0001;

/// Where the payload begins.
const fn offset<T>() -> usize {
    size_of::<ffi::PyObject>().next_multiple_of(align_of::<Payload<T>>())
}

/// # Safety
/// `object` is an instance of a type with `T`'s layout, or of one derived from it.
unsafe fn payload<T>(object: *mut ffi::PyObject) -> NonNull<Payload<T>> {
    // SAFETY: as the caller says, the payload is inside of the object.
    unsafe { NonNull::new_unchecked(object.cast::<u8>().add(offset::<T>()).cast()) }
}

/// The value inside of an object.
///
/// # Safety
/// `object` is an instance of a type with the layout of some class of this file, or derived from
/// one: the head of the payload is at the same place in all of them.
unsafe fn inside<'a, 'py, T: Class>(object: &'a Object<'py>) -> Result<'py, &'a T> {
    const { assert!(offset_of!(Payload<T>, class) == size_of::<u64>()) };
    // SAFETY: as the caller says. The class's id is there once the state says so, and the value
    // is a `T` if the id does; it is only ever shared until the object dies.
    unsafe {
        let payload = payload::<T>(object.as_ptr()).as_ptr();
        let ready = (*payload).state == LIVE && (*payload).class.assume_init() == TypeId::of::<T>();
        if ready {
            return Ok((*payload).value.assume_init_ref());
        }
    }
    let text = format!("this is no complete {} object", T::NAME.to_string_lossy());
    Err(Error::new(object.py(), Exception::TypeError, &text))
}

/// Makes an instance of `class`.
///
/// # Safety
/// `class` is a type with `T`'s layout, or derived from one.
unsafe fn allocate<T: Class>(
    py: Attached<'_>,
    class: *mut ffi::PyTypeObject,
    value: T,
) -> Result<'_, Object<'_>> {
    // SAFETY: every heap type has `tp_alloc`, which is such a function. It returns zeroed memory
    // of the type's size with one reference, in which the payload lies.
    unsafe {
        let alloc = ffi::PyType_GetSlot(class, ffi::Py_tp_alloc);
        let alloc = std::mem::transmute::<*mut std::ffi::c_void, ffi::allocfunc>(alloc);
        let object = Object::owned(py, alloc(class, 0))?;
        let payload = payload::<T>(object.as_ptr()).as_ptr();
        (*payload).class.write(TypeId::of::<T>());
        (*payload).value.write(value);
        (*payload).state = LIVE;
        Ok(object)
    }
}
