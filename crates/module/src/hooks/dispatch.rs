//! `WSGIDispatchScript`: where a request runs.

use httpd::Request;
use wsgi::protocol::hook::{Answer, Query};

use crate::Wsgi;
use crate::request::head::prepare;
use crate::request::target::Target;

/// The target of a request after its dispatch script was asked, whose functions get the environ of
/// a request that would run at `target`. It stays as it is where there is no such script; `None` if
/// that has no answer.
pub(crate) fn dispatched(request: &mut Request<'_>, target: Target) -> Option<Target> {
    let script = request.dir_config::<Wsgi>().hooks.dispatch.clone();
    let Some(script) = script else { return Some(target) };
    prepare(request);
    match super::ask_with(request, &script, &Query::Dispatch, Some(&target))? {
        Answer::Target(answer) => Some(target.with(request, answer)),
        _ => None,
    }
}
