//! Requests that are not served: the checks before anything is started, and what they say.

use std::path::Path;

use httpd::{FileKind, Request, Status};
use wsgi::config::group_name::variable_name;
use wsgi::level::Level;

use crate::config::servers::server_with_port;
use crate::log;
use crate::request::target::Target;

/// Why a request is not served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rejection {
    pub(crate) status: u16,
    pub(crate) text: String,
}

impl Rejection {
    pub(crate) fn new(status: u16, text: impl Into<String>) -> Self {
        Self { status, text: text.into() }
    }

    /// Logs it and ends the request with it.
    pub(crate) fn answer(&self, request: &Request<'_>) -> Status {
        log(request, Level::Error, &self.text);
        Status::Http(self.status)
    }
}

/// Whether the file that a request is for may be run: not asked of handler scripts, which take any.
pub(crate) fn of_file(request: &Request<'_>, aliased: bool) -> Result<(), Rejection> {
    let file = String::from_utf8_lossy(request.filename().unwrap_or_default()).into_owned();
    if !aliased && !request.may_execute() {
        let text = format!("WSGI0134: Options ExecCGI is off in this directory: {file:?}");
        return Err(Rejection::new(403, text));
    }
    match request.file_kind() {
        FileKind::Missing => {
            Err(Rejection::new(404, format!("WSGI0135: script not found: {file:?}")))
        }
        FileKind::Directory => {
            Err(Rejection::new(403, format!("WSGI0136: the script is a directory: {file:?}")))
        }
        FileKind::File => Ok(()),
    }
}

/// Whether the request itself is one that can be served.
pub(crate) fn of_request(request: &Request<'_>, takes_chunks: bool) -> Result<(), Rejection> {
    if request.rejects_path_info() && !request.path_info().is_empty() {
        let file = String::from_utf8_lossy(request.filename().unwrap_or_default());
        let text = format!("WSGI0137: AcceptPathInfo off disallows path info: {file:?}");
        return Err(Rejection::new(404, text));
    }
    let headers = request.headers_in();
    if let Some(encoding) = headers.get(c"Transfer-Encoding") {
        if !encoding.eq_ignore_ascii_case(b"chunked") {
            let name = String::from_utf8_lossy(encoding);
            return Err(Rejection::new(
                501,
                format!("WSGI0138: unknown Transfer-Encoding {name:?}"),
            ));
        }
        if !takes_chunks {
            let text = "WSGI0139: the request's body comes in chunks, without its length in front; an \
                        application that reads bodies to their end can take that: WSGIChunkedRequest On";
            return Err(Rejection::new(411, text));
        }
    } else if let Some(length) = headers.get(c"Content-Length") {
        let shown = String::from_utf8_lossy(length);
        let Some(length) = wsgi::protocol::response::content_length(length) else {
            return Err(Rejection::new(400, format!("WSGI0141: invalid Content-Length {shown:?}")));
        };
        let limit = request.body_limit();
        if limit > 0 && length > limit {
            let text = format!("the body of {shown} bytes is longer than LimitRequestBody {limit}");
            return Err(Rejection::new(413, text));
        }
    }
    Ok(())
}

/// Embedded mode is off.
pub(crate) fn restricted(request: &Request<'_>, target: &Target) -> Rejection {
    let script = String::from_utf8_lossy(&target.script);
    let server = server_with_port(request.server(), request.server_port());
    Rejection::new(
        500,
        format!(
            "WSGI0143: embedded mode is disabled (WSGIRestrictEmbedded On), and the script {script:?} of \
             the server {server:?} is not in a process group: set WSGIProcessGroup, or process-group= of \
             its WSGIScriptAlias, to a group that WSGIDaemonProcess defines"
        ),
    )
}

/// The configuration does not let the request run where it is to run.
pub(crate) fn not_permitted(target: &Target) -> Rejection {
    let place = match target.group.as_str() {
        "" => "embedded mode (%{GLOBAL})".to_owned(),
        group => format!("the process group {group:?}"),
    };
    let text = format!("WSGI0149: {place} is not one that WSGIRestrictProcess allows here");
    Rejection::new(500, text)
}

/// No `WSGIDaemonProcess` defines the group. A name that could not be expanded is still as it was written.
pub(crate) fn unknown_group(group: &str) -> Rejection {
    if let Some(variable) = variable_name(group) {
        let text = format!(
            "WSGI0151: the process group is to be what the variable {variable:?} says ({group}), and that is \
             not set for this request; set it (SetEnv, SetEnvIf, RewriteRule), or name a group"
        );
        return Rejection::new(500, text);
    }
    if group.starts_with("%{") {
        let text = format!(
            "WSGI0151: the process group is to be {group:?}, which stands for nothing; what does is \
             %{{GLOBAL}}, %{{SERVER}}, %{{HOST}}, %{{RESOURCE}} and %{{ENV:variable}}"
        );
        return Rejection::new(500, text);
    }
    let text = format!(
        "WSGI0151: there is no process group {group:?}; define it with WSGIDaemonProcess {group:?}"
    );
    Rejection::new(500, text)
}

/// The processes of the group cannot see the file.
pub(crate) fn outside_of_root(file: &[u8], root: &Path) -> Rejection {
    let (file, root) = (String::from_utf8_lossy(file), root.display());
    let text =
        format!("WSGI0081: {file:?} does not lie below chroot={root:?} of its process group");
    Rejection::new(500, text)
}

/// `.htaccess` chooses a process group that the server's configuration does not give to the directory.
pub(crate) fn not_for_htaccess(group: &str) -> Rejection {
    let text = format!(
        "WSGI0149: .htaccess may not send it to the process group {group:?}, whose user it would run as; \
         permit that with WSGIProcessGroup {group:?} or WSGIRestrictProcess {group:?} for this directory"
    );
    Rejection::new(500, text)
}

/// The group belongs to another virtual host.
pub(crate) fn not_accessible(group: &str, owner: &str) -> Rejection {
    let text = format!(
        "WSGI0152: the process group {group:?} belongs to the virtual host {owner:?}; define it in the main \
         server to use it from others"
    );
    Rejection::new(500, text)
}
