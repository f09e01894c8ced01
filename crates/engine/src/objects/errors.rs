//! `wsgi.errors`: a text stream for each request that goes to the request's log.
//!
//! To make one costs CPython dozens of objects, and most requests never touch theirs. One that was
//! not written to, and that was not kept, is as good as new for the next request. A weak reference
//! keeps nothing, and finds the stream again there.

use std::sync::{Arc, Mutex};

use python::{Attached, ClassHandle, Handle, Object, Result};

use crate::objects::log_stream::{LogStream, text_over};
use crate::request::lease::Lease;
use wsgi::lock::lock;

/// The stream of a request.
pub(crate) struct Errors<'py> {
    text: Object<'py>,
    /// The `mod_wsgi.Log` below it.
    binary: Object<'py>,
}

impl<'py> Errors<'py> {
    /// The object that the application gets.
    pub(crate) fn text(&self) -> &Object<'py> {
        &self.text
    }
}

/// Streams of requests that have ended, for others.
#[derive(Default)]
pub(crate) struct Unused {
    /// Text and binary. Held for moments, and nothing is waited for meanwhile.
    streams: Mutex<Vec<(Handle, Handle)>>,
}

impl Unused {
    /// A stream for the request.
    pub(crate) fn take<'py>(
        &self,
        py: Attached<'py>,
        class: &ClassHandle<LogStream>,
        lease: &Arc<Lease>,
    ) -> Result<'py, Errors<'py>> {
        let class = class.bind(py);
        let unused = lock(&self.streams).pop();
        if let Some((text, binary)) = unused {
            let errors = Errors { text: text.bind(py), binary: binary.bind(py) };
            if let Some(log) = class.get(&errors.binary) {
                log.serve(Arc::clone(lease));
                return Ok(errors);
            }
        }
        let binary = class.instance(LogStream::of_request(Arc::clone(lease)))?;
        let text = text_over(&binary)?;
        if let Some(log) = class.get(&binary) {
            log.forget_use();
        }
        Ok(Errors { text, binary })
    }

    /// Keeps the stream for another request if this one has left no trace on it. The request's own
    /// references are gone.
    pub(crate) fn give_back(&self, class: &ClassHandle<LogStream>, errors: Errors<'_>) {
        let Errors { text, binary } = errors;
        // The text stream has the other reference.
        let is_kept = text.references() > 1 || binary.references() > 2;
        let log = class.bind(text.py());
        let is_unused = log.get(&binary).is_some_and(LogStream::is_unused);
        if is_kept || !is_unused || has_attributes(&text) {
            return;
        }
        lock(&self.streams).push((text.handle(), binary.handle()));
    }
}

/// Whether Python code has given the stream further attributes.
fn has_attributes(text: &Object<'_>) -> bool {
    let own = text.attr(c"__dict__").and_then(|own| own.length());
    own.map_or(true, |count| count > 0)
}
