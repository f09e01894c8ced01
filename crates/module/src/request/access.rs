//! Whether a request may run where it is to run: the one home of that rule, for requests and for
//! hooks.
//!
//! The configuration is held to the same rule between virtual hosts when it is read (`check`).

use std::borrow::Cow;
use std::sync::Arc;

use httpd::Request;
use wsgi::config::group_name;

use crate::Wsgi;
use crate::config::servers::{main_config, may_use};
use crate::lifecycle::generation::with_route;
use crate::lifecycle::route::Route;
use crate::request::rejection::{self, Rejection};
use crate::request::target::{Names, Target};

/// The way to where the request runs: to a process group, or `None` for embedded mode.
pub(crate) fn way_to(
    request: &Request<'_>,
    target: &Target,
) -> Result<Option<Arc<Route>>, Rejection> {
    if !request.dir_config::<Wsgi>().allows_process(&target.group) {
        return Err(rejection::not_permitted(target));
    }
    if !target.group.is_empty() {
        // The file that the request is for, also where a handler script serves it.
        let file = |_: &Route| Cow::Borrowed(request.filename().unwrap_or_default());
        return process_group(request, &target.group, file).map(Some);
    }
    if main_config(|main| main.settings.global.allows_embedded()) {
        Ok(None)
    } else {
        Err(rejection::restricted(request, target))
    }
}

/// The way to a process group, which has to exist, to belong to the request's server or the main
/// one, and to run scripts of the owner of `script`.
pub(crate) fn process_group<'s>(
    request: &Request<'_>,
    group: &str,
    script: impl FnOnce(&Route) -> Cow<'s, [u8]>,
) -> Result<Arc<Route>, Rejection> {
    let route = with_route(group, Arc::clone);
    let route = route.ok_or_else(|| rejection::unknown_group(group))?;
    if let Some(owner) = &route.owner
        && !may_use(request.server(), Some(owner))
    {
        return Err(rejection::not_accessible(group, owner));
    }
    if let Some(owner) = &route.script_owner {
        owner.check(&script(&route)).map_err(|text| Rejection::new(403, text))?;
    }
    Ok(route)
}

/// Whether `.htaccess` may choose a process group: the server's configuration has to send scripts
/// of this directory there, or to allow it. The author of the file could run code as any user
/// otherwise.
pub(crate) fn by_htaccess(request: &Request<'_>, group: &str) -> Result<(), Rejection> {
    let dir = request.dir_config::<Wsgi>();
    let sent = group_name::process_group(dir.process_group.as_deref(), &Names(request)) == group;
    if sent || (dir.restrict_process.is_some() && dir.allows_process(group)) {
        return Ok(());
    }
    Err(rejection::not_for_htaccess(group))
}
