//! The facts of a request that make up its environ, read from httpd.

use std::path::Path;

use httpd::{LookUp, Request};
use wsgi::config::proxy::Trust;
use wsgi::config::settings::MapHead;
use wsgi::environ::{Environ, HookFacts, HttpCredentials, RedirectedFrom, RequestFacts};

use crate::Wsgi;
use crate::config::store::DirConfig;
use crate::request::target::inside;

/// The decisions of the caller about a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choices<'c> {
    /// Whether the application sees the `Authorization` header.
    pub(crate) pass_authorization: bool,
    /// How a `HEAD` is shown.
    pub(crate) map_head: MapHead,
    /// Which headers of proxies are believed.
    pub(crate) trust: Option<Trust<'c>>,
    /// Root directory of the process that gets the environ.
    pub(crate) root: Option<&'c Path>,
    /// Path of the handler script; empty if there is none.
    pub(crate) handler_script: &'c [u8],
}

/// The configuration of a directory for trusting proxies.
pub(crate) fn trust(dir: &DirConfig) -> Option<Trust<'_>> {
    let headers = dir.trusted_headers.as_deref()?;
    Some(Trust { headers, proxies: dir.trusted_proxies.as_deref() })
}

/// Builds the environ of a hook for access, users or groups. It borrows from the request's pool.
pub(crate) fn for_hook<'e>(request: &'e Request<'_>) -> Environ<'e> {
    let choices = Choices {
        pass_authorization: false,
        map_head: MapHead::Never,
        trust: trust(request.dir_config::<Wsgi>()),
        root: None,
        handler_script: b"",
    };
    let facts = RequestFacts { credentials: HttpCredentials::None, ..facts(request, choices) };
    let more = HookFacts {
        server_signature: request.server_signature(),
        remote_host: request.client_name(LookUp::AsConfigured),
    };
    Environ::build_for_hook(&facts, more, request.headers_in().entries())
}

/// Builds the environ of a request. It borrows from the request's pool.
pub(crate) fn build<'e>(request: &'e Request<'_>, choices: Choices<'e>) -> Environ<'e> {
    let facts = facts(request, choices);
    let mut environ =
        Environ::build(&facts, request.environment().entries(), request.headers_in().entries());
    let (_, port) = request.local_address();
    environ.set(b"mod_wsgi.listener_host".as_slice(), request.local_host().unwrap_or_default());
    environ.set(b"mod_wsgi.listener_port".as_slice(), port.to_string().into_bytes());
    environ.set(b"mod_wsgi.server_pid".as_slice(), std::process::id().to_string().into_bytes());
    environ.set(b"mod_wsgi.request_handler".as_slice(), request.handler().unwrap_or_default());
    environ.set(b"mod_wsgi.handler_script".as_slice(), choices.handler_script);
    let (request_id, connection_id) = request.log_ids();
    if let Some(id) = request_id {
        environ.set(b"mod_wsgi.request_id".as_slice(), id);
    }
    if let Some(id) = connection_id {
        environ.set(b"mod_wsgi.connection_id".as_slice(), id);
    }
    environ
}

fn facts<'e>(request: &'e Request<'_>, choices: Choices<'e>) -> RequestFacts<'e> {
    let (server_address, _) = request.local_address();
    let (context_prefix, context_document_root) = request.context();
    let redirected_from = request.redirected_from().map(|from| RedirectedFrom {
        uri: from.uri,
        query: from.query,
        user: from.user,
    });
    RequestFacts {
        request_line: request.request_line(),
        method: request.method(),
        protocol: request.protocol(),
        uri: request.uri(),
        path_info: request.path_info(),
        query: request.query(),
        server_software: request.server_banner(),
        server_name: request.server_name_for_url(),
        server_address,
        server_port: request.server_port(),
        server_admin: request.server_admin(),
        remote_address: request.client_address(),
        remote_port: request.client_port(),
        document_root: match choices.root {
            Some(root) => inside(root, request.document_root()).unwrap_or_default(),
            None => request.document_root(),
        },
        context_prefix,
        context_document_root,
        filename: match (choices.root, request.filename().unwrap_or_default()) {
            (Some(root), file) => inside(root, file).unwrap_or(file),
            (None, file) => file,
        },
        scheme: request.scheme(),
        user: request.user(),
        auth_type: request.auth_type(),
        tls: request.is_tls(),
        redirected_from,
        credentials: if request.cgi_pass_auth() {
            HttpCredentials::All
        } else if choices.pass_authorization {
            HttpCredentials::Authorization
        } else {
            HttpCredentials::None
        },
        current_uri: request.cgi_uri_is_current().then(|| request.uri()),
        head_as_get: match choices.map_head {
            MapHead::Always => true,
            MapHead::Never => false,
            MapHead::Auto => request.has_content_filter(),
        },
        trust: choices.trust,
    }
}
