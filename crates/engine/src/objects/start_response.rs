//! `start_response` and `write`: what applications may hand over, and how a fault is named.

use std::collections::BTreeSet;
use std::ffi::CStr;
use std::sync::{Arc, Mutex};

use wsgi::lock::lock;

use python::{Arguments, Attached, Call, Class, Error, Exception, Members, Method, Object, Result};
use wsgi::codes;
use wsgi::protocol::response::{ResponseStatus, check_header, is_framing, is_hop_by_hop};

use crate::records::Records;
use crate::request::lease::Lease;
use crate::request::response::Head;

/// The Python object that is `start_response`; its method `write` is what calling it returns.
pub(crate) struct StartResponse(Arc<Lease>);

impl StartResponse {
    pub(crate) fn new(lease: Arc<Lease>) -> Self {
        Self(lease)
    }
}

impl Class for StartResponse {
    const NAME: &'static CStr = c"mod_wsgi.StartResponse";
    const DOC: &'static CStr = c"start_response(status, headers[, exc_info]) of a request.";

    fn members() -> Members<Self> {
        Members::new().call().method::<Write>()
    }
}

impl Call for StartResponse {
    fn call<'py>(
        &self,
        object: &Object<'py>,
        arguments: Arguments<'py>,
    ) -> Result<'py, Object<'py>> {
        let py = object.py();
        #[cfg(feature = "panic-hook")]
        assert!(!self.0.panics, "dormouse.panic asked for it");
        let [Some(status), Some(headers), exc_info] = arguments.positional("start_response", 2)?
        else {
            return Ok(py.none());
        };
        if let Some(events) = self.0.events() {
            let mut records = Records::new();
            events.response_started(py, &status, &headers, exc_info.as_ref(), &mut records);
            self.0.log_all(py, &records)?;
        }
        if self.0.quick(py, |live| live.response.sent)? {
            return Err(started_again(py, exc_info));
        }
        let mut head =
            Head { status: checked_status(&status)?, headers: checked_headers(&headers)? };
        self.0.log_all(py, &complaints(&head))?;
        head.headers.retain(|(name, _)| !is_framing(name));
        self.0.quick(py, |live| live.response.head = Some(head))?;
        object.attr(c"write")
    }
}

/// `start_response` after the head has gone out: only good for raising what went wrong.
fn started_again<'py>(py: Attached<'py>, exc_info: Option<Object<'py>>) -> Error<'py> {
    let Some(exc_info) = exc_info.filter(|exc_info| !exc_info.is_none()) else {
        let text = "start_response() was called again after the headers had been sent";
        return Error::new(py, Exception::RuntimeError, text);
    };
    if !exc_info.is_tuple() {
        let text = format!("exc_info must be a tuple, not {}", exc_info.type_name());
        return Error::new(py, Exception::RuntimeError, &text);
    }
    given_exception(&exc_info).unwrap_or_else(|error| error)
}

fn given_exception<'py>(exc_info: &Object<'py>) -> Result<'py, Error<'py>> {
    let py = exc_info.py();
    let length = exc_info.length()?;
    if length != 3 {
        let text = format!("exc_info must be a tuple of 3 items, not of {length}");
        return Err(Error::new(py, Exception::TypeError, &text));
    }
    let (class, value, traceback) = (exc_info.at(0)?, exc_info.at(1)?, exc_info.at(2)?);
    if !value.is_instance(&Exception::BaseException.class(py))? {
        return Ok(Error::raise(py, &class));
    }
    value.call_method(c"with_traceback", &[&traceback])?;
    Ok(Error::raise(py, &value))
}

/// The headers that PEP 3333 forbids and that mod_wsgi and Dormouse pass on: logged once for each
/// header.
fn complaints(head: &Head) -> Records {
    static NAMED: Mutex<BTreeSet<Vec<u8>>> = Mutex::new(BTreeSet::new());
    let forbidden = head.headers.iter().filter(|(name, _)| is_hop_by_hop(name));
    let first = |name: &[u8]| {
        let mut named = lock(&NAMED);
        named.insert(name.to_ascii_lowercase())
    };
    let mut records = Records::new();
    for (name, _) in forbidden.filter(|(name, _)| first(name)) {
        let fate = if is_framing(name) { "left out" } else { "passed on" };
        records.message(&codes::hop_by_hop_header(&String::from_utf8_lossy(name), fate));
    }
    records
}

fn checked_status<'py>(status: &Object<'py>) -> Result<'py, ResponseStatus> {
    let py = status.py();
    if !status.is_str() {
        let text = format!("status must be a str, not {}", status.type_name());
        return Err(Error::new(py, Exception::TypeError, &text));
    }
    ResponseStatus::parse(&status.latin1()?)
        .map_err(|error| Error::new(py, Exception::ValueError, &error.to_string()))
}

fn checked_headers<'py>(headers: &Object<'py>) -> Result<'py, Vec<(Vec<u8>, Vec<u8>)>> {
    let py = headers.py();
    let wrong = |text: String| Error::new(py, Exception::TypeError, &text);
    if !headers.is_list() {
        return Err(wrong(format!("headers must be a list, not {}", headers.type_name())));
    }
    let mut checked = Vec::with_capacity(headers.length()?);
    for header in headers.iterate()? {
        let header = header?;
        if !header.is_tuple() {
            let found = header.type_name();
            return Err(wrong(format!("each header must be a tuple (name, value), not {found}")));
        }
        let length = header.length()?;
        if length != 2 {
            let text = format!("each header must be a tuple (name, value), not of {length} items");
            return Err(Error::new(py, Exception::ValueError, &text));
        }
        let (name, value) = (header.at(0)?, header.at(1)?);
        for (what, part) in [("name", &name), ("value", &value)] {
            if !part.is_str() {
                let (shown, found) = (name.display(), part.type_name());
                return Err(wrong(format!(
                    "the {what} of header {shown} must be a str, not {found}"
                )));
            }
        }
        let (name, value) = (name.latin1()?, value.latin1()?);
        check_header(&name, &value)
            .map_err(|error| Error::new(py, Exception::ValueError, &error.to_string()))?;
        checked.push((name, value));
    }
    Ok(checked)
}

struct Write;

impl Method for Write {
    type Class = StartResponse;
    const NAME: &'static CStr = c"write";
    const DOC: &'static CStr = c"Sends a piece of the body at once.";

    fn call<'py>(
        this: &StartResponse,
        object: &Object<'py>,
        arguments: Arguments<'py>,
    ) -> Result<'py, Object<'py>> {
        let py = object.py();
        let [Some(data)] = arguments.positional("write", 1)? else { return Ok(py.none()) };
        if !data.is_bytes() {
            let text = format!("write() takes bytes, not {}", data.type_name());
            return Err(Error::new(py, Exception::TypeError, &text));
        }
        let bytes = data.as_bytes()?;
        this.0.with(py, |live| live.send(bytes))?.map_err(|error| error.raise(py))?;
        Ok(py.none())
    }
}
