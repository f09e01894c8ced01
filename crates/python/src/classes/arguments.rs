//! The arguments of a call from Python.

use std::ptr::NonNull;

use pyo3_ffi as ffi;

use crate::attach::attached::Attached;
use crate::objects::error::{Error, Exception, Result};
use crate::objects::object::Object;

/// Positional and keyword arguments as the caller gave them.
#[derive(Debug)]
pub struct Arguments<'py> {
    py: Attached<'py>,
    positional: Vec<Object<'py>>,
    keywords: Vec<(String, Object<'py>)>,
}

impl<'py> Arguments<'py> {
    /// From a `METH_FASTCALL | METH_KEYWORDS` call.
    ///
    /// # Safety
    /// `values` are `count` live positional arguments and then one for each name of `names`, which
    /// is a tuple of `str` or null.
    pub(crate) unsafe fn from_array(
        py: Attached<'py>,
        values: *const *mut ffi::PyObject,
        count: isize,
        names: *mut ffi::PyObject,
    ) -> Result<'py, Self> {
        let count = count.unsigned_abs();
        // SAFETY: as the caller says: CPython keeps arguments alive for the call.
        let value = |index: usize| unsafe {
            Object::borrowed(py, NonNull::new_unchecked(*values.add(index)))
        };
        let mut arguments =
            Self { py, positional: (0..count).map(value).collect(), keywords: Vec::new() };
        if let Some(names) = NonNull::new(names) {
            // SAFETY: the same.
            let names = unsafe { Object::borrowed(py, names) };
            for (index, name) in names.iterate()?.enumerate() {
                arguments.keywords.push((name?.utf8()?, value(count + index)));
            }
        }
        Ok(arguments)
    }

    /// From a tuple and a dict or null.
    ///
    /// # Safety
    /// The objects are that, and alive.
    pub(crate) unsafe fn from_tuple(
        py: Attached<'py>,
        values: *mut ffi::PyObject,
        keywords: *mut ffi::PyObject,
    ) -> Result<'py, Self> {
        let mut arguments = Self { py, positional: Vec::new(), keywords: Vec::new() };
        if let Some(values) = NonNull::new(values) {
            // SAFETY: as the caller says.
            let values = unsafe { Object::borrowed(py, values) };
            arguments.positional = values.iterate()?.collect::<Result<'py, _>>()?;
        }
        if let Some(keywords) = NonNull::new(keywords) {
            // SAFETY: as the caller says.
            let keywords = unsafe { Object::borrowed(py, keywords) };
            for name in keywords.iterate()? {
                let name = name?;
                arguments.keywords.push((name.utf8()?, keywords.item(&name)?));
            }
        }
        Ok(arguments)
    }

    /// Arguments that may only be given by position: `required` of `N` must be there.
    pub fn positional<const N: usize>(
        self,
        function: &str,
        required: usize,
    ) -> Result<'py, [Option<Object<'py>>; N]> {
        if !self.keywords.is_empty() {
            let text = format!("{function}() takes no keyword arguments");
            return Err(Error::new(self.py, Exception::TypeError, &text));
        }
        self.named(function, [""; N], required)
    }

    /// Arguments that may be given by position or by name: the first `required` must be there.
    pub fn named<const N: usize>(
        self,
        function: &str,
        names: [&str; N],
        required: usize,
    ) -> Result<'py, [Option<Object<'py>>; N]> {
        let py = self.py;
        let wrong = |text: String| Err(Error::new(py, Exception::TypeError, &text));
        let given = self.positional.len();
        if given > N {
            let most = if required == N { "exactly" } else { "at most" };
            let plural = if N == 1 { "" } else { "s" };
            return wrong(format!(
                "{function}() takes {most} {N} argument{plural} ({given} given)"
            ));
        }
        let mut values = [const { None }; N];
        for (slot, value) in values.iter_mut().zip(self.positional) {
            *slot = Some(value);
        }
        for (name, value) in self.keywords {
            let Some(index) = names.iter().position(|known| *known == name) else {
                return wrong(format!("{function}() got an unexpected keyword argument '{name}'"));
            };
            if values[index].replace(value).is_some() {
                return wrong(format!("{function}() got multiple values for argument '{name}'"));
            }
        }
        if let Some(missing) = values[..required].iter().position(Option::is_none) {
            return wrong(format!(
                "{function}() is missing required argument {} ({given} given, {required} needed)",
                missing + 1
            ));
        }
        Ok(values)
    }

    /// The positional arguments and the keywords, for functions that take any.
    pub fn into_parts(self) -> (Vec<Object<'py>>, Vec<(String, Object<'py>)>) {
        (self.positional, self.keywords)
    }
}
