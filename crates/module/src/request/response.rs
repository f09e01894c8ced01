//! The head of a response, applied to httpd's request.

use httpd::{Request, Sendfile};
use wsgi::config::settings::DirSettings;
use wsgi::protocol::response::ResponseHead;

/// Sets status and headers as the application gave them. They leave with the first data.
pub(crate) fn apply(request: &mut Request<'_>, head: &ResponseHead<'_>) {
    request.set_status(head.code, head.line);
    for (name, value) in head.headers.clone() {
        if name.eq_ignore_ascii_case(b"content-type") {
            request.set_content_type(value);
        } else if ONE_VALUE.iter().any(|one| name.eq_ignore_ascii_case(one)) {
            request.headers_out().set(name, value);
        } else if name.eq_ignore_ascii_case(b"www-authenticate") {
            // Kept when httpd makes an error document of its own.
            request.error_headers_out().add(name, value);
        } else {
            request.headers_out().add(name, value);
        }
    }
}

/// Headers of which the last one counts.
const ONE_VALUE: [&[u8]; 3] = [b"content-length", b"content-range", b"location"];

/// Keeps of a response that httpd answers itself what a client needs to identify itself.
pub(crate) fn apply_challenge(request: &mut Request<'_>, head: &ResponseHead<'_>) {
    for (name, value) in head.headers.clone() {
        if name.eq_ignore_ascii_case(b"www-authenticate") {
            request.error_headers_out().add(name, value);
        }
    }
}

/// Whether files may be sent by the kernel: `WSGIEnableSendfile` is on, and `EnableSendfile` is not
/// off.
pub(crate) fn sendfile(request: &Request<'_>, dir: &DirSettings) -> Sendfile {
    let on = dir.enable_sendfile == Some(true) && !request.sendfile_is_off();
    if on { Sendfile::On } else { Sendfile::Off }
}
