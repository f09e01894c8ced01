//! Embedded mode: Python in this httpd child.
//!
//! Python's library and the engine are loaded at the first request that needs them, unless httpd's
//! parent has done that (`parent`), and stay until the child ends.

pub(crate) mod parent;

use core::ffi::c_void;
use std::os::fd::BorrowedFd;
use std::sync::OnceLock;

use httpd::{Flush, Pool, Request, SendError, Sendfile, Server, Status};
use wsgi::codes;
use wsgi::process::plan::{EmbeddedSpec, PythonFacts};
use wsgi::protocol::embed_abi::fault_code;
use wsgi::protocol::log_line::LogLine;
use wsgi::protocol::outcome::Outcome;
use wsgi::protocol::response::ResponseHead;

use crate::Wsgi;
use crate::config::imports;
use crate::config::plan;
use crate::config::servers::main_config;
use crate::log;
use crate::log_of_script;
use crate::request::body::{body_fault, has_body};
use crate::request::file_part::{FileError, FilePart};
use crate::request::response;
use crate::sys::{self, LoadedEngine, Serve};
use crate::wsgid::findings;

/// The engine of this process. A child serves one configuration, so it never changes.
static ENGINE: OnceLock<Result<LoadedEngine, String>> = OnceLock::new();

/// Called in each new child: has Python end with it, if it comes to that, and starts it if
/// something is to be imported at once.
pub(crate) fn enter_child(pool: Pool<'_>, main: Server<'_>) {
    pool.own(EndPython);
    if !imports::of_embedded(main).is_empty()
        && let Err(error) = ENGINE.get_or_init(load)
    {
        log(&main, &codes::no_python_for_imports(error));
    }
}

struct EndPython;

impl Drop for EndPython {
    fn drop(&mut self) {
        if let Some(Ok(engine)) = ENGINE.get() {
            engine.shutdown();
        }
    }
}

/// Serves the request whose frame's payload is `payload`.
pub(crate) fn serve(request: &mut Request<'_>, payload: &[u8]) -> Status {
    let Some(engine) = engine(request) else { return Status::Http(500) };
    let record = visible_record(request);
    let sendfile = response::sendfile(request, request.dir_config::<Wsgi>());
    let mut served = Served { request, record, head_sent: false, file: None, sendfile };
    let outcome = engine.handle(&mut served, payload);
    let is_complete = outcome == Outcome::Complete;
    let is_file = served.file.is_some();
    // The response is over whether the client takes the rest or not.
    let sent = served.send_file(if is_complete { Flush::AtEnd } else { Flush::Now });
    if is_file && sent.is_ok() && has_body(served.request) {
        // httpd reads the rest of the request before it ends the response, and a client may send
        // that only when it has the file.
        let _ = served.request.flush();
    }
    match outcome {
        Outcome::Failed(status) if !served.head_sent => return Status::Http(status),
        Outcome::Failed(_) | Outcome::Aborted => served.request.cut_short(),
        Outcome::Complete | Outcome::Gone | Outcome::Declined => {}
    }
    Status::Ok
}

/// The engine of this process, which is loaded if it is not there yet; `None` if it cannot be,
/// which the request's log is told.
pub(crate) fn engine(request: &Request<'_>) -> Option<LoadedEngine> {
    match ENGINE.get_or_init(load) {
        Ok(engine) => Some(*engine),
        Err(error) => {
            log(request, &codes::no_python(error));
            None
        }
    }
}

/// httpd's record of a request, if Python may see it; else null.
pub(crate) fn visible_record(request: &Request<'_>) -> *mut c_void {
    let passes = request.dir_config::<Wsgi>().pass_apache_request == Some(true);
    if passes { request.record() } else { core::ptr::null_mut() }
}

fn load() -> Result<LoadedEngine, String> {
    let (engine, python) = if let Some(started) = parent::started() {
        started
    } else {
        let python = main_config(|config| config.runtime.embedded.get().cloned());
        // A restart does not wait for a Python that is slow.
        let python = if let Some(python) = python {
            python?
        } else {
            let plan = httpd::main_server(plan::plan);
            findings::ask_in_child(plan.ok_or("the configuration is not known")?)?
        };
        (load_engine(&python)?, python)
    };
    let spec = main_config(|config| EmbeddedSpec {
        python,
        python_path: config.settings.global.python_path().to_vec(),
        python_eggs: config.settings.global.python_eggs.clone(),
        imports: httpd::main_server(imports::of_embedded).unwrap_or_default(),
        server: plan::server_facts(config),
        single_process: httpd::single_process(),
        python_in_parent_is_known: config.runtime.python_in_parent.get().is_some(),
    });
    let spec = serde_json::to_vec(&spec).map_err(|error| error.to_string())?;
    engine.start(&spec).map(|()| engine)
}

/// Loads the library of this Python and the engine into the process.
pub(crate) fn load_engine(python: &PythonFacts) -> Result<LoadedEngine, String> {
    sys::load(&python.library, &sys::own_directory().join("_mod_wsgi.abi3.so"))
}

struct Served<'a, 'r> {
    request: &'a mut Request<'r>,
    /// The value of [`Serve::record`].
    record: *mut c_void,
    head_sent: bool,
    /// A file that waits for what comes behind it: if that is the end, httpd gets the response
    /// whole, and can answer for byte ranges.
    file: Option<FilePart>,
    sendfile: Sendfile,
}

impl Served<'_, '_> {
    fn send_file(&mut self, flush: Flush) -> Result<(), SendError> {
        match self.file.take() {
            Some(file) => file.send(self.request, self.sendfile, flush),
            None => Ok(()),
        }
    }
}

impl Serve for Served<'_, '_> {
    fn record(&self) -> *mut c_void {
        self.record
    }

    fn read(&mut self, place: &mut [u8]) -> isize {
        match self.request.read(place) {
            Ok(count) => isize::try_from(count).unwrap_or(isize::MAX),
            Err(error) => fault_code(body_fault(&error)),
        }
    }

    fn head(&mut self, payload: &[u8]) -> bool {
        let Ok(head) = ResponseHead::decode(payload) else { return false };
        if self.request.is_answered() {
            return false;
        }
        self.head_sent = true;
        response::apply(self.request, &head);
        true
    }

    fn data(&mut self, bytes: &[u8]) -> bool {
        self.send_file(Flush::Later).and_then(|()| self.request.send(bytes, Flush::Now)).is_ok()
    }

    fn file(&mut self, file: BorrowedFd<'_>, offset: u64, length: u64) -> bool {
        // The application may close its file as soon as it is told that it was sent; httpd may
        // send it later than that.
        if self.send_file(Flush::Later).is_err() {
            return false;
        }
        let file = file.try_clone_to_owned().map_err(FileError::from);
        match file.and_then(|file| FilePart::new(file, offset, length)) {
            Ok(part) => {
                self.file = Some(part);
                true
            }
            Err(error) => {
                // It was long enough a moment ago.
                log(self.request, &codes::file_not_sent(&error));
                self.request.cut_short();
                false
            }
        }
    }

    fn log(&mut self, line: &LogLine<'_>) {
        log_of_script(self.request, line);
    }

    fn variable(&mut self, name: &[u8]) -> Option<Vec<u8>> {
        self.request.tls_variable(name).map(<[u8]>::to_vec)
    }
}
