//! Hooks in Python: who may have what, which groups a user belongs to, and where a request runs.
//!
//! Each is a question to a script, answered by the engine in this process (`child`) or by a worker
//! of a process group (`delegate`). No answer is a rejection, whatever the reason; that was logged
//! where it happened.

use std::borrow::Cow;

use httpd::{
    Authorization, ErrorLog, Guard, Order, Password, RealmHash, Request, Requirement, Status,
};
use wsgi::codes;
use wsgi::config::group_name;
use wsgi::config::hook_script::HookScript;
use wsgi::protocol::codec::Pairs;
use wsgi::protocol::hook::{Answer, Query, Question};
use wsgi::protocol::request::{Attempts, BodyRest, RequestHead};

use crate::Wsgi;
use crate::clock::now_micros;
use crate::log;
use crate::request::environ;
use crate::request::head::choices;
use crate::request::target::{Names, Target};
use crate::sys;

mod access;
mod authn;
mod authz;
mod child;
mod delegate;
mod dispatch;
mod route;

pub(crate) use authz::KnownGroups;

pub(crate) use dispatch::dispatched;

impl Guard for Wsgi {
    const AUTHN_PROVIDER: &'static core::ffi::CStr = c"wsgi";
    const AUTHZ_PROVIDER: &'static core::ffi::CStr = c"wsgi-group";
    const ACCESS_ORDER: Order = sys::ACCESS_ORDER;

    fn check_access(request: &mut Request<'_>) -> Status {
        access::check(request)
    }

    fn check_password(request: &mut Request<'_>, user: &[u8], password: &[u8]) -> Password {
        authn::check_password(request, user, password)
    }

    fn realm_hash(request: &mut Request<'_>, user: &[u8], realm: &[u8]) -> RealmHash {
        authn::realm_hash(request, user, realm)
    }

    fn check_requirement(arguments: &[u8]) -> Result<(), String> {
        authz::check_requirement(arguments)
    }

    fn authorize(request: &mut Request<'_>, requirement: &Requirement) -> Authorization {
        authz::authorize(request, requirement)
    }
}

/// Asks a hook about access, users or groups. `None` if it has no answer.
fn ask(request: &mut Request<'_>, script: &HookScript, query: &Query<'_>) -> Option<Answer> {
    ask_with(request, script, query, None)
}

/// Asks a hook; one that dispatches gets the environ of a request that would run at `planned`.
/// `None` if it has no answer.
fn ask_with(
    request: &mut Request<'_>,
    script: &HookScript,
    query: &Query<'_>,
    planned: Option<&Target>,
) -> Option<Answer> {
    #[cfg(feature = "panic-hook")]
    assert!(request.headers_in().get(c"X-Dormouse-Panic") != Some(b"hook"), "asked to panic");
    let path = path(script);
    let target = match route::hook_target(request, script, &path) {
        Ok(target) => target,
        Err(rejection) => {
            let context = format_args!("the script {path:?} is not asked");
            log(request, &rejection.message.within(&context));
            return None;
        }
    };
    let payload = {
        let request: &Request<'_> = request;
        let names = Names(request);
        let application_group = script.application_group.as_deref();
        let application_group = group_name::hook_application_group(application_group, &names);
        let dir = request.dir_config::<Wsgi>();
        let head = RequestHead {
            attempts: Attempts::default(),
            script: target.as_ref().map_or(&*path, |target| target.script(&path)).as_bytes(),
            process_group: target.as_ref().map_or("", |target| &target.group).as_bytes(),
            application_group: application_group.as_bytes(),
            main_interpreter: false,
            callable: b"",
            script_reloading: dir.script_reloading.unwrap_or(true),
            script_modified: 0,
            ignore_activity: dir.ignore_activity.unwrap_or(false),
            log_level: request.log_level(sys::record().index()),
            request_start: request.time(),
            queue_start: if target.is_some() { now_micros() } else { 0 },
            environ: Pairs::NONE,
            body: b"",
            body_behind: 0,
            body_rest: BodyRest::None,
        };
        let question = Question { request: head, tls: request.is_tls(), query: *query };
        let mut payload = Vec::with_capacity(2048);
        let environ = match planned {
            Some(planned) => environ::build(request, choices(request, planned)),
            None => environ::for_hook(request),
        };
        question.encode(environ.iter(), &mut payload);
        payload
    };
    let answer = match &target {
        Some(target) => delegate::ask(request, path.as_bytes(), target, &payload),
        None => child::ask(request, path.as_bytes(), &payload),
    }?;
    let answer = Answer::decode(&answer).ok().filter(|answer| answer.answers(query));
    if answer.is_none() {
        log(request, &codes::invalid_hook_answer(&path));
    }
    answer
}

/// The path of a script; one that is not absolute is relative to `ServerRoot`, as everywhere in
/// httpd's configuration.
fn path(script: &HookScript) -> Cow<'_, str> {
    if script.path.starts_with('/') {
        return script.path.as_str().into();
    }
    let resolved = httpd::with_scratch_pool(|pool| httpd::server_root_path(pool, &script.path));
    resolved.map_or(script.path.as_str().into(), Cow::Owned)
}
