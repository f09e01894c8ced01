//! `mod_wsgi.FileWrapper`: `wsgi.file_wrapper`, whose files Apache sends without Python.

use std::ffi::CStr;
use std::fs::File;
use std::sync::Mutex;

use wsgi::lock::lock;

use python::{
    Arguments, Attached, Class, Construct, Error, Exception, Getter, Handle, Members, Method, Next,
    Object, Result,
};

/// The Python class `mod_wsgi.FileWrapper`. It gives its file up when it is closed.
pub(crate) struct FileWrapper {
    file: Mutex<Option<Handle>>,
    block: i64,
}

/// A regular file and where to begin.
pub(crate) struct RegularFile {
    pub(crate) file: File,
    pub(crate) offset: u64,
    pub(crate) size: u64,
}

impl FileWrapper {
    /// The wrapped file, if Apache can send it: it has a descriptor, is a regular file and says
    /// where it stands. Whatever it raises when asked means no.
    pub(crate) fn regular_file(&self, py: Attached<'_>) -> Option<RegularFile> {
        let wrapped = self.wrapped(py).ok()?;
        let position = wrapped.attr(c"tell").ok()?.call(&[]).ok()?;
        if !position.is_int() {
            return None;
        }
        let offset = u64::try_from(position.to_i64().ok()?).ok()?;
        let fileno = wrapped.call_method(c"fileno", &[]).ok()?;
        let file = File::from(fileno.file_descriptor().ok()?);
        let metadata = py.detach(|| file.metadata()).ok().filter(std::fs::Metadata::is_file)?;
        Some(RegularFile { file, offset, size: metadata.len() })
    }

    fn wrapped<'py>(&self, py: Attached<'py>) -> Result<'py, Object<'py>> {
        let file = lock(&self.file);
        let closed = || Error::new(py, Exception::ValueError, "the file wrapper has been closed");
        file.as_ref().map(|file| file.bind(py)).ok_or_else(closed)
    }
}

impl Class for FileWrapper {
    const NAME: &'static CStr = c"mod_wsgi.FileWrapper";
    const DOC: &'static CStr = c"FileWrapper(filelike, blksize=8192): a file as an iterable.";
    const SUBCLASSABLE: bool = true;

    fn members() -> Members<Self> {
        Members::new()
            .constructor()
            .iterator()
            .method::<Close>()
            .getter::<FileLike>()
            .getter::<BlkSize>()
    }
}

impl Construct for FileWrapper {
    fn construct<'py>(py: Attached<'py>, arguments: Arguments<'py>) -> Result<'py, Self> {
        let [filelike, block] = arguments.named("FileWrapper", ["filelike", "blksize"], 1)?;
        let block = block.map_or(Ok(8192), |block| block.to_i64())?;
        if block < 0 {
            let text = format!("blksize must not be negative: {block}");
            return Err(Error::new(py, Exception::ValueError, &text));
        }
        Ok(Self { file: Mutex::new(filelike.map(|file| file.handle())), block })
    }
}

impl Next for FileWrapper {
    fn next<'py>(&self, object: &Object<'py>) -> Result<'py, Option<Object<'py>>> {
        let py = object.py();
        let block = py.int(self.block)?;
        let bytes = self.wrapped(py)?.call_method(c"read", &[&block])?;
        if !bytes.is_bytes() {
            let text =
                format!("read() of the wrapped file must return bytes, not {}", bytes.type_name());
            return Err(Error::new(py, Exception::TypeError, &text));
        }
        let end = bytes.as_bytes()?.is_empty();
        Ok((!end).then_some(bytes))
    }
}

struct Close;

impl Method for Close {
    type Class = FileWrapper;
    const NAME: &'static CStr = c"close";
    const DOC: &'static CStr = c"Closes the wrapped file.";

    fn call<'py>(
        this: &FileWrapper,
        object: &Object<'py>,
        arguments: Arguments<'py>,
    ) -> Result<'py, Object<'py>> {
        let py = object.py();
        let [] = arguments.positional("close", 0)?;
        let file = lock(&this.file).take();
        if let Some(file) = file {
            // An exception of `close()` has no effect: the response has gone out.
            let _ = file.bind(py).call_method(c"close", &[]);
            file.release(py);
        }
        Ok(py.none())
    }
}

struct FileLike;

impl Getter for FileLike {
    type Class = FileWrapper;
    const NAME: &'static CStr = c"filelike";
    const DOC: &'static CStr = c"The wrapped file.";

    fn get<'py>(this: &FileWrapper, py: Attached<'py>) -> Result<'py, Object<'py>> {
        this.wrapped(py)
    }
}

struct BlkSize;

impl Getter for BlkSize {
    type Class = FileWrapper;
    const NAME: &'static CStr = c"blksize";
    const DOC: &'static CStr = c"Bytes that are read at a time.";

    fn get<'py>(this: &FileWrapper, py: Attached<'py>) -> Result<'py, Object<'py>> {
        py.int(this.block)
    }
}
