//! The strings of environs: keys, which are alike in all, and values that seldom change.
//!
//! A request has some forty entries from Apache. To make, hash and free a string for each of their
//! keys takes longer than a small application itself.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use python::{Attached, Handle, Object, Result};
use wsgi::lock::lock;

/// The names that Apache's side gives to each request (`wsgi::environ`), but for those where a
/// proxy is trusted.
pub(super) const USUAL: [&[u8]; 24] = [
    b"SERVER_SOFTWARE",
    b"SERVER_NAME",
    b"SERVER_ADDR",
    b"SERVER_PORT",
    b"REMOTE_ADDR",
    b"REMOTE_PORT",
    b"DOCUMENT_ROOT",
    b"REQUEST_SCHEME",
    b"CONTEXT_PREFIX",
    b"CONTEXT_DOCUMENT_ROOT",
    b"SCRIPT_FILENAME",
    b"REQUEST_METHOD",
    b"SERVER_PROTOCOL",
    b"REQUEST_URI",
    b"QUERY_STRING",
    b"SCRIPT_NAME",
    b"PATH_INFO",
    b"mod_wsgi.script_name",
    b"mod_wsgi.path_info",
    b"mod_wsgi.listener_host",
    b"mod_wsgi.listener_port",
    b"mod_wsgi.server_pid",
    b"mod_wsgi.request_handler",
    b"mod_wsgi.handler_script",
];

/// Those whose value tells of the server, not of the client or of this request. Other values are
/// not kept beyond their request.
const STEADY: [&[u8]; 19] = [
    b"SERVER_SOFTWARE",
    b"SERVER_NAME",
    b"SERVER_ADDR",
    b"SERVER_PORT",
    b"SERVER_ADMIN",
    b"DOCUMENT_ROOT",
    b"REQUEST_SCHEME",
    b"CONTEXT_PREFIX",
    b"CONTEXT_DOCUMENT_ROOT",
    b"SCRIPT_FILENAME",
    b"SCRIPT_NAME",
    b"REQUEST_METHOD",
    b"SERVER_PROTOCOL",
    b"mod_wsgi.listener_host",
    b"mod_wsgi.listener_port",
    b"mod_wsgi.request_handler",
    b"mod_wsgi.process_group",
    b"mod_wsgi.application_group",
    b"mod_wsgi.callable_object",
];

/// Up to so many keys are kept: clients choose the names of headers.
const MOST_KEYS: usize = 256;

/// The strings of an interpreter's environs.
#[derive(Default)]
pub(crate) struct Strings(Mutex<Known>);

/// The strings that are there.
#[derive(Default)]
pub(super) struct Known {
    keys: HashMap<Box<[u8]>, Key>,
}

struct Key {
    string: Handle,
    /// It is one of [`USUAL`].
    is_usual: bool,
    /// It is one of [`STEADY`].
    is_steady: bool,
    /// The last value of a steady one.
    last: Option<(Box<[u8]>, Handle)>,
}

/// An entry of an environ.
pub(super) struct Entry<'py> {
    pub(super) key: Object<'py>,
    pub(super) value: Object<'py>,
    /// The key is one of [`USUAL`].
    pub(super) is_usual: bool,
}

impl Strings {
    /// Access to them for a thread that is attached to their interpreter, and stays so: no Python
    /// code runs meanwhile.
    pub(super) fn lock(&self) -> MutexGuard<'_, Known> {
        lock(&self.0)
    }
}

impl Known {
    /// The strings of an entry.
    pub(super) fn entry<'py>(
        &mut self,
        py: Attached<'py>,
        name: &[u8],
        value: &[u8],
    ) -> Result<'py, Entry<'py>> {
        let Some(known) = self.keys.get_mut(name) else { return self.new_entry(py, name, value) };
        let is_usual = known.is_usual;
        let key = known.string.bind(py);
        if let Some((bytes, last)) = &known.last
            && **bytes == *value
        {
            return Ok(Entry { key, value: last.bind(py), is_usual });
        }
        let made = decode(py, name, value)?;
        if known.is_steady {
            known.last = Some((value.into(), made.handle()));
        }
        Ok(Entry { key, value: made, is_usual })
    }

    fn new_entry<'py>(
        &mut self,
        py: Attached<'py>,
        name: &[u8],
        value: &[u8],
    ) -> Result<'py, Entry<'py>> {
        let (key, value) = (py.latin1(name)?.interned()?, decode(py, name, value)?);
        let is_usual = USUAL.contains(&name);
        if self.keys.len() < MOST_KEYS {
            let is_steady = STEADY.contains(&name);
            let known = Key { string: key.handle(), is_usual, is_steady, last: None };
            self.keys.insert(name.into(), known);
        }
        Ok(Entry { key, value, is_usual })
    }
}

/// Paths are decoded as Python decodes paths, so that they can be opened; everything else is
/// latin-1, as PEP 3333 wants.
fn decode<'py>(py: Attached<'py>, name: &[u8], value: &[u8]) -> Result<'py, Object<'py>> {
    if matches!(name, b"DOCUMENT_ROOT" | b"SCRIPT_FILENAME") {
        py.fs_path(value).or_else(|_| py.latin1(value))
    } else {
        py.latin1(value)
    }
}
