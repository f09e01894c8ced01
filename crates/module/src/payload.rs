//! A request as it travels to the engine: its head, and the first bytes of its body.

use std::time::{SystemTime, UNIX_EPOCH};

use httpd::{Log, Request};
use wsgi::environ::is_header_name;
use wsgi::request::{Attempts, BodyRest, Request as Head};
use wsgi::settings::MapHead;
use wsgi::wire::Pairs;

use crate::environ::Choices;
use crate::target::{Interpreter, Target};
use crate::{Wsgi, environ, sys};

/// A body up to this length travels with the request's head.
const SMALL_BODY: usize = 64 * 1024;

/// The payload of the request's frame, with the first bytes of its body. `queue_start` gives the moment at
/// which the request begins to wait in a queue, and is asked when the body was read: a slow client is no queue.
pub(crate) fn payload(
    request: &mut Request<'_>,
    target: &Target,
    queue_start: impl FnOnce() -> u64,
) -> Vec<u8> {
    let (body, body_rest) = first_of_body(request);
    let queue_start = queue_start();
    prepare(request);
    let request: &Request<'_> = request;
    let dir = request.dir_config::<Wsgi>();
    let environ = environ::build(request, choices(request, target));
    let head = Head {
        attempts: Attempts::default(),
        script: &target.script,
        process_group: target.group.as_bytes(),
        application_group: target.application_group.as_bytes(),
        main_interpreter: target.interpreter == Interpreter::Main,
        callable: target.callable.as_bytes(),
        script_reloading: target.script_reloading,
        ignore_activity: dir.ignore_activity.unwrap_or(false),
        log_level: request.log_level(sys::record().index()),
        request_start: request.time(),
        queue_start,
        environ: Pairs::NONE,
        body: &body,
        body_rest,
    };
    let mut payload = Vec::with_capacity(2048 + body.len());
    head.encode(environ.iter(), &mut payload);
    payload
}

/// Makes a request ready to be shown in an environ.
pub(crate) fn prepare(request: &mut Request<'_>) {
    request.make_log_ids();
    remove_odd_headers(request);
}

/// What is decided about the environ of a request that runs there.
pub(crate) fn choices<'c>(request: &'c Request<'_>, target: &'c Target) -> Choices<'c> {
    let dir = request.dir_config::<Wsgi>();
    Choices {
        pass_authorization: target.pass_authorization,
        map_head: dir.map_head.unwrap_or(MapHead::Auto),
        trust: environ::trust(dir),
        root: target.root.as_deref(),
        handler_script: if target.is_handler_script { &target.script } else { b"" },
    }
}

/// Removes headers whose names could be taken for others in an environ (`A_B` for `A-B`). What runs
/// later for this request must not meet them either.
fn remove_odd_headers(request: &mut Request<'_>) {
    let names = request.headers_in().entries().map(|(name, _)| name);
    let odd: Vec<Vec<u8>> =
        names.filter(|name| !is_header_name(name)).map(<[u8]>::to_vec).collect();
    for name in odd {
        request.headers_in_mut().remove(&name);
    }
}

/// Reads a small body whole before a worker is asked for, so that a slow client keeps none waiting.
fn first_of_body(request: &mut Request<'_>) -> (Vec<u8>, BodyRest) {
    let headers = request.headers_in();
    let length = headers.get(c"Content-Length").and_then(wsgi::response::content_length);
    let chunked = headers.get(c"Transfer-Encoding").is_some();
    // The client's question whether to send the body at all is the application's to answer.
    let asks_first = headers.get(c"Expect").is_some();
    let length = match length {
        _ if chunked || asks_first => return (Vec::new(), BodyRest::Pull),
        None | Some(0) => return (Vec::new(), BodyRest::None),
        Some(length) => usize::try_from(length).unwrap_or(usize::MAX),
    };
    if length > SMALL_BODY {
        return (Vec::new(), BodyRest::Pull);
    }
    let mut body = vec![0; length];
    let mut filled = 0;
    while filled < length {
        match request.read(&mut body[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(_) => {
                // The application gets what there is, and meets the fault when it asks for more.
                body.truncate(filled);
                return (body, BodyRest::Pull);
            }
        }
    }
    body.truncate(filled);
    // A filter may make more of it than the client has sent; usually this meets the end.
    let mut byte = [0];
    match request.read(&mut byte) {
        Ok(0) => (body, BodyRest::None),
        Ok(_) => {
            body.push(byte[0]);
            (body, BodyRest::Pull)
        }
        Err(_) => (body, BodyRest::Pull),
    }
}

/// The present in microseconds of the Unix epoch.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
