//! What a configuration says, as it was written: nothing is filled in, nothing is looked up.
//!
//! [`ServerSettings`] belong to a server or virtual host, [`DirSettings`] to a section; both merge as
//! httpd's rules want it, the inner over the outer. Directory settings are merged for each request,
//! so their strings are shared and copying one costs a counter.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::alias::Alias;
use crate::daemon::GroupSpec;
use crate::proxy::{ProxyHeader, Subnet};

/// What a directory section or a server says about its requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DirSettings {
    /// `WSGIProcessGroup`.
    pub process_group: Option<Arc<str>>,
    /// `WSGIApplicationGroup`.
    pub application_group: Option<Arc<str>>,
    /// `WSGICallableObject`.
    pub callable: Option<Arc<str>>,
    /// `WSGIPassApacheRequest`.
    pub pass_apache_request: Option<bool>,
    /// `WSGIPassAuthorization`.
    pub pass_authorization: Option<bool>,
    /// `WSGIScriptReloading`.
    pub script_reloading: Option<bool>,
    /// `WSGIMapHEADToGET`.
    pub map_head: Option<MapHead>,
    /// `WSGITrustedProxyHeaders`.
    pub trusted_headers: Option<Arc<[&'static ProxyHeader]>>,
    /// `WSGITrustedProxies`.
    pub trusted_proxies: Option<Arc<[Subnet]>>,
}

/// How a `HEAD` request is shown to applications.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapHead {
    /// As `GET`.
    Always,
    /// As what it is.
    Never,
    /// As `GET` if a filter wants to see the body, for instance to give its length.
    Auto,
}

impl DirSettings {
    /// These settings, and where they are silent, those of `outer`.
    #[must_use]
    pub fn over(&self, outer: &Self) -> Self {
        Self {
            process_group: self.process_group.as_ref().or(outer.process_group.as_ref()).cloned(),
            application_group: self
                .application_group
                .as_ref()
                .or(outer.application_group.as_ref())
                .cloned(),
            callable: self.callable.as_ref().or(outer.callable.as_ref()).cloned(),
            pass_apache_request: self.pass_apache_request.or(outer.pass_apache_request),
            pass_authorization: self.pass_authorization.or(outer.pass_authorization),
            script_reloading: self.script_reloading.or(outer.script_reloading),
            map_head: self.map_head.or(outer.map_head),
            trusted_headers: self
                .trusted_headers
                .as_ref()
                .or(outer.trusted_headers.as_ref())
                .cloned(),
            trusted_proxies: self
                .trusted_proxies
                .as_ref()
                .or(outer.trusted_proxies.as_ref())
                .cloned(),
        }
    }
}

/// A process group and where it was defined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefinedGroup {
    /// What `WSGIDaemonProcess` says.
    pub spec: GroupSpec,
    /// File and line of the directive.
    pub place: (String, u32),
}

/// What a server or virtual host says beyond its directories.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerSettings {
    /// `WSGIScriptAlias` and `WSGIScriptAliasMatch`, in their order.
    pub aliases: Vec<Alias>,
    /// `WSGIDaemonProcess`, in their order.
    pub groups: Vec<DefinedGroup>,
    /// What can be said once, in the main server only.
    pub global: GlobalSettings,
}

/// What holds for the whole of httpd.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GlobalSettings {
    /// `WSGILazyInitialization`.
    pub lazy_initialization: Option<bool>,
    /// `WSGIRestrictEmbedded`.
    pub restrict_embedded: Option<bool>,
    /// `WSGIPythonHome`.
    pub python_home: Option<PathBuf>,
    /// `WSGIPythonPath`.
    pub python_path: Vec<PathBuf>,
    /// What holds for all interpreters.
    pub interpreters: InterpreterRules,
    /// `WSGIServerMetrics`.
    pub server_metrics: bool,
    /// `WSGISocketPrefix`, as written.
    pub socket_prefix: Option<String>,
}

impl GlobalSettings {
    /// Whether httpd's processes may have Python in them.
    pub fn allows_embedded(&self) -> bool {
        self.restrict_embedded != Some(true)
    }

    /// Whether Python is wanted in httpd's parent.
    pub fn starts_early(&self) -> bool {
        self.lazy_initialization == Some(false) && self.allows_embedded()
    }
}

/// What holds for all interpreters, in httpd's children and in process groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a directive that is on or off")]
pub struct InterpreterRules {
    /// `WSGIPerInterpreterGIL`.
    pub own_gil: bool,
    /// `WSGIRestrictStdin`.
    pub restrict_stdin: bool,
    /// `WSGIRestrictStdout`.
    pub restrict_stdout: bool,
    /// `WSGIRestrictSignal`.
    pub restrict_signal: bool,
}

impl Default for InterpreterRules {
    fn default() -> Self {
        Self {
            own_gil: false,
            restrict_stdin: false,
            restrict_stdout: false,
            restrict_signal: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inner_settings_win_where_they_speak() {
        let outer = DirSettings {
            process_group: Some("outer".into()),
            callable: Some("app".into()),
            pass_authorization: Some(true),
            ..DirSettings::default()
        };
        let inner = DirSettings {
            process_group: Some("inner".into()),
            pass_authorization: Some(false),
            ..DirSettings::default()
        };
        let merged = inner.over(&outer);
        assert_eq!(merged.process_group.as_deref(), Some("inner"));
        assert_eq!(merged.callable.as_deref(), Some("app"));
        assert_eq!(merged.pass_authorization, Some(false));
        assert_eq!(merged.script_reloading, None);
        assert_eq!(DirSettings::default().over(&outer), outer);
    }
}
