//! A `bytes` object that is still being filled: large data gets into Python without being copied.

use std::ffi::{CStr, c_int, c_void};
use std::mem::transmute;
use std::ptr::NonNull;

use pyo3_ffi as ffi;

use crate::attach::attached::Attached;
use crate::objects::error::{Error, Exception, Result};
use crate::objects::object::Object;
use crate::objects::value::signed;
use crate::symbol;

/// A `bytes` object that no other code has seen yet, and that grows.
#[derive(Debug)]
pub struct BytesBuffer<'py> {
    /// As long as there is room.
    object: Object<'py>,
    room: usize,
    filled: usize,
}

impl<'py> BytesBuffer<'py> {
    /// A buffer that begins with `first`.
    pub fn new(py: Attached<'py>, first: &[u8]) -> Result<'py, Self> {
        // CPython keeps one object for each `bytes` of fewer than two bytes, for all code.
        let room = first.len().max(2);
        // SAFETY: the thread is attached; without a text the object's bytes are left as they are,
        // and only those that were filled are ever read.
        let object = unsafe {
            Object::owned(py, ffi::PyBytes_FromStringAndSize(std::ptr::null(), signed(room)))?
        };
        let mut buffer = Self { object, room, filled: 0 };
        buffer.rest(first.len()).copy_from_slice(first);
        buffer.fill(first.len());
        Ok(buffer)
    }

    /// Bytes that were filled.
    pub fn length(&self) -> usize {
        self.filled
    }

    /// The buffer with room for `count` bytes more. Memory that is not filled is not touched.
    pub fn with_room(self, count: usize) -> Result<'py, Self> {
        let wanted = self.filled.saturating_add(count);
        if wanted <= self.room {
            return Ok(self);
        }
        // In steps that grow with it, so that the time for that stays in proportion.
        let more = count.max(self.filled / 8);
        let room = self.filled.saturating_add(more).min(isize::MAX.unsigned_abs());
        self.resized(room)
    }

    /// The next `count` bytes, or as many as there is room for; they are zero.
    pub fn rest(&mut self, count: usize) -> &mut [u8] {
        let count = count.min(self.room - self.filled);
        // SAFETY: the object is `bytes` of `room` bytes that no other reference leads to, so
        // writing is allowed; the range lies in it, and is initialised here. The borrow keeps it
        // from being resized meanwhile.
        unsafe {
            let start = ffi::PyBytes_AsString(self.object.as_ptr()).cast::<u8>().add(self.filled);
            start.write_bytes(0, count);
            std::slice::from_raw_parts_mut(start, count)
        }
    }

    /// Counts `count` bytes of the rest as filled.
    ///
    /// # Panics
    /// If there is no room for them.
    pub fn fill(&mut self, count: usize) {
        assert!(count <= self.room - self.filled, "more bytes than there is room for");
        self.filled += count;
    }

    /// The object, as long as was filled.
    pub fn finish(self) -> Result<'py, Object<'py>> {
        let filled = self.filled;
        if filled == self.room { Ok(self.object) } else { Ok(self.resized(filled)?.object) }
    }

    fn resized(self, room: usize) -> Result<'py, Self> {
        type Resize = unsafe extern "C" fn(*mut *mut ffi::PyObject, ffi::Py_ssize_t) -> c_int;
        const NAME: &CStr = c"_PyBytes_Resize";
        let py = self.object.py();
        let Some(resize) = symbol::find(NAME) else {
            let text = "this Python has no _PyBytes_Resize";
            return Err(Error::new(py, Exception::SystemError, text));
        };
        // SAFETY: CPython declares the function so since 2.2.
        let resize = unsafe { transmute::<NonNull<c_void>, Resize>(resize) };
        let mut pointer = self.object.into_ptr();
        // SAFETY: the only reference to a `bytes` object that no other code has seen. It is given
        // away, and comes back as a new one, or as null with an exception.
        let object = unsafe {
            resize(&raw mut pointer, signed(room));
            Object::owned(py, pointer)?
        };
        Ok(Self { object, room, filled: self.filled.min(room) })
    }
}
