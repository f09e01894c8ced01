//! The head of a request as it travels to the engine.

use httpd::{ErrorLog, Request};
use wsgi::config::settings::MapHead;
use wsgi::header::is_header_name;
use wsgi::protocol::codec::Pairs;
use wsgi::protocol::request::{Attempts, RequestHead};

use crate::Wsgi;
use crate::request::body::{BodyRead, first_of_body};
use crate::request::environ;
use crate::request::environ::Choices;
use crate::request::target::{ApplicationGroup, Target};
use crate::sys;

/// The payload of the request's frame, behind `room` bytes, and the body, as far as it was read: if
/// `buffer` is 0 (embedded mode), a short one lies in the payload whole. Of a longer one as much as
/// `buffer` bytes is read into the spool, so that a slow client keeps no worker waiting.
/// `queue_start` gives the moment at which the request begins to wait in a queue, and is asked when
/// the body was read: a slow client is no queue.
pub(crate) fn payload(
    request: &mut Request<'_>,
    target: &Target,
    room: usize,
    buffer: u64,
    queue_start: impl FnOnce() -> u64,
) -> (Vec<u8>, BodyRead) {
    let (body_rest, read) = first_of_body(request, buffer);
    let queue_start = queue_start();
    prepare(request);
    let request: &Request<'_> = request;
    let dir = request.dir_config::<Wsgi>();
    let environ = environ::build(request, choices(request, target));
    let (body, behind) =
        if buffer == 0 { (read.first.as_slice(), &[][..]) } else { read.first_parts() };
    let head = RequestHead {
        attempts: Attempts::default(),
        script: &target.script,
        process_group: target.group.as_bytes(),
        application_group: target.application_group.as_bytes(),
        main_interpreter: target.interpreter == ApplicationGroup::Main,
        callable: target.callable.as_bytes(),
        script_reloading: target.script_reloading,
        script_modified: if target.is_handler_script { 0 } else { request.file_modified() },
        ignore_activity: dir.ignore_activity.unwrap_or(false),
        log_level: request.log_level(sys::record().index()),
        request_start: request.time(),
        queue_start,
        environ: Pairs::NONE,
        body,
        body_behind: u32::try_from(behind.len()).expect("a short body"),
        body_rest,
    };
    let mut payload = Vec::with_capacity(room + 2048 + body.len());
    payload.resize(room, 0);
    head.encode(environ.iter(), &mut payload);
    (payload, read)
}

/// Makes a request ready to be shown in an environ.
pub(crate) fn prepare(request: &mut Request<'_>) {
    request.make_log_ids();
    remove_odd_headers(request);
}

/// The decisions about the environ of a request that runs there.
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

/// Removes headers whose names could be taken for others in an environ (`A_B` for `A-B`). Code that
/// runs later for this request must not meet them either.
fn remove_odd_headers(request: &mut Request<'_>) {
    let names = request.headers_in().entries().map(|(name, _)| name);
    let odd: Vec<Vec<u8>> =
        names.filter(|name| !is_header_name(name)).map(<[u8]>::to_vec).collect();
    for name in odd {
        request.headers_in_mut().remove(&name);
    }
}
