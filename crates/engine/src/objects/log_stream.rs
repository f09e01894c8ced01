//! `mod_wsgi.Log`: the raw stream below `wsgi.errors`, `sys.stderr` and `sys.stdout`.
//!
//! One record per line: the part of a line that has no end yet is kept until it comes, or until
//! Python code flushes the stream. While a thread is inside a request, its standard streams write
//! into the request's log; otherwise into the server's, where each thread has its own unfinished
//! line.

use std::collections::HashMap;
use std::ffi::CStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;

use python::{
    Arguments, Attached, Class, Error, Exception, Getter, Members, Method, Object, Result,
};

use crate::request::current;
use crate::request::error_lines::Lines;
use crate::request::lease::{Lease, Live};
use crate::settings::ServerLog;
use wsgi::lock::lock;

/// The Python class `mod_wsgi.Log`.
pub(crate) struct LogStream {
    name: &'static str,
    target: Target,
    /// Whether a method of it was called.
    used: AtomicBool,
}

enum Target {
    /// One request after the other.
    Request(Mutex<Arc<Lease>>),
    Server {
        log: Arc<dyn ServerLog>,
        unfinished: Mutex<HashMap<ThreadId, Lines>>,
    },
}

impl LogStream {
    /// `wsgi.errors` of a request.
    pub(crate) fn of_request(lease: Arc<Lease>) -> Self {
        Self {
            name: "<wsgi.errors>",
            target: Target::Request(Mutex::new(lease)),
            used: AtomicBool::new(false),
        }
    }

    /// Serves another request, if it serves requests.
    pub(crate) fn serve(&self, lease: Arc<Lease>) {
        if let Target::Request(current) = &self.target {
            *lock(current) = lease;
        }
    }

    /// Forgets the calls that were made while the text stream above it was made.
    pub(crate) fn forget_use(&self) {
        self.used.store(false, Ordering::Relaxed);
    }

    /// Whether no method of it was called: the text stream above it is as it was made.
    pub(crate) fn is_unused(&self) -> bool {
        !self.used.load(Ordering::Relaxed)
    }

    fn note_use(&self) {
        self.used.store(true, Ordering::Relaxed);
    }

    /// A standard stream.
    pub(crate) fn of_server(name: &'static str, log: Arc<dyn ServerLog>) -> Self {
        let target = Target::Server { log, unfinished: Mutex::default() };
        Self { name, target, used: AtomicBool::new(false) }
    }

    fn write<'py>(&self, py: Attached<'py>, text: &[u8]) -> Result<'py, ()> {
        self.note_use();
        match (&self.target, current::lease()) {
            (Target::Request(lease), _) => {
                let lease = Arc::clone(&lock(lease));
                lease.with(py, |live| live.write_errors(text))
            }
            (Target::Server { .. }, Some(lease)) => lease.with(py, |live| live.write_errors(text)),
            (Target::Server { log, unfinished }, None) => {
                let id = std::thread::current().id();
                let lines = {
                    let mut unfinished = lock(unfinished);
                    let mut own = unfinished.remove(&id).unwrap_or_default();
                    let lines = own.push(text);
                    if !own.is_empty() {
                        unfinished.insert(id, own);
                    }
                    lines
                };
                py.detach(|| lines.iter().for_each(|line| log.output(line)));
                Ok(())
            }
        }
    }

    /// Writes bytes, anything that has some, or text; gives how many they were.
    fn write_object<'py>(&self, data: &Object<'py>) -> Result<'py, usize> {
        let data = if data.is_str() { encoded(data)? } else { data.to_bytes()? };
        let bytes = data.as_bytes()?;
        self.write(data.py(), bytes)?;
        Ok(bytes.len())
    }

    /// Nothing is an error here: TextIOWrapper flushes when it is dropped, whenever that is.
    fn flush(&self, py: Attached<'_>) {
        self.note_use();
        match (&self.target, current::lease()) {
            (Target::Request(lease), _) => {
                let lease = Arc::clone(&lock(lease));
                _ = lease.with(py, Live::flush_errors);
            }
            (Target::Server { .. }, Some(lease)) => _ = lease.with(py, Live::flush_errors),
            (Target::Server { log, unfinished }, None) => {
                let own = lock(unfinished).remove(&std::thread::current().id());
                if let Some(line) = own.and_then(|mut own| own.rest()) {
                    py.detach(|| log.output(&line));
                }
            }
        }
    }
}

impl Class for LogStream {
    const NAME: &'static CStr = c"mod_wsgi.Log";
    const DOC: &'static CStr = c"A binary stream into Apache's error log, one record per line.";

    fn members() -> Members<Self> {
        Members::new()
            .method::<Write>()
            .method::<WriteLines>()
            .method::<Flush>()
            .method::<Close>()
            .method::<IsATty>()
            .method::<Readable>()
            .method::<Seekable>()
            .method::<Writable>()
            .method::<FileNo>()
            .getter::<Closed>()
            .getter::<Name>()
    }
}

struct Write;

impl Method for Write {
    type Class = LogStream;
    const NAME: &'static CStr = c"write";
    const DOC: &'static CStr = c"Writes bytes; the number of them is returned.";

    fn call<'py>(
        this: &LogStream,
        object: &Object<'py>,
        arguments: Arguments<'py>,
    ) -> Result<'py, Object<'py>> {
        let py = object.py();
        let [Some(data)] = arguments.positional("write", 1)? else { return Ok(py.none()) };
        py.int(i64::try_from(this.write_object(&data)?).unwrap_or(i64::MAX))
    }
}

struct WriteLines;

impl Method for WriteLines {
    type Class = LogStream;
    const NAME: &'static CStr = c"writelines";
    const DOC: &'static CStr = c"Writes each of an iterable's items; no ends of lines are added.";

    fn call<'py>(
        this: &LogStream,
        object: &Object<'py>,
        arguments: Arguments<'py>,
    ) -> Result<'py, Object<'py>> {
        let py = object.py();
        let [Some(items)] = arguments.positional("writelines", 1)? else { return Ok(py.none()) };
        for item in items.iterate()? {
            this.write_object(&item?)?;
        }
        Ok(py.none())
    }
}

/// Text where bytes belong: old applications do that.
fn encoded<'py>(text: &Object<'py>) -> Result<'py, Object<'py>> {
    let py = text.py();
    let warning = py.import(c"builtins")?.attr(c"DeprecationWarning")?;
    let message = py.text("write bytes to the buffer of a log stream, not str")?;
    py.import(c"warnings")?.call_method(c"warn", &[&message, &warning])?;
    text.call_method(c"encode", &[&py.text("utf-8")?, &py.text("replace")?])
}

struct Flush;

impl Method for Flush {
    type Class = LogStream;
    const NAME: &'static CStr = c"flush";
    const DOC: &'static CStr = c"Writes out a line that has no end yet.";

    fn call<'py>(
        this: &LogStream,
        object: &Object<'py>,
        arguments: Arguments<'py>,
    ) -> Result<'py, Object<'py>> {
        let [] = arguments.positional("flush", 0)?;
        this.flush(object.py());
        Ok(object.py().none())
    }
}

struct Close;

impl Method for Close {
    type Class = LogStream;
    const NAME: &'static CStr = c"close";
    const DOC: &'static CStr = c"Writes out a line that has no end yet; the stream stays open.";

    fn call<'py>(
        this: &LogStream,
        object: &Object<'py>,
        arguments: Arguments<'py>,
    ) -> Result<'py, Object<'py>> {
        Flush::call(this, object, arguments)
    }
}

/// A method without arguments that says yes or no.
macro_rules! answer {
    ($type:ident, $name:literal, $value:literal) => {
        struct $type;

        impl Method for $type {
            type Class = LogStream;
            const NAME: &'static CStr = $name;
            const DOC: &'static CStr = c"As of every raw stream.";

            fn call<'py>(
                this: &LogStream,
                object: &Object<'py>,
                _arguments: Arguments<'py>,
            ) -> Result<'py, Object<'py>> {
                this.note_use();
                Ok(object.py().bool($value))
            }
        }
    };
}

answer!(IsATty, c"isatty", false);
answer!(Readable, c"readable", false);
answer!(Seekable, c"seekable", false);
answer!(Writable, c"writable", true);

struct FileNo;

impl Method for FileNo {
    type Class = LogStream;
    const NAME: &'static CStr = c"fileno";
    const DOC: &'static CStr = c"Raises OSError: there is no descriptor.";

    fn call<'py>(
        _this: &LogStream,
        object: &Object<'py>,
        _arguments: Arguments<'py>,
    ) -> Result<'py, Object<'py>> {
        let text = "a stream into Apache's error log has no file descriptor";
        Err(Error::new(object.py(), Exception::OsError, text))
    }
}

struct Closed;

impl Getter for Closed {
    type Class = LogStream;
    const NAME: &'static CStr = c"closed";
    const DOC: &'static CStr = c"Always False.";

    fn get<'py>(_this: &LogStream, py: Attached<'py>) -> Result<'py, Object<'py>> {
        Ok(py.bool(false))
    }
}

struct Name;

impl Getter for Name {
    type Class = LogStream;
    const NAME: &'static CStr = c"name";
    const DOC: &'static CStr = c"Which stream this is.";

    fn get<'py>(this: &LogStream, py: Attached<'py>) -> Result<'py, Object<'py>> {
        py.text(this.name)
    }
}

/// A text stream that hands every write on to a binary one. The first that is made in an
/// interpreter also looks up its first codec, so that applications find the registry of codecs set
/// up.
pub(crate) fn text_over<'py>(binary: &Object<'py>) -> Result<'py, Object<'py>> {
    let py = binary.py();
    let options = py.dict()?;
    options.set("encoding", &py.text("utf-8")?)?;
    options.set("errors", &py.text("replace")?)?;
    options.set("line_buffering", &py.bool(true))?;
    options.set("write_through", &py.bool(true))?;
    py.import(c"io")?.attr(c"TextIOWrapper")?.call_with(&[binary], Some(&options))
}
