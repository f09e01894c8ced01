//! The response: `start_response`, `write`, and what may go out when.

use std::ffi::CStr;
use std::sync::Arc;

use python::{Arguments, Attached, Call, Class, Error, Exception, Members, Method, Object, Result};
use wsgi::response::{Status, check_header, content_length};

use crate::exchange::Gone;
use crate::lease::{Lease, Live};

/// How far the response has come.
#[derive(Debug, Default)]
pub(crate) struct Response {
    head: Option<Head>,
    /// The head has gone out.
    pub(crate) sent: bool,
    /// Nobody takes the response any more.
    pub(crate) gone: bool,
    /// Bytes that the application's Content-Length still allows.
    left: Option<u64>,
    /// Bytes beyond the Content-Length that were dropped.
    pub(crate) dropped: u64,
}

/// What `start_response` was given.
#[derive(Debug)]
pub(crate) struct Head {
    status: Status,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Why nothing could be sent.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum SendError {
    #[error("the application has not called start_response() before its first output")]
    NotStarted,
    #[error("the value of the Content-Length header is not a number: {0:?}")]
    Length(String),
    #[error("response data write error: {0}")]
    Gone(#[from] Gone),
}

impl SendError {
    pub(crate) fn raise(self, py: Attached<'_>) -> Error<'_> {
        let class = match self {
            Self::NotStarted => Exception::RuntimeError,
            Self::Length(_) => Exception::ValueError,
            Self::Gone(_) => Exception::OsError,
        };
        Error::new(py, class, &self.to_string())
    }
}

impl Response {
    fn length_header(&self) -> std::result::Result<Option<u64>, SendError> {
        let headers = &self.head.as_ref().ok_or(SendError::NotStarted)?.headers;
        let given = headers.iter().rfind(|(name, _)| name.eq_ignore_ascii_case(b"content-length"));
        let Some((_, value)) = given else { return Ok(None) };
        let wrong = || SendError::Length(String::from_utf8_lossy(value).into_owned());
        content_length(value).map(Some).ok_or_else(wrong)
    }

    /// Bytes that the application has promised and not sent.
    pub(crate) fn missing(&self) -> u64 {
        self.left.unwrap_or(0)
    }
}

impl Live {
    /// Sends the head if it has not gone out yet.
    pub(crate) fn send_head(&mut self) -> std::result::Result<(), SendError> {
        if self.response.gone {
            return Err(Gone.into());
        }
        if !self.response.sent {
            self.response.left = self.response.length_header()?;
            let head = self.response.head.as_ref().ok_or(SendError::NotStarted)?;
            let result = self.exchange.head(&head.status, &head.headers);
            self.note(result)?;
            self.response.sent = true;
        }
        Ok(())
    }

    /// Sends a piece of the body, as much of it as the Content-Length allows.
    pub(crate) fn send(&mut self, mut bytes: &[u8]) -> std::result::Result<(), SendError> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.send_head()?;
        if let Some(left) = &mut self.response.left {
            let allowed = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
            self.response.dropped += (bytes.len() - allowed) as u64;
            *left -= allowed as u64;
            bytes = &bytes[..allowed];
        }
        if bytes.is_empty() {
            return Ok(());
        }
        let result = self.exchange.data(bytes);
        self.note(result)
    }

    /// Sends a file from `offset` to `size`, or as much as the Content-Length says.
    pub(crate) fn send_file(
        &mut self,
        file: &std::fs::File,
        offset: u64,
        size: u64,
    ) -> std::result::Result<(), SendError> {
        use std::os::fd::AsFd;
        let rest = size.saturating_sub(offset);
        let length = match self.response.length_header()? {
            Some(given) => given.min(rest),
            None => rest,
        };
        if let Some(head) = &mut self.response.head
            && !head.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(b"content-length"))
        {
            let value = rest.to_string().into_bytes();
            head.headers.push((b"Content-Length".to_vec(), value));
        }
        self.send_head()?;
        if let Some(left) = &mut self.response.left {
            *left -= length;
        }
        if length == 0 {
            return Ok(());
        }
        let result = self.exchange.file(file.as_fd(), offset, length);
        self.note(result)
    }

    fn note(
        &mut self,
        result: std::result::Result<(), Gone>,
    ) -> std::result::Result<(), SendError> {
        self.response.gone |= result.is_err();
        result.map_err(SendError::from)
    }
}

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
        let sent = self.0.quick(py, |live| live.response.sent)?;
        if sent {
            return Err(started_again(py, exc_info));
        }
        let head = Head { status: checked_status(&status)?, headers: checked_headers(&headers)? };
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

fn checked_status<'py>(status: &Object<'py>) -> Result<'py, Status> {
    let py = status.py();
    if !status.is_str() {
        let text = format!("status must be a str, not {}", status.type_name());
        return Err(Error::new(py, Exception::TypeError, &text));
    }
    Status::parse(&status.latin1()?)
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
