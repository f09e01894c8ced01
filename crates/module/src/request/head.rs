//! A request as it travels to the engine: its head, and the first bytes of its body.

use httpd::{ErrorLog, ReadError, Request};
use wsgi::config::settings::MapHead;
use wsgi::environ::is_header_name;
use wsgi::protocol::codec::Pairs;
use wsgi::protocol::request::{Attempts, BodyRest, RequestHead};

use crate::Wsgi;
use crate::request::environ;
use crate::request::environ::Choices;
use crate::request::spool::Spool;
use crate::request::target::{ApplicationGroup, Target};
use crate::sys;

/// A body up to this length travels with the request's head.
const SMALL_BODY: usize = 64 * 1024;

/// The payload of the request's frame, with the body if it is short. Of a longer one as much as `buffer` bytes is
/// read into the spool, so that a slow client keeps no worker waiting. `queue_start` gives the moment at which the
/// request begins to wait in a queue, and is asked when the body was read: a slow client is no queue.
pub(crate) fn payload(
    request: &mut Request<'_>,
    target: &Target,
    buffer: u64,
    queue_start: impl FnOnce() -> u64,
) -> (Vec<u8>, BodyRead) {
    let (body, body_rest, read) = first_of_body(request, buffer);
    let queue_start = queue_start();
    prepare(request);
    let request: &Request<'_> = request;
    let dir = request.dir_config::<Wsgi>();
    let environ = environ::build(request, choices(request, target));
    let head = RequestHead {
        attempts: Attempts::default(),
        script: &target.script,
        process_group: target.group.as_bytes(),
        application_group: target.application_group.as_bytes(),
        main_interpreter: target.interpreter == ApplicationGroup::Main,
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
    (payload, read)
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

/// What was read of a body beyond what the head holds, and what went wrong then.
#[derive(Debug, Default)]
pub(crate) struct BodyRead {
    pub(crate) spool: Spool,
    /// What came behind that and found no room there, as on a full disk.
    pub(crate) beyond: Vec<u8>,
    /// Met by the application when it has read what there is.
    pub(crate) fault: Option<ReadError>,
}

/// Reads a body before a worker is asked for: a short one whole, a longer one into a spool.
fn first_of_body(request: &mut Request<'_>, buffer: u64) -> (Vec<u8>, BodyRest, BodyRead) {
    let headers = request.headers_in();
    let length = headers.get(c"Content-Length").and_then(wsgi::protocol::response::content_length);
    let chunked = headers.get(c"Transfer-Encoding").is_some();
    // The client's question whether to send the body at all is the application's to answer.
    let asks_first = headers.get(c"Expect").is_some();
    let length = match length {
        _ if chunked || asks_first => return (Vec::new(), BodyRest::Pull, BodyRead::default()),
        None | Some(0) => return (Vec::new(), BodyRest::None, BodyRead::default()),
        Some(length) => length,
    };
    match usize::try_from(length) {
        Ok(length) if length <= SMALL_BODY => short_body(request, length),
        _ => (Vec::new(), BodyRest::Pull, long_body(request, length.min(buffer))),
    }
}

/// Reads a body of `length` bytes.
fn short_body(request: &mut Request<'_>, length: usize) -> (Vec<u8>, BodyRest, BodyRead) {
    // A filter may make more of it than the client has sent; usually the last byte meets the end.
    let mut body = vec![0; length + 1];
    let (mut filled, mut read) = (0, BodyRead::default());
    let rest = loop {
        match request.read(&mut body[filled..]) {
            Ok(0) => break BodyRest::None,
            Ok(count) if filled + count > length => {
                filled += count;
                break BodyRest::Pull;
            }
            Ok(count) => filled += count,
            Err(fault) => {
                read.fault = Some(fault);
                break BodyRest::Pull;
            }
        }
    };
    body.truncate(filled);
    (body, rest, read)
}

/// Reads up to `length` bytes of a body, as long as there is room for them.
fn long_body(request: &mut Request<'_>, length: u64) -> BodyRead {
    let mut read = BodyRead::default();
    if length == 0 {
        return read;
    }
    // Not on the stack: each thread of a child would keep its pages.
    let mut piece = vec![0; 16 * 1024];
    while read.spool.len() < length {
        let left = usize::try_from(length - read.spool.len()).unwrap_or(usize::MAX);
        let room = left.min(piece.len());
        match request.read(&mut piece[..room]) {
            Ok(0) => break,
            Ok(count) => {
                if read.spool.push(&piece[..count]).is_err() {
                    // No more is read ahead: a worker takes what follows as it comes.
                    read.beyond.extend_from_slice(&piece[..count]);
                    break;
                }
            }
            Err(fault) => {
                read.fault = Some(fault);
                break;
            }
        }
    }
    read
}
