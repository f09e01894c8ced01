//! `WSGIAccessScript`: whether a client may have what it asks for, regardless of its user.

use httpd::{LookUp, Request, Status};
use wsgi::codes;
use wsgi::protocol::hook::{Answer, Query};

use crate::Wsgi;
use crate::log;
use crate::request::environ;

/// Asks `allow_access`, if there is a script for this place.
pub(super) fn check(request: &mut Request<'_>) -> Status {
    let script = request.dir_config::<Wsgi>().hooks.access.clone();
    let Some(script) = script else { return Status::Declined };
    let host = host(request);
    match super::ask(request, &script, &Query::Access { host: &host }) {
        Some(Answer::None) => Status::Declined,
        Some(Answer::Yes) => Status::Ok,
        _ => {
            if !request.authentication_may_satisfy() {
                let file = String::from_utf8_lossy(request.filename().unwrap_or_default());
                log(request, &codes::access_denied(&file, &script.path));
            }
            Status::Http(403)
        }
    }
}

/// The client's name, if there is one that leads back to its address, else the address. A client
/// that a proxy tells about is known by its address.
fn host(request: &Request<'_>) -> Vec<u8> {
    let address = request.client_address();
    if environ::trust(request.dir_config::<Wsgi>()).is_some()
        && let Some(told) = environ::for_hook(request).get(b"REMOTE_ADDR")
        && told != address
    {
        return told.to_vec();
    }
    request.client_name(LookUp::Checked).unwrap_or(address).to_vec()
}
