//! Code that CPython writes to whenever it runs, brought together.
//!
//! From 3.11 on an instruction counts how often it has run until CPython has found a faster variant
//! of it, and goes on counting where there is none. In a process that was forked each such code
//! object costs a page of its own, since it lies between others that are only read. So before the
//! fork those that keep counting are replaced by copies, which are made one after the other and lie
//! side by side.
//!
//! The means of comparison and replacement are Python's own: the attribute `_co_code_adaptive`,
//! without which nothing happens, `code.replace()`, and the `__code__` of functions. The copies are
//! equal to what they stand for.

use std::collections::HashMap;
use std::ffi::CStr;
use std::hash::{BuildHasher, RandomState};

use pyo3_ffi as ffi;

use crate::attach::attached::Attached;
use crate::objects::error::Result;
use crate::objects::object::Object;

/// The state of the code of all functions at one moment.
#[derive(Debug)]
pub struct CodeState {
    hasher: RandomState,
    /// By address. Code that has gone meanwhile may have left its place to another, which then
    /// passes for changed: that does no harm.
    hashes: HashMap<usize, u64>,
}

impl<'py> Attached<'py> {
    /// Looks at the code of all functions of this interpreter; `None` if this Python does not say
    /// what it makes of it.
    pub fn code_state(self) -> Result<'py, Option<CodeState>> {
        let types = Types::of(self)?;
        let mut state = CodeState { hasher: RandomState::new(), hashes: HashMap::new() };
        for function in types.functions(self)? {
            let mut open = vec![function.attr(CODE)?];
            while let Some(code) = open.pop() {
                if state.hashes.contains_key(&address(&code)) {
                    continue;
                }
                let Some(hash) = state.hash(&code)? else { return Ok(None) };
                state.hashes.insert(address(&code), hash);
                open.extend(
                    constants(&code)?.into_iter().filter(|constant| types.is_code(constant)),
                );
            }
        }
        Ok(Some(state))
    }

    /// Replaces the code that has changed since then, and what it is nested in, in all functions;
    /// how many copies were made. Calls that run meanwhile end with what they began with.
    pub fn gather_busy_code(self, before: &CodeState) -> Result<'py, usize> {
        let types = Types::of(self)?;
        let functions = types.functions(self)?;
        let mut copies = Copies { types, before, made: HashMap::new() };
        for function in functions {
            let code = function.attr(CODE)?;
            let copy = copies.of(&code)?;
            if !copy.is(&code) {
                function.set_attr(CODE, &copy)?;
            }
        }
        Ok(copies.made.values().filter(|(code, copy)| !copy.is(code)).count())
    }
}

/// The attribute of a function.
const CODE: &CStr = c"__code__";

impl CodeState {
    /// Of the instructions as they are now.
    fn hash<'py>(&self, code: &Object<'py>) -> Result<'py, Option<u64>> {
        match code.attr_opt(c"_co_code_adaptive")? {
            Some(bytes) => Ok(Some(self.hasher.hash_one(bytes.as_bytes()?))),
            None => Ok(None),
        }
    }

    /// Whether the code was there and has changed.
    fn has_changed<'py>(&self, code: &Object<'py>) -> Result<'py, bool> {
        let Some(before) = self.hashes.get(&address(code)) else { return Ok(false) };
        Ok(self.hash(code)?.is_some_and(|now| now != *before))
    }
}

/// Code objects and what stands for them: themselves, where nothing has changed.
struct Copies<'s, 'py> {
    types: Types<'py>,
    before: &'s CodeState,
    /// By the address of the original, which is kept so that no other object gets it.
    made: HashMap<usize, (Object<'py>, Object<'py>)>,
}

impl<'py> Copies<'_, 'py> {
    fn of(&mut self, code: &Object<'py>) -> Result<'py, Object<'py>> {
        if let Some((_, copy)) = self.made.get(&address(code)) {
            return Ok(copy.clone());
        }
        let mut constants = constants(code)?;
        let mut moved = false;
        for constant in &mut constants {
            if self.types.is_code(constant) {
                let copy = self.of(constant)?;
                moved |= !copy.is(constant);
                *constant = copy;
            }
        }
        let copy = if moved || self.before.has_changed(code)? {
            let py = code.py();
            let keywords = py.dict()?;
            if moved {
                let constants: Vec<_> = constants.iter().collect();
                keywords.set("co_consts", &py.tuple(&constants)?)?;
            }
            code.attr(c"replace")?.call_with(&[], Some(&keywords))?
        } else {
            code.clone()
        };
        self.made.insert(address(code), (code.clone(), copy.clone()));
        Ok(copy)
    }
}

/// The types that matter.
struct Types<'py> {
    function: Object<'py>,
    code: Object<'py>,
}

impl<'py> Types<'py> {
    fn of(py: Attached<'py>) -> Result<'py, Self> {
        let types = py.import(c"types")?;
        Ok(Self { function: types.attr(c"FunctionType")?, code: types.attr(c"CodeType")? })
    }

    /// All functions that are written in Python.
    fn functions(&self, py: Attached<'py>) -> Result<'py, Vec<Object<'py>>> {
        let all = py.import(c"gc")?.call_method(c"get_objects", &[])?;
        let mut functions = Vec::new();
        for index in 0..all.length()? {
            let object = all.at(index)?;
            if is_exactly(&object, &self.function) {
                functions.push(object);
            }
        }
        Ok(functions)
    }

    fn is_code(&self, object: &Object<'py>) -> bool {
        is_exactly(object, &self.code)
    }
}

fn constants<'py>(code: &Object<'py>) -> Result<'py, Vec<Object<'py>>> {
    let constants = code.attr(c"co_consts")?;
    (0..constants.length()?).map(|index| constants.at(index)).collect()
}

fn is_exactly(object: &Object<'_>, kind: &Object<'_>) -> bool {
    // SAFETY: a live object has a type.
    unsafe { std::ptr::eq(ffi::Py_TYPE(object.as_ptr()).cast(), kind.as_ptr()) }
}

fn address(object: &Object<'_>) -> usize {
    object.as_ptr().addr()
}
