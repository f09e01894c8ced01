//! Which requests are ours, and where they run.

use std::time::{SystemTime, UNIX_EPOCH};

use httpd::{FileKind, Log, Request, Status};
use wsgi::alias::{Alias, AliasOptions};
use wsgi::environ::is_header_name;
use wsgi::frame::{self, FrameType, MAX_REQUEST};
use wsgi::group_name::{self, with_port};
use wsgi::level::Level;
use wsgi::proxy::Trust;
use wsgi::request::{Attempts, BodyRest, Request as Head};
use wsgi::settings::MapHead;
use wsgi::wire::Pairs;

use crate::config::ServerConfig;
use crate::environ::Choices;
use crate::generation::with_route;
use crate::routing::{main_config, server_name, server_with_port};
use crate::{Wsgi, embedded, environ, log, relay, sys};

/// Names that `SetHandler` and `AddHandler` know us by.
const HANDLERS: [&[u8]; 2] = [b"wsgi-script", b"application/x-httpd-wsgi"];
/// The note that says which alias mapped the request: `v` or `m` (the virtual host's or the main
/// server's list) and its place there.
const ALIAS_NOTE: &core::ffi::CStr = c"mod_wsgi.alias";
/// A body up to this length travels with the request's head.
const SMALL_BODY: usize = 64 * 1024;

/// Maps the URI to a script, if an alias does.
pub(crate) fn translate(request: &mut Request<'_>) -> Status {
    let server = request.server();
    let own = server.config::<Wsgi>();
    let found = find(own, request.uri()).map(|found| ('v', found)).or_else(|| {
        let from_main = || main_config(|main| find(main, request.uri()));
        if server.is_virtual() { from_main().map(|found| ('m', found)) } else { None }
    });
    let Some((list, (place, path))) = found else { return Status::Declined };
    request.set_filename(&path);
    request.set_handler(c"wsgi-script");
    request.notes_mut().set(ALIAS_NOTE.to_bytes(), format!("{list}{place}").as_bytes());
    Status::Ok
}

/// The first alias that matches, by its place, and the file that it leads to.
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
        .find_map(|(place, alias)| Some((place, mapped(alias)?)))
}

/// The options of the alias that mapped the request; `None` if none did.
fn alias_options(request: &Request<'_>) -> Option<AliasOptions> {
    let notes = request.notes();
    let note = str::from_utf8(notes.get(ALIAS_NOTE)?).ok()?;
    let (list, place) = note.split_at_checked(1)?;
    let place: usize = place.parse().ok()?;
    let options = |config: &ServerConfig| Some(config.settings.aliases.get(place)?.options.clone());
    if list == "v" { options(request.server().config::<Wsgi>()) } else { main_config(options) }
}

/// Answers a request for a script.
pub(crate) fn handle(request: &mut Request<'_>) -> Status {
    if !request.handler().is_some_and(|handler| HANDLERS.contains(&handler)) {
        return Status::Declined;
    }
    #[cfg(feature = "panic-hook")]
    assert!(request.headers_in().get(c"X-Dormouse-Panic") != Some(b"module"), "asked to panic");
    let alias = alias_options(request);
    if let Some(refusal) = refusal(request, alias.is_some()) {
        return refuse(request, &refusal);
    }
    let target = Target::of(request, &alias.unwrap_or_default());
    if target.group.is_empty() {
        if main_config(|main| !main.settings.global.allows_embedded()) {
            return refuse(request, &restricted(request));
        }
        let payload = payload(request, &target, 0);
        return embedded::serve(request, &payload);
    }
    let route = with_route(&target.group, Clone::clone);
    let Some(route) = route else {
        let group = &target.group;
        let text = format!(
            "WSGI0151: there is no process group {group}; define it with WSGIDaemonProcess {group}"
        );
        return refuse(request, &Refusal { status: 500, text });
    };
    if let Some(owner) = &route.owner
        && request.server().is_virtual()
        && *owner != server_name(request.server())
    {
        let group = &target.group;
        let text = format!(
            "WSGI0152: the process group {group} belongs to the virtual host {owner}; define it in \
             the main server to use it from others"
        );
        return refuse(request, &Refusal { status: 500, text });
    }
    let target = target.in_group_of(request, route.only_script.as_deref());
    let payload = payload(request, &target, now());
    if payload.len() > MAX_REQUEST {
        let text = format!("the head of the request is longer than {MAX_REQUEST} bytes");
        return refuse(request, &Refusal { status: 413, text });
    }
    let mut frame = Vec::with_capacity(payload.len() + frame::HEADER);
    frame::write(&mut frame, FrameType::Request, |place| place.extend_from_slice(&payload));
    // Only the frame is kept until the answer comes.
    drop(payload);
    relay::serve(request, &target.group, &route, &mut frame)
}

/// Why a request is not served.
struct Refusal {
    status: u16,
    text: String,
}

fn refuse(request: &Request<'_>, refusal: &Refusal) -> Status {
    log(request, Level::Error, &refusal.text);
    Status::Http(refusal.status)
}

/// The checks before anything is started, in the order of the reference.
fn refusal(request: &Request<'_>, aliased: bool) -> Option<Refusal> {
    let file = String::from_utf8_lossy(request.filename().unwrap_or_default()).into_owned();
    let refusal = |status, text: String| Some(Refusal { status, text });
    if !aliased && !request.may_execute() {
        let text = format!("WSGI0134: Options ExecCGI is off in this directory: {file}");
        return refusal(403, text);
    }
    match request.file_kind() {
        FileKind::Missing => return refusal(404, format!("WSGI0135: script not found: {file}")),
        FileKind::Directory => {
            let text = format!("WSGI0136: the script is a directory: {file}");
            return refusal(403, text);
        }
        FileKind::File => {}
    }
    if request.rejects_path_info() && !request.path_info().is_empty() {
        return refusal(404, format!("WSGI0137: AcceptPathInfo off disallows path info: {file}"));
    }
    let headers = request.headers_in();
    if let Some(encoding) = headers.get(c"Transfer-Encoding") {
        let name = String::from_utf8_lossy(encoding);
        if !encoding.eq_ignore_ascii_case(b"chunked") {
            return refusal(501, format!("WSGI0138: unknown Transfer-Encoding {name}"));
        }
    } else if let Some(length) = headers.get(c"Content-Length") {
        let shown = String::from_utf8_lossy(length);
        let Some(length) = wsgi::response::content_length(length) else {
            return refusal(400, format!("WSGI0141: invalid Content-Length {shown}"));
        };
        let limit = request.body_limit();
        if limit > 0 && length > limit {
            let text = format!("the body of {shown} bytes is longer than LimitRequestBody {limit}");
            return refusal(413, text);
        }
    }
    None
}

fn restricted(request: &Request<'_>) -> Refusal {
    let script = String::from_utf8_lossy(request.filename().unwrap_or_default()).into_owned();
    let server = server_with_port(request.server(), request.server_port());
    let text = format!(
        "WSGI0143: embedded mode is disabled (WSGIRestrictEmbedded On), and the script {script} of \
         the server {server} is not in a process group: set WSGIProcessGroup, or process-group= of \
         its WSGIScriptAlias, to a group that WSGIDaemonProcess defines"
    );
    Refusal { status: 500, text }
}

/// Where and how a request runs.
#[derive(Clone, Debug)]
struct Target {
    group: String,
    application_group: String,
    interpreter: Interpreter,
    callable: String,
    pass_authorization: bool,
    script_reloading: bool,
}

/// How the interpreter of a request is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Interpreter {
    /// By the name of its application group, which nobody has chosen.
    Default,
    /// By the name of its application group, which the configuration gives.
    Chosen,
    /// It is the main one, because the script is alone in its process group.
    Main,
}

impl Target {
    fn of(request: &Request<'_>, alias: &AliasOptions) -> Self {
        let dir = request.dir_config::<Wsgi>();
        let names = Names(request);
        let application_group =
            alias.application_group.as_deref().or(dir.application_group.as_deref());
        let group = alias.process_group.as_deref().or(dir.process_group.as_deref());
        let callable = match &alias.callable {
            Some(callable) => callable.clone(),
            None => group_name::callable(dir.callable.as_deref(), &names).into_owned(),
        };
        Self {
            group: group_name::process_group(group, &names).into_owned(),
            application_group: group_name::application_group(application_group, &names)
                .into_owned(),
            interpreter: match application_group {
                Some(_) => Interpreter::Chosen,
                None => Interpreter::Default,
            },
            callable,
            pass_authorization: alias
                .pass_authorization
                .or(dir.pass_authorization)
                .unwrap_or(false),
            script_reloading: dir.script_reloading.unwrap_or(true),
        }
    }

    /// The target in a process group whose only script is `only_script`.
    fn in_group_of(mut self, request: &Request<'_>, only_script: Option<&str>) -> Self {
        let script = request.filename().unwrap_or_default();
        let alone = only_script.is_some_and(|only| only.as_bytes() == script);
        if alone && self.interpreter == Interpreter::Default {
            self.interpreter = Interpreter::Main;
        }
        self
    }
}

/// What names of groups may be made of.
struct Names<'a, 'r>(&'a Request<'r>);

impl group_name::Facts for Names<'_, '_> {
    fn server(&self) -> String {
        server_with_port(self.0.server(), self.0.server_port())
    }

    fn host(&self) -> String {
        match self.0.hostname() {
            Some(host) if !host.is_empty() => {
                with_port(&String::from_utf8_lossy(host), self.0.server_port())
            }
            _ => self.server(),
        }
    }

    fn script_name(&self) -> String {
        let name = wsgi::environ::script_name(self.0.uri(), self.0.path_info());
        String::from_utf8_lossy(&wsgi::environ::collapse_slashes(name)).into_owned()
    }

    fn variable(&self, name: &str) -> Option<String> {
        let key = std::ffi::CString::new(name).ok()?;
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        self.0
            .notes()
            .get(&key)
            .map(text)
            .or_else(|| self.0.environment().get(&key).map(text))
            .or_else(|| std::env::var(name).ok())
    }
}

/// The payload of the request's frame, with the first bytes of its body.
fn payload(request: &mut Request<'_>, target: &Target, queue_start: u64) -> Vec<u8> {
    let (body, body_rest) = first_of_body(request);
    request.make_log_ids();
    remove_odd_headers(request);
    let request: &Request<'_> = request;
    let dir = request.dir_config::<Wsgi>();
    let trust = dir
        .trusted_headers
        .as_deref()
        .map(|headers| Trust { headers, proxies: dir.trusted_proxies.as_deref() });
    let choices = Choices {
        pass_authorization: target.pass_authorization,
        map_head: dir.map_head.unwrap_or(MapHead::Auto),
        trust,
    };
    let environ = environ::build(request, choices);
    let head = Head {
        attempts: Attempts::default(),
        script: request.filename().unwrap_or_default(),
        process_group: target.group.as_bytes(),
        application_group: target.application_group.as_bytes(),
        main_interpreter: target.interpreter == Interpreter::Main,
        callable: target.callable.as_bytes(),
        script_reloading: target.script_reloading,
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
