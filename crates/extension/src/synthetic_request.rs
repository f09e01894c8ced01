//! Requests that no client has sent: a template loads applications and warms them up with them.

use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::sync::{Arc, OnceLock};

use engine::ServerLog;
use engine::exchange::{BodyError, Exchange, Gone};
use wsgi::config::alias::matched_length;
use wsgi::environ::{Environ, HttpCredentials, RequestFacts};
use wsgi::process::plan::{Application, ImportedScript};
use wsgi::protocol::codec::Pairs;
use wsgi::protocol::log_line::LogLine;
use wsgi::protocol::request::{Attempts, BodyRest, RequestHead};
use wsgi::protocol::response::ResponseStatus;

use crate::clock::now_micros;
use crate::process_context::ProcessContext;

/// The address that such a request seems to come from.
const NEARBY: &[u8] = b"127.0.0.1";
/// The key that marks it in the environ.
const MARK: &[u8] = b"mod_wsgi.warm_up";

/// A request, encoded as httpd's child would have done it.
pub(crate) struct SyntheticRequest(Vec<u8>);

impl SyntheticRequest {
    /// Whether `path` leads to an application.
    pub(crate) fn matches(application: &Application, path: &str) -> bool {
        let path = path.split('?').next().unwrap_or_default();
        application.mount.is_empty()
            || matched_length(path.as_bytes(), application.mount.as_bytes()).is_some()
    }

    /// A request that is good for loading an application.
    pub(crate) fn to_load(process: &ProcessContext, application: &Application) -> Self {
        Self::new(process, application, &format!("{}/", application.mount))
    }

    /// A request that is good for importing a script that no URL leads to.
    pub(crate) fn to_import(process_group: &str, import: &ImportedScript) -> Self {
        let head = RequestHead {
            script: import.script.as_os_str().as_bytes(),
            process_group: process_group.as_bytes(),
            application_group: import.application_group.as_bytes(),
            log_level: u8::MAX,
            ..plain()
        };
        let mut payload = Vec::new();
        head.encode([], &mut payload);
        Self(payload)
    }

    /// A `GET` of `path`, which may have a query.
    pub(crate) fn to_warm_up(
        process: &ProcessContext,
        application: &Application,
        path: &str,
    ) -> Self {
        Self::new(process, application, path)
    }

    fn new(process: &ProcessContext, application: &Application, target: &str) -> Self {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        let mounted = matched_length(path.as_bytes(), application.mount.as_bytes()).unwrap_or(0);
        let (host, port) = (application.host.as_str(), application.port);
        let tls = port == 443;
        let address = wsgi::config::group_name::with_port(host, port);
        let request_line = format!("GET {target} HTTP/1.1");
        let facts = RequestFacts {
            request_line: request_line.as_bytes(),
            method: b"GET",
            protocol: b"HTTP/1.1",
            uri: path.as_bytes(),
            path_info: &path.as_bytes()[mounted..],
            query: query.map(str::as_bytes),
            server_software: process.spec.server.description.as_bytes(),
            server_name: host.as_bytes(),
            server_address: NEARBY,
            server_port: port,
            server_admin: None,
            remote_address: NEARBY,
            remote_port: 0,
            document_root: b"",
            context_prefix: b"",
            context_document_root: b"",
            filename: application.script.as_os_str().as_bytes(),
            scheme: if tls { b"https" } else { b"http" },
            user: None,
            auth_type: None,
            tls,
            redirected_from: None,
            credentials: HttpCredentials::None,
            current_uri: None,
            head_as_get: false,
            trust: None,
        };
        let headers = [
            (b"Host".as_slice(), address.as_bytes()),
            (b"User-Agent".as_slice(), b"Dormouse (warm-up)".as_slice()),
            (b"Accept".as_slice(), b"*/*".as_slice()),
        ];
        let mut environ = Environ::build(&facts, [], headers);
        environ.set(MARK, b"1".as_slice());
        environ.set(b"mod_wsgi.listener_host".as_slice(), b"".as_slice());
        environ.set(b"mod_wsgi.listener_port".as_slice(), port.to_string().into_bytes());
        environ.set(b"mod_wsgi.server_pid".as_slice(), process.supervisor.to_string().into_bytes());
        environ.set(b"mod_wsgi.request_handler".as_slice(), b"wsgi-script".as_slice());
        environ.set(b"mod_wsgi.handler_script".as_slice(), b"".as_slice());
        let head = RequestHead {
            script: application.script.as_os_str().as_bytes(),
            process_group: process.spec.group.name.as_bytes(),
            application_group: application.application_group.as_bytes(),
            main_interpreter: true,
            callable: application.callable.as_bytes(),
            log_level: process.spec.log_level,
            ..plain()
        };
        let mut payload = Vec::new();
        head.encode(environ.iter(), &mut payload);
        Self(payload)
    }

    /// Lends the request to `work`.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&RequestHead<'_>) -> R) -> R {
        let request = RequestHead::decode(&self.0).expect("a request is read as it was written");
        work(&request)
    }
}

/// A head without anything in it.
fn plain() -> RequestHead<'static> {
    RequestHead {
        attempts: Attempts::default(),
        script: b"",
        process_group: b"",
        application_group: b"",
        main_interpreter: false,
        callable: b"",
        script_reloading: false,
        script_modified: 0,
        ignore_activity: true,
        log_level: 0,
        request_start: now_micros(),
        queue_start: now_micros(),
        environ: Pairs::NONE,
        body: b"",
        body_behind: 0,
        body_rest: BodyRest::None,
    }
}

/// The other side of such a request: what is sent is dropped, what is logged goes to the group's
/// log.
pub(crate) struct DiscardExchange {
    what: String,
    /// `None` for one whose lines are dropped, too.
    log: Option<Arc<dyn ServerLog>>,
    status: Arc<OnceLock<u16>>,
}

impl DiscardExchange {
    /// `what` stands in front of each line of the log.
    pub(crate) fn new(what: &str, log: Arc<dyn ServerLog>) -> Self {
        Self { what: what.to_owned(), log: Some(log), status: Arc::default() }
    }

    /// One that repeats what has been logged already.
    pub(crate) fn silent() -> Self {
        Self { what: String::new(), log: None, status: Arc::default() }
    }

    /// Where the status of the answer will be.
    pub(crate) fn status(&self) -> Arc<OnceLock<u16>> {
        Arc::clone(&self.status)
    }
}

impl Exchange for DiscardExchange {
    fn read(&mut self, _buffer: &mut [u8]) -> Result<usize, BodyError> {
        Ok(0)
    }

    fn head(
        &mut self,
        status: &ResponseStatus,
        _headers: &[(Vec<u8>, Vec<u8>)],
    ) -> Result<(), Gone> {
        // An application sends one head.
        let _ = self.status.set(status.code);
        Ok(())
    }

    fn data(&mut self, _bytes: &[u8]) -> Result<(), Gone> {
        Ok(())
    }

    fn file(&mut self, _file: BorrowedFd<'_>, _offset: u64, _length: u64) -> Result<(), Gone> {
        Ok(())
    }

    fn log(&mut self, line: LogLine<'_>) {
        let Some(log) = &self.log else { return };
        let text = [self.what.as_bytes(), b": ", line.text].concat();
        log.write(LogLine { text: &text, ..line });
    }
}
