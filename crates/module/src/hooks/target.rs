//! `WSGIDispatchScript`: where a request runs.

use httpd::Request;
use wsgi::protocol::hook::{Answer, DispatchTarget, Query};

use crate::Wsgi;
use crate::request::target;

/// Asks the functions of a dispatch script, which get the environ of a request that would run at
/// `planned`. Nothing is changed if there is no script for this place; `None` if it has no answer.
pub(crate) fn target(
    request: &mut Request<'_>,
    planned: &target::Target,
) -> Option<DispatchTarget> {
    let script = request.dir_config::<Wsgi>().hooks.dispatch.clone();
    let Some(script) = script else { return Some(DispatchTarget::default()) };
    match super::ask_with(request, &script, &Query::Dispatch, Some(planned))? {
        Answer::Target(target) => Some(target),
        _ => None,
    }
}
