//! `mod_wsgi.Input`: the request's body as `wsgi.input`.
//!
//! Beyond PEP 3333 and mod_wsgi it knows `read(None)` and `readinto`.

use std::ffi::CStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use python::{
    Arguments, Attached, BytesBuffer, Class, Error, Exception, Members, Method, Next, Object,
    Result,
};

use crate::exchange::BodyError;
use crate::request::body::STEP;
use crate::request::lease::{Lease, Live};

/// Where it is not known how much comes, there is room for so many bytes at first.
const FIRST: usize = 8 << 10;

/// The most bytes that are asked for at once: the room for them is in the processor's cache when
/// they arrive.
const AT_ONCE: usize = 128 << 10;

/// The Python class `mod_wsgi.Input`.
pub(crate) struct Input(Arc<Lease>);

impl Input {
    pub(crate) fn new(lease: Arc<Lease>) -> Self {
        Self(lease)
    }

    /// Reads bytes, as a part of one of the application's reads that may be its first.
    fn part<'py, R: Send>(
        &self,
        py: Attached<'py>,
        is_first: bool,
        length: impl FnOnce(&R) -> usize + Send,
        read: impl FnOnce(&mut Live) -> std::result::Result<R, BodyError> + Send,
    ) -> Result<'py, R> {
        let read = self.0.with(py, |live| {
            let began = live.meter.is_some().then(Instant::now);
            let read = read(live);
            if let (Some(meter), Some(began)) = (&mut live.meter, began) {
                let length = read.as_ref().map_or(0, length);
                meter.input.add_part(is_first, length, began.elapsed());
            }
            read
        })?;
        read.map_err(|error| Error::new(py, Exception::OsError, &format!("mod_wsgi {error}")))
    }

    fn bytes<'py>(
        &self,
        py: Attached<'py>,
        read: impl FnOnce(&mut Live) -> std::result::Result<Vec<u8>, BodyError> + Send,
    ) -> Result<'py, Vec<u8>> {
        self.part(py, true, Vec::len, read)
    }

    /// Reads `limit` bytes, or fewer at the end; without a limit all that is left. The bytes are
    /// received in the object that the application gets, so that they are in memory once.
    fn read<'py>(&self, py: Attached<'py>, limit: Option<usize>) -> Result<'py, Object<'py>> {
        let limit = limit.unwrap_or(usize::MAX);
        let (whole, expected) = self.0.quick(py, move |live| {
            let whole = live.body.read_whole(limit);
            if let (Some(meter), Some(whole)) = (&mut live.meter, &whole) {
                meter.input.add(whole.len(), Duration::ZERO);
            }
            (whole, live.body.expected())
        })?;
        if let Some(whole) = whole {
            py.bytes(&whole)
        } else if limit == 0 {
            self.part(py, true, |()| 0, |live| live.body.begin(&mut *live.exchange))?;
            py.bytes(&[])
        } else {
            self.read_large(py, limit, expected)
        }
    }

    /// What there is room for grows with what arrives, and by no more than [`STEP`] at a time
    /// beyond that: the client may promise what it likes.
    fn read_large<'py>(
        &self,
        py: Attached<'py>,
        limit: usize,
        expected: Option<usize>,
    ) -> Result<'py, Object<'py>> {
        let mut bytes = BytesBuffer::new(py, &[])?;
        let mut is_first = true;
        while bytes.length() < limit {
            let filled = bytes.length();
            let promised = expected.unwrap_or(0).saturating_sub(filled);
            let usual = if promised > 0 { promised } else { filled.max(FIRST) };
            let step = usual.min(STEP).min(limit - filled);
            bytes = bytes.with_room(step)?;
            let room = bytes.rest(step.min(AT_ONCE));
            let wanted = room.len();
            let read = |live: &mut Live| live.body.read_into(&mut *live.exchange, room);
            let count = self.part(py, is_first, |count| *count, read)?;
            bytes.fill(count);
            let is_all = promised == count && bytes.length() < limit;
            let at_end = |live: &mut Live| live.body.is_at_end(&mut *live.exchange);
            if count < wanted || (is_all && self.part(py, false, |_| 0, at_end)?) {
                break;
            }
            is_first = false;
        }
        bytes.finish()
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
        this.read(object.py(), limit(size)?)
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
        let count = py.int(i64::try_from(bytes.length()?).unwrap_or(i64::MAX))?;
        let slice = builtins.call_method(c"slice", &[&py.int(0)?, &count])?;
        view.set_item(&slice, &bytes)?;
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
