//! `WSGIAuthUserScript`: the authentication provider `wsgi`.

use std::sync::Arc;

use httpd::{Password, RealmHash, Request};
use wsgi::codes::{self, Message};
use wsgi::config::hook_script::HookScript;
use wsgi::protocol::hook::{Answer, Query};

use crate::Wsgi;
use crate::log;

/// Asks `check_password`. A name that it gives becomes the user's.
pub(super) fn check_password(request: &mut Request<'_>, user: &[u8], password: &[u8]) -> Password {
    let Some(script) = script(request, codes::no_password_script) else { return Password::Failed };
    match super::ask(request, &script, &Query::Password { user, password }) {
        Some(Answer::None) => Password::Unknown,
        Some(Answer::Yes) => Password::Granted,
        Some(Answer::No) => Password::Denied,
        Some(Answer::Text(name)) => {
            request.set_user(&name);
            Password::Granted
        }
        _ => Password::Failed,
    }
}

/// Asks `get_realm_hash`.
pub(super) fn realm_hash(request: &mut Request<'_>, user: &[u8], realm: &[u8]) -> RealmHash {
    let Some(script) = script(request, codes::no_realm_script) else { return RealmHash::Failed };
    match super::ask(request, &script, &Query::RealmHash { user, realm }) {
        Some(Answer::None) => RealmHash::Unknown,
        Some(Answer::Text(hash)) => RealmHash::Hash(hash),
        _ => RealmHash::Failed,
    }
}

fn script(request: &Request<'_>, missing: fn() -> Message) -> Option<Arc<HookScript>> {
    let script = request.dir_config::<Wsgi>().hooks.user.clone();
    if script.is_none() {
        log(request, &missing());
    }
    script
}
