//! The return value of an application is sent: a file by the server, anything else piece by piece.

use python::{Attached, Error, Exception, Object, Result};

use super::Job;
use crate::records::Records;
use crate::request::lease::Live;
use crate::request::response::ResponseError;

/// Why a response was not sent to its end.
pub(super) enum Stop<'py> {
    Raised(Error<'py>),
    Gone,
}

impl<'py> From<Error<'py>> for Stop<'py> {
    fn from(error: Error<'py>) -> Self {
        Self::Raised(error)
    }
}

impl Job<'_> {
    /// Sends what the application returned.
    pub(super) fn respond<'py>(
        &self,
        py: Attached<'py>,
        answer: &Object<'py>,
    ) -> std::result::Result<(), Stop<'py>> {
        if self.send_file(py, answer)? {
            return Ok(());
        }
        if answer.is_exact_list() || answer.is_exact_tuple() {
            return self.send_items(py, answer);
        }
        for item in items(answer)? {
            let item = item?;
            let bytes = bytes_of(&item)?;
            if !bytes.is_empty() {
                self.sent(py, self.lease.with(py, |live| live.send(bytes))?)?;
            }
        }
        if self.lease.quick(py, |live| live.response.sent)? {
            return Ok(());
        }
        self.sent(py, self.lease.with(py, Live::send_head)?)
    }

    /// Sends the items of a list or tuple: nothing is to be waited for between them, and nothing
    /// comes behind them, so that a short response leaves whole with the end of the request.
    fn send_items<'py>(
        &self,
        py: Attached<'py>,
        answer: &Object<'py>,
    ) -> std::result::Result<(), Stop<'py>> {
        let mut index = 0;
        // The list may change while it is being sent.
        while index < answer.length()? {
            let item = answer.at(index)?;
            let bytes = bytes_of(&item)?;
            if !self.sent(py, self.lease.quick(py, |live| live.hold(bytes))?)? {
                self.sent(py, self.lease.with(py, |live| live.send(bytes))?)?;
            }
            index += 1;
        }
        if !self.sent(py, self.lease.quick(py, |live| live.hold(&[]))?)? {
            self.sent(py, self.lease.with(py, Live::send_head)?)?;
        }
        Ok(())
    }

    /// The fast path of `wsgi.file_wrapper`; `false` if there is none for this answer.
    fn send_file<'py>(
        &self,
        py: Attached<'py>,
        answer: &Object<'py>,
    ) -> std::result::Result<bool, Stop<'py>> {
        let class = self.hosted.classes.file_wrapper.bind(py);
        let Some(wrapper) = class.get(answer) else { return Ok(false) };
        if self.lease.quick(py, |live| live.response.sent)? {
            return Ok(false);
        }
        let Some(regular) = wrapper.regular_file(py) else { return Ok(false) };
        let sent = self
            .lease
            .with(py, |live| live.send_file(&regular.file, regular.offset, regular.size))?;
        self.sent(py, sent)?;
        Ok(true)
    }

    fn sent<'py, R>(
        &self,
        py: Attached<'py>,
        result: std::result::Result<R, ResponseError>,
    ) -> std::result::Result<R, Stop<'py>> {
        result.map_err(|error| match error {
            ResponseError::Gone(_) => {
                let mut records = Records::new();
                records.trace("the client has closed the connection".to_owned());
                self.log(py, &records);
                Stop::Gone
            }
            other => Stop::Raised(other.raise(py)),
        })
    }

    pub(super) fn log_mismatch(&self, py: Attached<'_>) {
        let seen = self.lease.quick(py, |live| (live.response.dropped, live.response.missing()));
        let text = match seen {
            Ok((dropped, _)) if dropped > 0 => {
                format!("Content-Length mismatch: {dropped} bytes too many were dropped")
            }
            Ok((_, missing)) if missing > 0 => {
                format!("Content-Length mismatch: {missing} bytes are missing")
            }
            _ => return,
        };
        let mut records = Records::new();
        records.trace(text);
        self.log(py, &records);
    }
}

fn items<'py>(answer: &Object<'py>) -> Result<'py, python::Iter<'py>> {
    let py = answer.py();
    answer.iterate().map_err(|error| {
        let iterable = answer.attr_opt(c"__iter__");
        if error.is_instance_of(Exception::TypeError) && matches!(iterable, Ok(None)) {
            let found = answer.type_name();
            let text = format!("the application must return an iterable of bytes, not {found}");
            return Error::new(py, Exception::TypeError, &text);
        }
        error
    })
}

fn bytes_of<'a, 'py>(item: &'a Object<'py>) -> std::result::Result<&'a [u8], Stop<'py>> {
    if !item.is_bytes() {
        return Err(not_bytes(item).into());
    }
    Ok(item.as_bytes()?)
}

fn not_bytes<'py>(item: &Object<'py>) -> Error<'py> {
    let hint = match item.type_name().as_str() {
        "int" => "; return [data] instead of data",
        "str" => "; encode the text",
        _ => "",
    };
    let text = format!("the items of a response must be bytes, not {}{hint}", item.type_name());
    Error::new(item.py(), Exception::TypeError, &text)
}

/// Calls the answer's `close()`, if it has one.
pub(super) fn close<'py>(answer: &Object<'py>) -> Result<'py, ()> {
    if answer.is_exact_list() || answer.is_exact_tuple() {
        return Ok(());
    }
    match answer.attr_opt(c"close")? {
        Some(close) => close.call(&[]).map(drop),
        None => Ok(()),
    }
}
