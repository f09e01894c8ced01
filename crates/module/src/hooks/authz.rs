//! `WSGIAuthGroupScript`: the authorisation provider `wsgi-group`.

use std::sync::Arc;

use httpd::{Authorization, Request, Requirement};
use wsgi::codes;
use wsgi::config::hook_script::HookScript;
use wsgi::config::tokens::words;
use wsgi::level::Level;
use wsgi::protocol::hook::{Answer, Query};

use crate::Wsgi;
use crate::log;

/// The known groups of users, for the life of one request.
#[derive(Debug, Default)]
pub(crate) struct KnownGroups(Vec<KnownAnswer>);

#[derive(Debug)]
struct KnownAnswer {
    script: Arc<HookScript>,
    user: Vec<u8>,
    /// `None` if the script had no answer.
    groups: Option<Arc<[Vec<u8>]>>,
}

/// Says what is wrong with the arguments of a `Require wsgi-group`.
pub(super) fn check_requirement(arguments: &[u8]) -> Result<(), String> {
    match str::from_utf8(arguments) {
        Err(_) => Err("the arguments are not UTF-8; write them in UTF-8".to_owned()),
        Ok(text) if words(text).is_empty() => Err("the names of groups are missing".to_owned()),
        Ok(_) => Ok(()),
    }
}

/// Whether the user is in one of the groups of a `Require wsgi-group`.
pub(super) fn authorize(request: &mut Request<'_>, requirement: &Requirement) -> Authorization {
    let Some(user) = request.user().map(<[u8]>::to_vec) else { return Authorization::NoUser };
    // Where denials are turned round, only an error refuses.
    let failed =
        if requirement.may_be_negated { Authorization::Failed } else { Authorization::Denied };
    let Some(script) = request.dir_config::<Wsgi>().hooks.group.clone() else {
        log(request, &codes::no_group_script());
        return failed;
    };
    let Some(groups) = groups(request, &script, &user) else { return failed };
    let wanted = words(str::from_utf8(&requirement.arguments).unwrap_or_default());
    let is_wanted =
        |group: &Vec<u8>| wanted.iter().any(|name| name.as_bytes().eq_ignore_ascii_case(group));
    if groups.iter().any(is_wanted) {
        return Authorization::Granted;
    }
    let user = String::from_utf8_lossy(&user);
    let message = if groups.is_empty() {
        codes::user_without_groups(&user)
    } else {
        codes::user_not_in_groups(&user, &wanted.join(" "))
    };
    let is_wanted = requirement.may_be_negated;
    log(request, &if is_wanted { message.lowered_to(Level::Info) } else { message });
    Authorization::Denied
}

/// Asks `groups_for_user`, once in the life of the request.
fn groups(
    request: &mut Request<'_>,
    script: &Arc<HookScript>,
    user: &[u8],
) -> Option<Arc<[Vec<u8>]>> {
    let KnownGroups(known) = request.state::<Wsgi>();
    if let Some(known) = known.iter().find(|known| known.script == *script && known.user == user) {
        return known.groups.clone();
    }
    let groups = match super::ask(request, script, &Query::Groups { user }) {
        Some(Answer::Names(names)) => Some(names.into()),
        _ => None,
    };
    let known =
        KnownAnswer { script: Arc::clone(script), user: user.to_vec(), groups: groups.clone() };
    request.state::<Wsgi>().0.push(known);
    groups
}
