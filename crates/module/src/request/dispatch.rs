//! Which requests are ours, and where they run.

use httpd::{Request, Status};
use wsgi::codes;
use wsgi::config::alias::{Alias, AliasOptions};
use wsgi::config::daemon_process::DEFAULT_REQUEST_BUFFER;
use wsgi::protocol::frame::{self, FrameType, MAX_REQUEST};

use crate::Wsgi;
use crate::clock::now_micros;
use crate::config::servers::main_config;
use crate::config::store::ServerConfig;
use crate::embedded;
use crate::hooks::dispatched;
use crate::lifecycle::route::Route;
use crate::relay;
use crate::request::access::way_to;
use crate::request::head::payload;
use crate::request::rejection::{self, Rejection};
use crate::request::target::Target;

/// Names that `SetHandler` and `AddHandler` know us by.
const HANDLERS: [&[u8]; 2] = [b"wsgi-script", b"application/x-httpd-wsgi"];
/// The note that says which alias mapped the request: `v` or `m` (the virtual host's or the main
/// server's list) and its index there.
const ALIAS_NOTE: &core::ffi::CStr = c"mod_wsgi.alias";
/// Maps the URI to a script, if an alias does.
pub(crate) fn translate(request: &mut Request<'_>) -> Status {
    let server = request.server();
    let own = server.config::<Wsgi>();
    let found = find(own, request.uri()).map(|found| ('v', found)).or_else(|| {
        let from_main = || main_config(|main| find(main, request.uri()));
        if server.is_virtual() { from_main().map(|found| ('m', found)) } else { None }
    });
    let Some((list, (index, path))) = found else { return Status::Declined };
    request.set_filename(&path);
    request.set_handler(c"wsgi-script");
    request.notes_mut().set(ALIAS_NOTE.to_bytes(), format!("{list}{index}").as_bytes());
    Status::Ok
}

/// The first alias that matches, by its index, and the file that it leads to.
fn find(config: &ServerConfig, uri: &[u8]) -> Option<(usize, Vec<u8>)> {
    let mapped = |(alias, pattern): (&Alias, &Option<std::sync::Arc<httpd::Regex>>)| match pattern {
        Some(pattern) => alias.substitute(uri, &pattern.search(uri)?),
        None => alias.map(uri),
    };
    config
        .settings
        .aliases
        .iter()
        .zip(&config.patterns)
        .enumerate()
        .find_map(|(index, alias)| Some((index, mapped(alias)?)))
}

/// The options of the alias that mapped the request; `None` if none did.
fn alias_options(request: &Request<'_>) -> Option<AliasOptions> {
    let notes = request.notes();
    let note = str::from_utf8(notes.get(ALIAS_NOTE)?).ok()?;
    let (list, index) = note.split_at_checked(1)?;
    let index: usize = index.parse().ok()?;
    let options = |config: &ServerConfig| Some(config.settings.aliases.get(index)?.options.clone());
    if list == "v" { options(request.server().config::<Wsgi>()) } else { main_config(options) }
}

/// Answers a request for a script.
pub(crate) fn handle(request: &mut Request<'_>) -> Status {
    let Some(handler) = request.handler() else { return Status::Declined };
    let handler_script = if HANDLERS.contains(&handler) {
        None
    } else {
        match request.dir_config::<Wsgi>().handler_script(handler) {
            Some(script) => Some(script.clone()),
            None => return Status::Declined,
        }
    };
    #[cfg(feature = "panic-hook")]
    assert!(request.headers_in().get(c"X-Dormouse-Panic") != Some(b"module"), "asked to panic");
    let target = if let Some(script) = handler_script {
        Ok(Target::of_handler(request, &script))
    } else {
        let alias = alias_options(request);
        rejection::of_file(request, alias.is_some())
            .map(|()| Target::of_script(request, &alias.unwrap_or_default()))
    };
    let target = target.and_then(|target| {
        let takes_chunks = request.dir_config::<Wsgi>().chunked_request.unwrap_or(false);
        rejection::of_request(request, takes_chunks).map(|()| target)
    });
    let target = match target {
        Ok(target) => dispatched(request, target),
        Err(rejection) => return rejection.answer(request),
    };
    // Where the dispatch script has no answer, the log knows why.
    let Some(target) = target else { return Status::Http(500) };
    match way_to(request, &target) {
        Ok(None) => {
            let (payload, _) = payload(request, &target, 0, 0, || 0);
            embedded::serve(request, &payload)
        }
        Ok(Some(route)) => relay(request, target, &route),
        Err(rejection) => rejection.answer(request),
    }
}

/// Has a worker serve the request.
fn relay(request: &mut Request<'_>, target: Target, route: &Route) -> Status {
    let mut target = target.in_group_of(route.only_script.as_deref());
    if let Some(root) = &route.root {
        let file = request.filename().unwrap_or_default();
        match target.below(root, file) {
            Some(below) => target = below,
            None => return rejection::outside_of_root(file, root).answer(request),
        }
    }
    let buffer = match route.buffers.request_buffer {
        0 => DEFAULT_REQUEST_BUFFER,
        bytes => bytes,
    };
    let (mut frame, body) = payload(request, &target, frame::HEADER, buffer, now_micros);
    if frame.len() > MAX_REQUEST {
        return Rejection::new(413, codes::head_too_long(MAX_REQUEST)).answer(request);
    }
    frame::complete(&mut frame, FrameType::RequestHead);
    relay::serve(request, &target.group, route, &mut frame, body)
}
