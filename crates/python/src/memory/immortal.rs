//! Objects whose references are no longer counted.
//!
//! A forked process that only looks at an object still writes its reference count, and so gets a
//! copy of the page that it lies in. From 3.12 on CPython leaves the count of *immortal* objects
//! alone (PEP 683). Which objects are immortal is CPython's to say; here those are added that a
//! process has loaded before it forks, and that would live to its end anyway.
//!
//! From 3.12 on the lower half of an object's count says whether it is immortal. Which value does,
//! differs from version to version (all bits in 3.12.0 and 3.13.0, the two upper ones in 3.13.15,
//! 3.14 and 3.15), so that of `None`, which has it from the start, is taken. That it does what it
//! should is tried on objects of our own before any other is touched. Earlier versions have no
//! immortal objects.
//! `PyUnstable_SetImmortal`, which 3.15 has, is of no use: it takes objects that have one reference
//! alone, and no strings.

use std::collections::HashSet;
use std::ffi::CStr;
use std::ptr::{NonNull, null_mut};

use pyo3_ffi as ffi;

use crate::attach::attached::Attached;
use crate::objects::error::Result;
use crate::objects::object::Object;

/// How an object becomes immortal in the CPython of this process: by the lower half of its
/// reference count, which gets this value.
#[derive(Clone, Copy)]
struct ImmortalCount(u32);

/// Counts of immortal objects are at least so large: the upper half of the numbers.
const LEAST: u32 = 1 << 31;
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
        let Some(count) = ImmortalCount::of(self)? else { return Ok(None) };
        let gc = self.import(c"gc")?;
        let mut reached = Reached { count, known: HashSet::new(), open: Vec::new() };
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
    count: ImmortalCount,
    /// Addresses. None of them is used again: what has been immortal once stays.
    known: HashSet<usize>,
    /// Those whose referents have not been looked at.
    open: Vec<Object<'py>>,
}

impl<'py> Reached<'py> {
    fn add(&mut self, object: &Object<'py>) {
        if self.known.insert(object.as_ptr() as usize) {
            self.count.apply(object);
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

impl ImmortalCount {
    /// Of this Python; `None` if it has no immortal objects, or keeps them in another way.
    fn of(py: Attached<'_>) -> Result<'_, Option<Self>> {
        let is_laid_out = cfg!(all(target_endian = "little", target_pointer_width = "64"));
        if !is_laid_out {
            return Ok(None);
        }
        let count = Self(lower_half_of(&py.none()));
        Ok((count.0 >= LEAST && count.is_proved(py)?).then_some(count))
    }

    /// Whether the count lies where it is looked for, and is left alone once it has this value:
    /// tried on an object that no other code has.
    fn is_proved(self, py: Attached<'_>) -> Result<'_, bool> {
        let ours = py.bytes(b"an object that has never been seen before")?;
        let before = lower_half_of(&ours);
        let copy = ours.clone();
        let more = lower_half_of(&ours);
        drop(copy);
        if before != 1 || more != 2 || lower_half_of(&ours) != 1 {
            return Ok(false);
        }
        self.apply(&ours);
        let copy = ours.clone();
        let is_unmoved = lower_half_of(&ours) == self.0;
        drop(copy);
        Ok(is_unmoved && lower_half_of(&ours) == self.0)
    }

    /// Makes an object immortal, unless it is.
    fn apply(self, object: &Object<'_>) {
        let place = object.as_ptr().cast::<u32>();
        if lower_half_of(object) < LEAST {
            // SAFETY: `is_proved` says that the count lies there; the GIL is held, so no other
            // thread changes it.
            unsafe { place.write(self.0) }
        }
    }
}

/// Where an object's reference count begins, from 3.12 on.
fn lower_half_of(object: &Object<'_>) -> u32 {
    // SAFETY: the first bytes of a live object; the GIL is held.
    unsafe { object.as_ptr().cast::<u32>().read() }
}
