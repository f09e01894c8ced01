//! Requests that are not served: the checks before anything is started, and what they say.

use std::path::Path;

use httpd::{FileKind, Request, Status};
use wsgi::codes::{self, Message};
use wsgi::config::group_name::variable_name;

use crate::config::servers::server_with_port;
use crate::log;
use crate::request::target::Target;

/// Why a request is not served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rejection {
    pub(crate) status: u16,
    pub(crate) message: Message,
}

impl Rejection {
    pub(crate) fn new(status: u16, message: Message) -> Self {
        Self { status, message }
    }

    /// Logs it and ends the request with it.
    pub(crate) fn answer(&self, request: &Request<'_>) -> Status {
        log(request, &self.message);
        Status::Http(self.status)
    }
}

/// Whether the file that a request is for may be run: not asked of handler scripts, which take any.
pub(crate) fn of_file(request: &Request<'_>, aliased: bool) -> Result<(), Rejection> {
    let file = String::from_utf8_lossy(request.filename().unwrap_or_default()).into_owned();
    if !aliased && !request.may_execute() {
        return Err(Rejection::new(403, codes::exec_cgi_off(&file)));
    }
    match request.file_kind() {
        FileKind::Missing => Err(Rejection::new(404, codes::script_not_found(&file))),
        FileKind::Directory => Err(Rejection::new(403, codes::script_is_directory(&file))),
        FileKind::File => Ok(()),
    }
}

/// Whether the request itself is one that can be served.
pub(crate) fn of_request(request: &Request<'_>, takes_chunks: bool) -> Result<(), Rejection> {
    if request.rejects_path_info() && !request.path_info().is_empty() {
        let file = String::from_utf8_lossy(request.filename().unwrap_or_default());
        return Err(Rejection::new(404, codes::path_info_rejected(&file)));
    }
    let headers = request.headers_in();
    if let Some(encoding) = headers.get(c"Transfer-Encoding") {
        if !encoding.eq_ignore_ascii_case(b"chunked") {
            let name = String::from_utf8_lossy(encoding);
            return Err(Rejection::new(501, codes::unknown_encoding(&name)));
        }
        if !takes_chunks {
            return Err(Rejection::new(411, codes::chunks_not_taken()));
        }
    } else if let Some(length) = headers.get(c"Content-Length") {
        let shown = String::from_utf8_lossy(length);
        let Some(length) = wsgi::protocol::response::content_length(length) else {
            return Err(Rejection::new(400, codes::invalid_length(&shown)));
        };
        let limit = request.body_limit();
        if limit > 0 && length > limit {
            return Err(Rejection::new(413, codes::body_too_long(length, limit)));
        }
    }
    Ok(())
}

/// Embedded mode is off.
pub(crate) fn restricted(request: &Request<'_>, target: &Target) -> Rejection {
    let script = String::from_utf8_lossy(&target.script);
    let server = server_with_port(request.server(), request.server_port());
    Rejection::new(500, codes::embedded_mode_off(&script, &server))
}

/// The configuration does not let the request run where it is to run.
pub(crate) fn not_permitted(target: &Target) -> Rejection {
    let place = match target.group.as_str() {
        "" => "embedded mode (%{GLOBAL})".to_owned(),
        group => format!("the process group {group:?}"),
    };
    Rejection::new(500, codes::group_not_permitted(&place))
}

/// No `WSGIDaemonProcess` defines the group. A name that could not be expanded is still as it was
/// written.
pub(crate) fn unknown_group(group: &str) -> Rejection {
    let message = match variable_name(group) {
        Some(variable) => codes::group_variable_unset(variable, group),
        None if group.starts_with("%{") => codes::unknown_placeholder(group),
        None => codes::unknown_group(group),
    };
    Rejection::new(500, message)
}

/// The processes of the group cannot see the file.
pub(crate) fn outside_of_root(file: &[u8], root: &Path) -> Rejection {
    let (file, root) = (String::from_utf8_lossy(file), root.to_string_lossy());
    Rejection::new(500, codes::outside_of_chroot(&file, &root))
}

/// `.htaccess` chooses a process group that the server's configuration does not give to the
/// directory.
pub(crate) fn not_for_htaccess(group: &str) -> Rejection {
    Rejection::new(500, codes::not_for_htaccess(group))
}

/// The group belongs to another virtual host.
pub(crate) fn not_accessible(group: &str, owner: &str) -> Rejection {
    Rejection::new(500, codes::group_of_other_host(group, owner))
}
