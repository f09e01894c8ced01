//! Where a hook is asked.

use std::borrow::Cow;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use httpd::Request;
use wsgi::config::hook_script::HookScript;

use crate::lifecycle::route::Route;
use crate::request::access;
use crate::request::rejection::Rejection;
use crate::request::target::inside;

/// A process group that a hook is asked in.
#[derive(Debug)]
pub(super) struct HookTarget {
    pub(super) group: String,
    pub(super) route: Arc<Route>,
}

impl HookTarget {
    /// The path of a script as the processes find it, which may have another root directory. One
    /// that is not below that is taken as it is.
    pub(super) fn script<'p>(&self, path: &'p str) -> &'p str {
        below(&self.route, path)
    }
}

/// The process group that a hook's script is to be asked in, and the way there; `None` for this
/// process.
pub(super) fn hook_target(
    request: &Request<'_>,
    script: &HookScript,
    path: &str,
) -> Result<Option<HookTarget>, Rejection> {
    let Some(group) = script.process_group.clone() else { return Ok(None) };
    if script.in_htaccess {
        access::by_htaccess(request, &group)?;
    }
    let file = |route: &Route| Cow::Owned(outside(route, path).into_os_string().into_vec());
    let route = access::process_group(request, &group, file)?;
    Ok(Some(HookTarget { group, route }))
}

/// The path of a script of a group as this process finds it.
fn outside(route: &Route, path: &str) -> PathBuf {
    match &route.root {
        Some(root) => root.join(below(route, path).trim_start_matches('/')),
        None => path.into(),
    }
}

/// The path of a script as the processes of a group find it.
fn below<'p>(route: &Route, path: &'p str) -> &'p str {
    let inside = route.root.as_deref().and_then(|root| inside(root, path.as_bytes()));
    inside.and_then(|inside| str::from_utf8(inside).ok()).unwrap_or(path)
}
