//! Objects whose references are no longer counted.
//!
//! A forked process that only looks at an object still writes its reference count, and so gets a
//! copy of the page that it lies in. From 3.12 on CPython leaves the count of *immortal* objects
//! alone (PEP 683). Which objects are immortal is CPython's to say; here those are added that a
//! process has loaded before it forks, and that would live to its end anyway.
//!
//! 3.12 and 3.13 mark an immortal object by the lower half of its count. That this is so is tried
//! on objects of our own before any other is touched. Later versions are asked by their own
//! function, where they have it; earlier ones have no immortal objects.

use std::collections::HashSet;
use std::ffi::{CStr, c_int, c_void};
use std::mem::transmute;
use std::ptr::{NonNull, null_mut};

use pyo3_ffi as ffi;

use crate::attach::attached::Attached;
use crate::objects::error::Result;
use crate::objects::object::Object;
use crate::symbol;

/// How an object becomes immortal in the CPython of this process.
enum Way {
    /// By the lower half of its reference count.
    Count,
    /// By CPython's own function.
    Official(unsafe extern "C" fn(*mut ffi::PyObject) -> c_int),
}

/// The lower half of an immortal object's count.
const IMMORTAL: u32 = u32::MAX;
/// The attributes that a code object refers to and has at hand; asked for its other parts it would
/// make new objects.
const CODE_PARTS: [&CStr; 5] =
    [c"co_consts", c"co_names", c"co_name", c"co_filename", c"co_qualname"];
/// How many objects are asked for what they refer to at a time.
const BATCH: usize = 512;

impl<'py> Attached<'py> {
    /// Makes everything immortal that the garbage collector of this interpreter can reach, and says
    /// how many objects that were; `None` if this Python does not know immortal objects, or keeps
    /// them in a way that is not known here.
    pub fn make_immortal(self) -> Result<'py, Option<usize>> {
        let Some(way) = Way::of(self)? else { return Ok(None) };
        let gc = self.import(c"gc")?;
        let mut reached = Reached { way, known: HashSet::new(), open: Vec::new() };
        let all = gc.call_method(c"get_objects", &[])?;
        for index in 0..all.length()? {
            reached.add(&all.at(index)?);
        }
        drop(all);
        let code = self.code_type()?;
        let referents = gc.attr(c"get_referents")?;
        while !reached.open.is_empty() {
            let first = reached.open.len().saturating_sub(BATCH);
            let batch: Vec<Object<'py>> = reached.open.split_off(first);
            let arguments: Vec<&Object<'py>> = batch.iter().collect();
            let found = referents.call(&arguments)?;
            for index in 0..found.length()? {
                reached.add(&found.at(index)?);
            }
            for object in &batch {
                reached.add_unseen_parts(object, &code)?;
            }
        }
        Ok(Some(reached.known.len()))
    }

    fn code_type(self) -> Result<'py, Object<'py>> {
        self.import(c"types")?.attr(c"CodeType")
    }
}

struct Reached<'py> {
    way: Way,
    /// Addresses. None of them is used again: what has been immortal once stays.
    known: HashSet<usize>,
    /// Those whose referents have not been looked at.
    open: Vec<Object<'py>>,
}

impl<'py> Reached<'py> {
    fn add(&mut self, object: &Object<'py>) {
        if self.known.insert(object.as_ptr() as usize) {
            self.way.apply(object);
            self.open.push(object.clone());
        }
    }

    /// Adds the objects that the garbage collector does not visit, because they cannot be part of a
    /// cycle.
    fn add_unseen_parts(&mut self, object: &Object<'py>, code: &Object<'py>) -> Result<'py, ()> {
        // SAFETY: of a live object; the flags say whether it is a dict, whose entries are walked
        // below without running Python code.
        unsafe {
            let kind = ffi::Py_TYPE(object.as_ptr());
            if ffi::PyType_GetFlags(kind) & ffi::Py_TPFLAGS_DICT_SUBCLASS != 0 {
                let (mut index, mut key, mut value) = (0, null_mut(), null_mut());
                while ffi::PyDict_Next(
                    object.as_ptr(),
                    &raw mut index,
                    &raw mut key,
                    &raw mut value,
                ) != 0
                {
                    if let Some(key) = NonNull::new(key) {
                        self.add(&Object::view(object.py(), key));
                    }
                }
                return Ok(());
            }
            if !std::ptr::eq(kind.cast(), code.as_ptr()) {
                return Ok(());
            }
        }
        for part in CODE_PARTS {
            if let Some(part) = object.attr_opt(part)? {
                self.add(&part);
            }
        }
        Ok(())
    }
}

impl Way {
    fn of(py: Attached<'_>) -> Result<'_, Option<Self>> {
        if let Some(address) = symbol::find(c"PyUnstable_SetImmortal") {
            type Function = unsafe extern "C" fn(*mut ffi::PyObject) -> c_int;
            // SAFETY: CPython declares the function so since 3.15.
            let function = unsafe { transmute::<NonNull<c_void>, Function>(address) };
            return Ok(Some(Self::Official(function)));
        }
        let info = py.import(c"sys")?.attr(c"version_info")?;
        let version = (info.at(0)?.to_i64()?, info.at(1)?.to_i64()?);
        let known = matches!(version, (3, 12 | 13)) && cfg!(target_endian = "little");
        Ok((known && cfg!(target_pointer_width = "64") && proved(py)?).then_some(Self::Count))
    }

    fn apply(&self, object: &Object<'_>) {
        match self {
            // SAFETY: `proved` says that the count lies there; the GIL is held, so no other thread
            // changes it.
            Self::Count => unsafe { lower_half(object).write(IMMORTAL) },
            // SAFETY: a live object; the function leaves alone what it cannot make immortal.
            Self::Official(function) => unsafe {
                function(object.as_ptr());
            },
        }
    }
}

/// Where an object's reference count begins in 3.12 and 3.13.
fn lower_half(object: &Object<'_>) -> *mut u32 {
    object.as_ptr().cast()
}

/// Whether the count lies where it is looked for, and is left alone once it says so: tried on an
/// object that no other code has.
fn proved(py: Attached<'_>) -> Result<'_, bool> {
    // SAFETY: (of all reads) the first bytes of live objects.
    let count = |object: &Object<'_>| unsafe { lower_half(object).read() };
    if count(&py.none()) != IMMORTAL {
        return Ok(false);
    }
    let ours = py.bytes(b"an object that has never been seen before")?;
    let before = count(&ours);
    let copy = ours.clone();
    let more = count(&ours);
    drop(copy);
    if before != 1 || more != 2 || count(&ours) != 1 {
        return Ok(false);
    }
    Way::Count.apply(&ours);
    let copy = ours.clone();
    let unmoved = count(&ours) == IMMORTAL;
    drop(copy);
    Ok(unmoved && count(&ours) == IMMORTAL)
}
