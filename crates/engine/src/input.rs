//! `mod_wsgi.Input`: the request's body as `wsgi.input`.
//!
//! Beyond PEP 3333 and mod_wsgi it knows `read(None)` and `readinto`.

use std::ffi::CStr;
use std::sync::Arc;
use std::time::Instant;

use python::{Arguments, Attached, Class, Error, Exception, Members, Method, Next, Object, Result};

use crate::exchange::BodyError;
use crate::lease::{Lease, Live};

/// The Python class `mod_wsgi.Input`.
pub(crate) struct Input(Arc<Lease>);

impl Input {
    pub(crate) fn new(lease: Arc<Lease>) -> Self {
        Self(lease)
    }

    fn bytes<'py>(
        &self,
        py: Attached<'py>,
        read: impl FnOnce(&mut Live) -> std::result::Result<Vec<u8>, BodyError> + Send,
    ) -> Result<'py, Vec<u8>> {
        let read = self.0.with(py, |live| {
            let began = live.meter.is_some().then(Instant::now);
            let read = read(live);
            if let (Some(meter), Some(began)) = (&mut live.meter, began) {
                meter.input.add(read.as_ref().map_or(0, Vec::len), began.elapsed());
            }
            read
        })?;
        read.map_err(|error| Error::new(py, Exception::OsError, &format!("mod_wsgi {error}")))
    }

    fn read<'py>(&self, py: Attached<'py>, limit: Option<usize>) -> Result<'py, Vec<u8>> {
        self.bytes(py, move |live| live.body.read(&mut *live.exchange, limit))
    }

    fn line<'py>(&self, py: Attached<'py>, limit: Option<usize>) -> Result<'py, Vec<u8>> {
        self.bytes(py, move |live| live.body.line(&mut *live.exchange, limit))
    }
}

/// A size argument: `None` and negative numbers mean no limit.
fn limit(size: Option<Object<'_>>) -> Result<'_, Option<usize>> {
    let Some(size) = size.filter(|size| !size.is_none()) else { return Ok(None) };
    Ok(usize::try_from(size.to_i64()?).ok())
}

impl Class for Input {
    const NAME: &'static CStr = c"mod_wsgi.Input";
    const DOC: &'static CStr = c"The body of a request.";

    fn members() -> Members<Self> {
        Members::new()
            .method::<Read>()
            .method::<ReadLine>()
            .method::<ReadLines>()
            .method::<ReadInto>()
            .method::<Close>()
            .iterator()
    }
}

impl Next for Input {
    fn next<'py>(&self, object: &Object<'py>) -> Result<'py, Option<Object<'py>>> {
        let line = self.line(object.py(), None)?;
        if line.is_empty() { Ok(None) } else { object.py().bytes(&line).map(Some) }
    }
}

struct Read;

impl Method for Read {
    type Class = Input;
    const NAME: &'static CStr = c"read";
    const DOC: &'static CStr = c"Reads size bytes, or all that is left.";

    fn call<'py>(
        this: &Input,
        object: &Object<'py>,
        arguments: Arguments<'py>,
    ) -> Result<'py, Object<'py>> {
        let [size] = arguments.positional("read", 0)?;
        let bytes = this.read(object.py(), limit(size)?)?;
        object.py().bytes(&bytes)
    }
}

struct ReadLine;

impl Method for ReadLine {
    type Class = Input;
    const NAME: &'static CStr = c"readline";
    const DOC: &'static CStr = c"Reads a line with its end, at most size bytes of it.";

    fn call<'py>(
        this: &Input,
        object: &Object<'py>,
        arguments: Arguments<'py>,
    ) -> Result<'py, Object<'py>> {
        let [size] = arguments.positional("readline", 0)?;
        let bytes = this.line(object.py(), limit(size)?)?;
        object.py().bytes(&bytes)
    }
}

struct ReadLines;

impl Method for ReadLines {
    type Class = Input;
    const NAME: &'static CStr = c"readlines";
    const DOC: &'static CStr = c"Reads lines until the end, or until hint bytes have been read.";

    fn call<'py>(
        this: &Input,
        object: &Object<'py>,
        arguments: Arguments<'py>,
    ) -> Result<'py, Object<'py>> {
        let py = object.py();
        let [hint] = arguments.positional("readlines", 0)?;
        let enough = limit(hint)?.filter(|hint| *hint > 0).unwrap_or(usize::MAX);
        let lines = py.list()?;
        let mut total = 0;
        while total < enough {
            let line = this.line(py, None)?;
            if line.is_empty() {
                break;
            }
            total += line.len();
            lines.append(&py.bytes(&line)?)?;
        }
        Ok(lines)
    }
}

struct ReadInto;

impl Method for ReadInto {
    type Class = Input;
    const NAME: &'static CStr = c"readinto";
    const DOC: &'static CStr = c"Reads into a writable buffer; the number of bytes is returned.";

    fn call<'py>(
        this: &Input,
        object: &Object<'py>,
        arguments: Arguments<'py>,
    ) -> Result<'py, Object<'py>> {
        let py = object.py();
        let [Some(buffer)] = arguments.positional("readinto", 1)? else { return Ok(py.none()) };
        let builtins = py.import(c"builtins")?;
        let view = builtins.call_method(c"memoryview", &[&buffer])?;
        let view = view.call_method(c"cast", &[&py.text("B")?])?;
        if view.attr(c"readonly")?.is_true()? {
            let text = "readinto() needs a writable buffer";
            return Err(Error::new(py, Exception::TypeError, text));
        }
        let bytes = this.read(py, Some(view.length()?))?;
        let count = py.int(i64::try_from(bytes.len()).unwrap_or(i64::MAX))?;
        let place = builtins.call_method(c"slice", &[&py.int(0)?, &count])?;
        view.set_item(&place, &py.bytes(&bytes)?)?;
        Ok(count)
    }
}

struct Close;

impl Method for Close {
    type Class = Input;
    const NAME: &'static CStr = c"close";
    const DOC: &'static CStr = c"Does nothing.";

    fn call<'py>(
        this: &Input,
        object: &Object<'py>,
        arguments: Arguments<'py>,
    ) -> Result<'py, Object<'py>> {
        let [] = arguments.positional("close", 0)?;
        this.0.quick(object.py(), |_| ())?;
        Ok(object.py().none())
    }
}
