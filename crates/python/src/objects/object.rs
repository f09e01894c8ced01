//! References to Python objects: [`Object`] while attached, [`Handle`] for longer.

use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

use pyo3_ffi as ffi;

use crate::attach::attached::{self, Attached, InterpreterId};
use crate::objects::error::{Error, Exception, Result};

mod convert;

/// An owned reference to a Python object, while the thread is attached.
#[repr(transparent)]
pub struct Object<'py> {
    pointer: NonNull<ffi::PyObject>,
    py: PhantomData<Attached<'py>>,
}

impl Drop for Object<'_> {
    fn drop(&mut self) {
        // SAFETY: the reference is ours, and the thread is attached for all of `'py`.
        unsafe { ffi::Py_DECREF(self.pointer.as_ptr()) };
    }
}

impl Clone for Object<'_> {
    fn clone(&self) -> Self {
        // SAFETY: the object is alive, and the thread is attached.
        unsafe { ffi::Py_INCREF(self.pointer.as_ptr()) };
        Self { pointer: self.pointer, py: PhantomData }
    }
}

impl fmt::Debug for Object<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} object>", self.type_name())
    }
}

impl<'py> Object<'py> {
    /// Takes over a new reference; null is the exception that is set.
    ///
    /// # Safety
    /// The pointer is what CPython returned on this attached thread from a function with that
    /// contract.
    pub(crate) unsafe fn owned(
        py: Attached<'py>,
        pointer: *mut ffi::PyObject,
    ) -> Result<'py, Self> {
        let pointer = NonNull::new(pointer).ok_or_else(|| Error::fetch(py))?;
        Ok(Self { pointer, py: PhantomData })
    }

    /// Takes a new reference to a borrowed object.
    ///
    /// # Safety
    /// The object is alive and of the interpreter that the thread is attached to.
    pub(crate) unsafe fn borrowed(_py: Attached<'py>, pointer: NonNull<ffi::PyObject>) -> Self {
        // SAFETY: the caller says that the object is alive, the token that we are attached.
        unsafe { ffi::Py_INCREF(pointer.as_ptr()) };
        Self { pointer, py: PhantomData }
    }

    /// A view of a borrowed object, without a reference of its own.
    ///
    /// # Safety
    /// As for [`Object::borrowed`], for as long as the result is used.
    pub(crate) unsafe fn view(
        _py: Attached<'py>,
        pointer: NonNull<ffi::PyObject>,
    ) -> ManuallyDrop<Self> {
        ManuallyDrop::new(Self { pointer, py: PhantomData })
    }

    pub(crate) fn as_ptr(&self) -> *mut ffi::PyObject {
        self.pointer.as_ptr()
    }

    pub(crate) fn into_ptr(self) -> *mut ffi::PyObject {
        ManuallyDrop::new(self).pointer.as_ptr()
    }

    pub(crate) fn into_pointer(self) -> NonNull<ffi::PyObject> {
        ManuallyDrop::new(self).pointer
    }

    /// The proof of being attached that this object is bound to.
    pub fn py(&self) -> Attached<'py> {
        // SAFETY: an object exists only while the thread is attached.
        unsafe { Attached::assume() }
    }

    /// A reference that may outlive the attachment.
    pub fn handle(&self) -> Handle {
        let interpreter = self.py().interpreter();
        let pointer = self.clone().into_pointer();
        Handle { pointer, interpreter }
    }

    /// `self[key]`.
    pub fn item(&self, key: &Object<'py>) -> Result<'py, Object<'py>> {
        // SAFETY: both objects are alive, and the thread is attached.
        unsafe { Self::owned(self.py(), ffi::PyObject_GetItem(self.as_ptr(), key.as_ptr())) }
    }

    /// `self[key]`; `None` if there is none (a `LookupError`).
    pub fn item_opt(&self, key: &Object<'py>) -> Result<'py, Option<Object<'py>>> {
        match self.item(key) {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.is_instance_of(Exception::LookupError) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// `self.get(key)` of a dict; `None` if there is no such key.
    pub fn entry(&self, key: &Object<'py>) -> Result<'py, Option<Object<'py>>> {
        let py = self.py();
        // SAFETY: both objects are alive, and the thread is attached; what is no dict is refused.
        let found = unsafe { ffi::PyDict_GetItemWithError(self.as_ptr(), key.as_ptr()) };
        match NonNull::new(found) {
            // SAFETY: the dict holds it, and nothing else has run meanwhile.
            Some(found) => Ok(Some(unsafe { Self::borrowed(py, found) })),
            None => Error::take(py).map_or(Ok(None), Err),
        }
    }

    /// `self[key] = value`.
    pub fn set_item(&self, key: &Object<'py>, value: &Object<'py>) -> Result<'py, ()> {
        // SAFETY: all objects are alive, and the thread is attached.
        let done = unsafe { ffi::PyObject_SetItem(self.as_ptr(), key.as_ptr(), value.as_ptr()) };
        self.checked(done)
    }

    /// `self.copy()` of a dict, without what a derived class may make of it.
    pub fn copy_dict(&self) -> Result<'py, Object<'py>> {
        // SAFETY: the object is alive, and the thread is attached; what is no dict is refused.
        unsafe { Self::owned(self.py(), ffi::PyDict_Copy(self.as_ptr())) }
    }

    /// `self.update(other)` of two dicts.
    pub fn update(&self, other: &Object<'py>) -> Result<'py, ()> {
        // SAFETY: both objects are alive, and the thread is attached; what is no dict is refused.
        let done = unsafe { ffi::PyDict_Update(self.as_ptr(), other.as_ptr()) };
        self.checked(done)
    }

    /// How many references there are to the object.
    pub fn references(&self) -> isize {
        // SAFETY: the object is alive, and the thread is attached.
        unsafe { ffi::Py_REFCNT(self.as_ptr()) }
    }

    /// `self[key] = value` with a `str` as key.
    pub fn set(&self, key: &str, value: &Object<'py>) -> Result<'py, ()> {
        self.set_item(&self.py().text(key)?, value)
    }

    /// `del self[key]`; nothing if there is none.
    pub fn remove(&self, key: &Object<'py>) -> Result<'py, ()> {
        // SAFETY: both objects are alive, and the thread is attached.
        let done = unsafe { ffi::PyObject_DelItem(self.as_ptr(), key.as_ptr()) };
        match self.checked(done) {
            Err(error) if !error.is_instance_of(Exception::LookupError) => Err(error),
            _ => Ok(()),
        }
    }

    /// `self.append(value)` for a list.
    pub fn append(&self, value: &Object<'py>) -> Result<'py, ()> {
        // SAFETY: both objects are alive, and the thread is attached; what is no list is refused.
        let done = unsafe { ffi::PyList_Append(self.as_ptr(), value.as_ptr()) };
        self.checked(done)
    }

    /// `len(self)`.
    pub fn length(&self) -> Result<'py, usize> {
        // SAFETY: the object is alive, and the thread is attached.
        let length = unsafe { ffi::PyObject_Size(self.as_ptr()) };
        usize::try_from(length).map_err(|_| Error::fetch(self.py()))
    }

    /// `self[index]` of a sequence.
    pub fn at(&self, index: usize) -> Result<'py, Object<'py>> {
        let index = isize::try_from(index).unwrap_or(isize::MAX);
        // SAFETY: the object is alive, and the thread is attached.
        unsafe { Self::owned(self.py(), ffi::PySequence_GetItem(self.as_ptr(), index)) }
    }

    /// `self(*arguments)`.
    pub fn call(&self, arguments: &[&Object<'py>]) -> Result<'py, Object<'py>> {
        self.call_with(arguments, None)
    }

    /// `self(*arguments, **keywords)`; `keywords` is a dict.
    pub fn call_with(
        &self,
        arguments: &[&Object<'py>],
        keywords: Option<&Object<'py>>,
    ) -> Result<'py, Object<'py>> {
        let py = self.py();
        if let Some(keywords) = keywords
            && !keywords.is_dict()
        {
            return Err(Error::new(py, Exception::TypeError, "keywords must be a dict"));
        }
        let arguments = py.tuple(arguments)?;
        let keywords = keywords.map_or(std::ptr::null_mut(), Object::as_ptr);
        // SAFETY: the callable, a tuple, and a dict or null; the thread is attached.
        unsafe { Self::owned(py, ffi::PyObject_Call(self.as_ptr(), arguments.as_ptr(), keywords)) }
    }

    /// `iter(self)`.
    pub fn iterate(&self) -> Result<'py, Iter<'py>> {
        // SAFETY: the object is alive, and the thread is attached.
        unsafe { Self::owned(self.py(), ffi::PyObject_GetIter(self.as_ptr())).map(Iter) }
    }

    /// `self is other`.
    pub fn is(&self, other: &Object<'py>) -> bool {
        self.pointer == other.pointer
    }

    /// `isinstance(self, class)`.
    pub fn is_instance(&self, class: &Object<'py>) -> Result<'py, bool> {
        // SAFETY: both objects are alive, and the thread is attached.
        let answer = unsafe { ffi::PyObject_IsInstance(self.as_ptr(), class.as_ptr()) };
        self.checked(answer).map(|()| answer == 1)
    }

    /// `bool(self)`.
    pub fn is_true(&self) -> Result<'py, bool> {
        // SAFETY: the object is alive, and the thread is attached.
        let answer = unsafe { ffi::PyObject_IsTrue(self.as_ptr()) };
        self.checked(answer).map(|()| answer == 1)
    }

    pub(crate) fn checked(&self, answer: std::ffi::c_int) -> Result<'py, ()> {
        if answer < 0 { Err(Error::fetch(self.py())) } else { Ok(()) }
    }
}

/// The items of an iterator.
pub struct Iter<'py>(Object<'py>);

impl<'py> Iterator for Iter<'py> {
    type Item = Result<'py, Object<'py>>;

    fn next(&mut self) -> Option<Self::Item> {
        let py = self.0.py();
        // SAFETY: `iter` made sure that it is an iterator; the thread is attached.
        let item = unsafe { ffi::PyIter_Next(self.0.as_ptr()) };
        if item.is_null() {
            return Error::take(py).map(Err);
        }
        // SAFETY: a new reference.
        Some(unsafe { Object::owned(py, item) })
    }
}

/// An owned reference that is bound to no attachment, for any thread.
///
/// Dropped on a thread that is not attached to the object's interpreter, it leaks its reference:
/// use [`Handle::release`] where that could happen.
#[derive(Debug)]
pub struct Handle {
    pointer: NonNull<ffi::PyObject>,
    interpreter: InterpreterId,
}

// SAFETY: the object is only touched through `bind` and `drop`, on a thread that is attached.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Handle {
    /// A reference for the current attachment.
    ///
    /// # Panics
    /// If the object belongs to another interpreter.
    pub fn bind<'py>(&self, py: Attached<'py>) -> Object<'py> {
        self.check(py);
        // SAFETY: the handle keeps the object alive, and it is of this interpreter.
        unsafe { Object::borrowed(py, self.pointer) }
    }

    /// Gives the reference up.
    ///
    /// # Panics
    /// If the object belongs to another interpreter.
    pub fn release(self, py: Attached<'_>) {
        self.check(py);
        drop(self);
    }

    fn check(&self, py: Attached<'_>) {
        let here = py.interpreter();
        assert!(
            here == self.interpreter,
            "an object of interpreter {:?} is used in {here:?}",
            self.interpreter,
        );
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if attached::current() == Some(self.interpreter) {
            // SAFETY: the reference is ours, and the thread is attached to its interpreter.
            unsafe { ffi::Py_DECREF(self.pointer.as_ptr()) };
        }
    }
}
