//! Objects whose references are no longer counted.
//!
//! A forked process that only looks at an object still writes its reference count, and so gets a
//! copy of the page that it lies in. From 3.12 on CPython leaves the count of *immortal* objects
//! alone (PEP 683). Which objects are immortal is CPython's to say; here those are added that a
//! process has loaded before it forks, and that would live to its end anyway.
//!
//! From 3.12 on an object's first word says whether it is immortal: by its lower half, where the
//! count is, and from 3.14 on by a flag in the upper half as well, which the stack of the
//! interpreter goes by. Which values do, differs from version to version, so those of an object are
//! taken that CPython has made immortal itself. That they do what they should is tried on objects
//! of our own before any other is touched. Earlier versions have no immortal objects.
//! `PyUnstable_SetImmortal`, which 3.15 has, is of no use: it takes objects that have one reference
//! alone, and no strings.

use std::collections::HashSet;
use std::ffi::CStr;
use std::ptr::{NonNull, null_mut};

use pyo3_ffi as ffi;

use crate::attach::attached::Attached;
use crate::objects::error::Result;
use crate::objects::object::Object;

/// How an object becomes immortal in the CPython of this process: by its first word.
#[derive(Clone, Copy)]
struct Immortality {
    /// The lower half of the word: the count.
    count: u32,
    /// Bits of the upper half that are set besides.
    flags: u32,
}

/// Counts of immortal objects are at least so large: the upper half of the numbers.
const LEAST: u32 = 1 << 31;
/// Becomes immortal with the code that it is a name in. Python code finds it in a list and takes it
/// out, so that it passes through the interpreter's stack both ways.
const TRIAL: &str = "\
def dormouse_trial_of_immortality(one):
    for _ in range(4):
        held = [one, one]
        other = held.pop()
        held.append((other, one))
        del held, other
";
const TRIAL_NAME: &str = "dormouse_trial_of_immortality";
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
        let Some(immortality) = Immortality::of(self)? else { return Ok(None) };
        let gc = self.import(c"gc")?;
        let mut reached = Reached { immortality, known: HashSet::new(), open: Vec::new() };
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
    immortality: Immortality,
    /// Addresses. None of them is used again: what has been immortal once stays.
    known: HashSet<usize>,
    /// Those whose referents have not been looked at.
    open: Vec<Object<'py>>,
}

impl<'py> Reached<'py> {
    fn add(&mut self, object: &Object<'py>) {
        if self.known.insert(object.as_ptr() as usize) {
            self.immortality.apply(object);
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

impl Immortality {
    /// Of this Python; `None` if it has no immortal objects, or keeps them in another way.
    fn of(py: Attached<'_>) -> Result<'_, Option<Self>> {
        let is_laid_out = cfg!(all(target_endian = "little", target_pointer_width = "64"));
        if !is_laid_out {
            return Ok(None);
        }
        let space = py.dict()?;
        py.run(TRIAL, "trial", &space)?;
        let trial = space.item(&py.text(TRIAL_NAME)?)?;
        let name = trial.attr(c"__code__")?.attr(c"co_name")?;
        let word = first_word(&name);
        let found = Self { count: lower(word), flags: upper(word) };
        Ok((found.count >= LEAST && found.is_proved(py, &trial)?).then_some(found))
    }

    /// Whether the count lies where it is looked for, and is left alone once the word says so, by
    /// CPython's functions as well as by its interpreter: tried on an object that no other code
    /// has.
    fn is_proved<'py>(self, py: Attached<'py>, trial: &Object<'py>) -> Result<'py, bool> {
        let ours = py.bytes(b"an object that has never been seen before")?;
        let count = || lower(first_word(&ours));
        let before = count();
        let copy = ours.clone();
        let more = count();
        drop(copy);
        if before != 1 || more != 2 || count() != 1 {
            return Ok(false);
        }
        self.apply(&ours);
        let copy = ours.clone();
        let is_unmoved = count() == self.count;
        drop(copy);
        trial.call(&[&ours])?;
        Ok(is_unmoved && count() == self.count)
    }

    /// Makes an object immortal, unless it is.
    fn apply(self, object: &Object<'_>) {
        let word = first_word(object);
        if lower(word) < LEAST {
            let word = u64::from(upper(word) | self.flags) << 32 | u64::from(self.count);
            // SAFETY: `is_proved` says that the count lies there, and CPython itself has set the
            // flags so; the GIL is held, so no other thread changes it.
            unsafe { object.as_ptr().cast::<u64>().write(word) }
        }
    }
}

/// The word that has the reference count and, in later versions, the flags.
fn first_word(object: &Object<'_>) -> u64 {
    // SAFETY: the first bytes of a live object; the GIL is held.
    unsafe { object.as_ptr().cast::<u64>().read() }
}

#[expect(clippy::cast_possible_truncation, reason = "the half is what is asked for")]
fn lower(word: u64) -> u32 {
    word as u32
}

fn upper(word: u64) -> u32 {
    (word >> 32) as u32
}
