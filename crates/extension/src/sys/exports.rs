//! The symbols by which CPython and httpd's module find this library.

use core::ffi::c_void;
use std::sync::Arc;

use engine::ServerLog;
use python::module::Definition;
use wsgi::protocol::embed_abi::{Api, ErrorText, Host, ServerFunctions, Take};

use super::host::{HostCalls, HostLog, host_scoreboard};
use crate::embedded::{self, EmbedError};
use crate::entry::Extension;

static EXTENSION: Definition<Extension> = Definition::new();

/// The symbol that CPython looks for when it loads this library as the module `_mod_wsgi`.
// SAFETY: the name is CPython's rule for the module's name, and no other object has it.
#[unsafe(no_mangle)]
extern "C" fn PyInit__mod_wsgi() -> *mut c_void {
    EXTENSION.init().cast()
}

/// The table that embedded mode finds here: see [`wsgi::protocol::embed_abi::SYMBOL`].
// SAFETY: the name is that of the contract, and no other object has it.
#[unsafe(no_mangle)]
static dormouse_embed_4: Api = Api {
    initialize: api_initialize,
    after_fork: api_after_fork,
    start: api_start,
    handle: api_handle,
    ask: api_ask,
    shutdown: api_shutdown,
};

/// # Safety
/// Called by httpd's side as [`wsgi::protocol::embed_abi::InitializeFn`] says.
unsafe extern "C" fn api_initialize(
    python: *const u8,
    length: usize,
    error: *mut ErrorText,
) -> i32 {
    // SAFETY: see above.
    let (python, error) = unsafe { (core::slice::from_raw_parts(python, length), &mut *error) };
    outcome(error, || embedded::initialize(python))
}

extern "C" fn api_after_fork() {
    // A panic has been reported; the process serves on with the state of its parent.
    let _ = crate::panics::caught(embedded::after_fork);
}

/// # Safety
/// Called by httpd's side as [`wsgi::protocol::embed_abi::StartFn`] says.
unsafe extern "C" fn api_start(
    spec: *const u8,
    length: usize,
    server: ServerFunctions,
    error: *mut ErrorText,
) -> i32 {
    // SAFETY: see above.
    let (spec, error) = unsafe { (core::slice::from_raw_parts(spec, length), &mut *error) };
    outcome(error, || {
        let log = HostLog { write: server.log, most: server.log_level };
        let log: Arc<dyn ServerLog> = Arc::new(log);
        embedded::start(spec, &log, host_scoreboard(server.scoreboard))
    })
}

/// 0, or 1 with the reason in `error`.
fn outcome(error: &mut ErrorText, work: impl FnOnce() -> Result<(), EmbedError>) -> i32 {
    let done = crate::panics::caught(work);
    match done.and_then(|result| result.map_err(|error| error.to_string())) {
        Ok(()) => 0,
        Err(text) => {
            error.set(&text);
            1
        }
    }
}

/// # Safety
/// Called by httpd's side as [`Api::handle`] says.
unsafe extern "C" fn api_handle(
    host: *const Host,
    context: *mut c_void,
    payload: *const u8,
    length: usize,
) -> i32 {
    // SAFETY: see above.
    let (host, payload) = unsafe { (*host, core::slice::from_raw_parts(payload, length)) };
    embedded::handle(HostCalls { host, context }, payload).code()
}

/// # Safety
/// Called by httpd's side as [`Api::ask`] says.
unsafe extern "C" fn api_ask(
    host: *const Host,
    context: *mut c_void,
    payload: *const u8,
    length: usize,
    take: Take,
    receiver: *mut c_void,
) -> i32 {
    // SAFETY: see above.
    let (host, payload) = unsafe { (*host, core::slice::from_raw_parts(payload, length)) };
    let Some(answer) = embedded::ask(HostCalls { host, context }, payload) else { return 1 };
    // SAFETY: see above; the bytes live during the call.
    unsafe { take(receiver, answer.as_ptr(), answer.len()) };
    0
}

extern "C" fn api_shutdown() {
    embedded::shutdown();
}
