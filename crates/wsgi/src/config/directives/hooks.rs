//! Directives that name scripts which decide about requests.

use std::sync::Arc;

use super::{AUTH_CONFIG, Directive, DirectiveScope, SECTIONS, on_or_off};
use crate::config::argument::ArgumentError;
use crate::config::hook_script::{HookScript, PlacedHook};

const SCRIPT: &std::ffi::CStr = c"file [application-group=name] [process-group=name]";

pub(super) const HOOKS: &[Directive] = &[
    Directive {
        name: c"WSGIAccessScript",
        allowed: AUTH_CONFIG,
        arguments: SCRIPT,
        documentation: "A script whose `allow_access(environ, host)` says whether a client may \
                        have what it asks for. It runs in httpd's children, which load Python for \
                        it, or in the processes of `process-group`; in the main interpreter, or in \
                        that of `application-group`.",
        apply: |arguments, scope| {
            scope.dir.hooks.access = Some(script("WSGIAccessScript", arguments, scope)?);
            Ok(())
        },
    },
    Directive {
        name: c"WSGIAuthGroupScript",
        allowed: AUTH_CONFIG,
        arguments: SCRIPT,
        documentation: "A script whose `groups_for_user(environ, user)` gives the groups of a \
                        user, for `Require wsgi-group`. Options as of `WSGIAccessScript`.",
        apply: |arguments, scope| {
            scope.dir.hooks.group = Some(script("WSGIAuthGroupScript", arguments, scope)?);
            Ok(())
        },
    },
    Directive {
        name: c"WSGIAuthUserScript",
        allowed: AUTH_CONFIG,
        arguments: SCRIPT,
        documentation: "A script whose `check_password(environ, user, password)` (for \
                        `AuthBasicProvider wsgi`) or `get_realm_hash(environ, user, realm)` (for \
                        `AuthDigestProvider wsgi`) knows users. Options as of `WSGIAccessScript`.",
        apply: |arguments, scope| {
            scope.dir.hooks.user = Some(script("WSGIAuthUserScript", arguments, scope)?);
            Ok(())
        },
    },
    Directive {
        name: c"WSGIDispatchScript",
        allowed: SECTIONS,
        arguments: SCRIPT,
        documentation: "A script whose functions `process_group(environ)`, \
                        `application_group(environ)` and `callable_object(environ)` say where a \
                        request runs; one that is not there, or returns `None`, leaves it as it \
                        is. Options as of `WSGIAccessScript`.",
        apply: |arguments, scope| {
            scope.dir.hooks.dispatch = Some(script("WSGIDispatchScript", arguments, scope)?);
            Ok(())
        },
    },
    Directive {
        name: c"WSGIGroupAuthoritative",
        allowed: AUTH_CONFIG,
        arguments: c"On | Off",
        documentation: "Accepted for old configurations, without effect: httpd's containers for \
                        `Require` say how rules are combined.",
        apply: |arguments, _| on_or_off(arguments).map(drop),
    },
];

fn script(
    directive: &'static str,
    arguments: &str,
    scope: &mut DirectiveScope<'_>,
) -> Result<Arc<HookScript>, ArgumentError> {
    let script = Arc::new(HookScript::parse(arguments, scope.in_htaccess)?);
    let place = scope.place.clone();
    scope.server.hooks.push(PlacedHook { directive, script: Arc::clone(&script), place });
    Ok(script)
}
