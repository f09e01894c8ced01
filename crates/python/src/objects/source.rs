//! Python source: compiled and run as a module.

use std::ffi::CString;
use std::ptr;

use pyo3_ffi as ffi;

use crate::attach::attached::Attached;
use crate::objects::error::{Error, Exception, Result};
use crate::objects::object::Object;

impl<'py> Attached<'py> {
    /// Compiles a source file. Its encoding cookie counts; without one it is UTF-8.
    pub fn compile(self, source: &[u8], path: &[u8]) -> Result<'py, Object<'py>> {
        let refused = |text| Error::new(self, Exception::SyntaxError, text);
        let source = CString::new(source)
            .map_err(|_| refused("the source contains a NUL byte; remove it"))?;
        let path = CString::new(path)
            .map_err(|_| refused("the path of the source contains a NUL byte"))?;
        // SAFETY: two C strings, and the thread is attached.
        unsafe {
            let code = ffi::Py_CompileString(source.as_ptr(), path.as_ptr(), ffi::Py_file_input);
            Object::owned(self, code)
        }
    }

    /// Runs compiled code as the module `name`, which is put into `sys.modules` first and taken
    /// out again if the code raises. A module of that name that is there already is run again in
    /// place.
    pub fn run_module(
        self,
        name: &str,
        code: &Object<'py>,
        path: &[u8],
    ) -> Result<'py, Object<'py>> {
        let (name, path) = (self.text(name)?, self.fs_path(path)?);
        // SAFETY: live objects, and the thread is attached; null leaves `__cached__` alone.
        unsafe {
            Object::owned(
                self,
                ffi::PyImport_ExecCodeModuleObject(
                    name.as_ptr(),
                    code.as_ptr(),
                    path.as_ptr(),
                    ptr::null_mut(),
                ),
            )
        }
    }

    /// Runs source in the namespace `globals` (a dict) and returns nothing.
    pub fn run(self, source: &str, name: &str, globals: &Object<'py>) -> Result<'py, ()> {
        let code = self.compile(source.as_bytes(), name.as_bytes())?;
        let builtins = self.import(c"builtins")?;
        builtins.call_method(c"exec", &[&code, globals]).map(drop)
    }
}
