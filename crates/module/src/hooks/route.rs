//! Where a hook is asked.

use std::path::{Path, PathBuf};

use httpd::Request;
use wsgi::config::group_name;
use wsgi::protocol::hook::HookScript;

use crate::Wsgi;
use crate::config::servers::server_name;
use crate::lifecycle::generation::with_route;
use crate::lifecycle::route::Route;
use crate::request::rejection::{self, Rejection};
use crate::request::target::{Names, inside};

/// A process group that a hook is asked in.
#[derive(Debug)]
pub(super) struct HookTarget {
    pub(super) group: String,
    pub(super) route: Route,
}

impl HookTarget {
    /// The path of a script as the processes find it, which may have another root directory. One that
    /// is not below that is taken as it is.
    pub(super) fn script<'p>(&self, path: &'p str) -> &'p str {
        let inside = self.route.root.as_deref().and_then(|root| inside(root, path.as_bytes()));
        inside.and_then(|inside| str::from_utf8(inside).ok()).unwrap_or(path)
    }

    /// The path of a script as this process finds it.
    fn outside(&self, path: &str) -> PathBuf {
        match &self.route.root {
            Some(root) => root.join(self.script(path).trim_start_matches('/')),
            None => path.into(),
        }
    }
}

/// The process group that a hook's script is to be asked in, and the way there; `None` for this process.
pub(super) fn place(
    request: &Request<'_>,
    script: &HookScript,
    path: &str,
) -> Result<Option<HookTarget>, Rejection> {
    let Some(group) = script.process_group.clone() else { return Ok(None) };
    if script.in_htaccess && !is_permitted(request, &group) {
        return Err(rejection::not_for_htaccess(&group));
    }
    let route = with_route(&group, Clone::clone);
    let place = match route {
        Some(route) => HookTarget { group, route },
        None => return Err(rejection::unknown_group(&group)),
    };
    if let Some(owner) = &place.route.owner
        && request.server().is_virtual()
        && *owner != server_name(request.server())
    {
        return Err(rejection::not_accessible(&place.group, owner));
    }
    if let Some(owner) = &place.route.script_owner {
        use std::os::unix::ffi::OsStrExt as _;
        let outside = place.outside(path);
        owner.check(Path::new(&outside).as_os_str().as_bytes())?;
    }
    Ok(Some(place))
}

/// Whether the server's configuration lets scripts of this directory run in a process group. Who writes
/// `.htaccess` could run code as anybody otherwise.
fn is_permitted(request: &Request<'_>, group: &str) -> bool {
    let dir = request.dir_config::<Wsgi>();
    group_name::process_group(dir.process_group.as_deref(), &Names(request)) == group
        || (dir.restrict_process.is_some() && dir.allows_process(group))
}
