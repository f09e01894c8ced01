//! The contents of a configuration, as it was written: nothing is filled in, nothing is looked up.
//!
//! [`ServerSettings`] belong to a server or virtual host, [`DirSettings`] to a section; both merge
//! as httpd's rules want it, the inner over the outer. Directory settings are merged for each
//! request, so their strings are shared and copying one costs a counter.

use std::path::PathBuf;
use std::sync::Arc;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::codes::Message;
use crate::config::alias::Alias;
use crate::config::daemon_process::GroupSpec;
use crate::config::hook_script::{HookScript, PlacedHook};
use crate::config::interpreter_options::{InterpreterOptions, InterpreterRules};
use crate::config::proxy::{ProxyHeader, Subnet};

/// The settings of a directory section or a server for its requests.
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
    /// `WSGIChunkedRequest`.
    pub chunked_request: Option<bool>,
    /// `WSGIErrorOverride`.
    pub error_override: Option<bool>,
    /// `WSGIEnableSendfile`.
    pub enable_sendfile: Option<bool>,
    /// `WSGIIgnoreActivity`.
    pub ignore_activity: Option<bool>,
    /// `WSGIRestrictProcess`; the empty name is embedded mode.
    pub restrict_process: Option<Arc<[String]>>,
    /// `WSGIHandlerScript`, the outer ones first.
    pub handler_scripts: Option<Arc<[HandlerScript]>>,
    /// `WSGITrustedProxyHeaders`.
    pub trusted_headers: Option<Arc<[&'static ProxyHeader]>>,
    /// `WSGITrustedProxies`.
    pub trusted_proxies: Option<Arc<[Subnet]>>,
    /// The scripts that decide about requests.
    pub hooks: Hooks,
}

/// The scripts that decide about requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hooks {
    /// `WSGIAccessScript`.
    pub access: Option<Arc<HookScript>>,
    /// `WSGIAuthUserScript`.
    pub user: Option<Arc<HookScript>>,
    /// `WSGIAuthGroupScript`.
    pub group: Option<Arc<HookScript>>,
    /// `WSGIDispatchScript`.
    pub dispatch: Option<Arc<HookScript>>,
}

impl Hooks {
    fn over(&self, outer: &Self) -> Self {
        Self {
            access: self.access.as_ref().or(outer.access.as_ref()).cloned(),
            user: self.user.as_ref().or(outer.user.as_ref()).cloned(),
            group: self.group.as_ref().or(outer.group.as_ref()).cloned(),
            dispatch: self.dispatch.as_ref().or(outer.dispatch.as_ref()).cloned(),
        }
    }
}

/// A handler that `SetHandler` and `AddHandler` know, and the script behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandlerScript {
    /// Name of the handler.
    pub name: String,
    /// Path of the script, whose `handle_request` is called.
    pub script: String,
    /// Value of `process-group=`.
    pub process_group: Option<String>,
    /// Value of `application-group=`.
    pub application_group: Option<String>,
    /// Value of `pass-authorization=`.
    pub pass_authorization: Option<bool>,
}

impl DirSettings {
    /// The handler script of this name; the innermost one counts, and there the last.
    #[must_use]
    pub fn handler_script(&self, name: &[u8]) -> Option<&HandlerScript> {
        let scripts = self.handler_scripts.as_deref().unwrap_or_default();
        scripts.iter().rev().find(|script| script.name.as_bytes() == name)
    }

    /// Whether `WSGIRestrictProcess` lets requests run in a process group (empty for embedded
    /// mode). As in mod_wsgi, upper and lower case are alike here.
    #[must_use]
    pub fn allows_process(&self, group: &str) -> bool {
        let listed =
            |names: &Arc<[String]>| names.iter().any(|one| one.eq_ignore_ascii_case(group));
        self.restrict_process.as_ref().is_none_or(listed)
    }
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
            chunked_request: self.chunked_request.or(outer.chunked_request),
            error_override: self.error_override.or(outer.error_override),
            enable_sendfile: self.enable_sendfile.or(outer.enable_sendfile),
            ignore_activity: self.ignore_activity.or(outer.ignore_activity),
            restrict_process: self
                .restrict_process
                .as_ref()
                .or(outer.restrict_process.as_ref())
                .cloned(),
            handler_scripts: match (&outer.handler_scripts, &self.handler_scripts) {
                (Some(outer), Some(inner)) => Some(outer.iter().chain(&**inner).cloned().collect()),
                (one, other) => other.as_ref().or(one.as_ref()).cloned(),
            },
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
            hooks: self.hooks.over(&outer.hooks),
        }
    }
}

/// A process group and where it was defined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefinedGroup {
    /// The options of `WSGIDaemonProcess`.
    pub spec: GroupSpec,
    /// File and line of the directive.
    pub place: (String, u32),
}

/// A script that is imported when processes start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// Path of the script.
    pub script: PathBuf,
    /// The process group; empty for httpd's children.
    pub process_group: String,
    /// The application group; empty for the main interpreter.
    pub application_group: String,
    /// File and line of the directive.
    pub place: (String, u32),
}

/// The settings of a server or virtual host beyond its directories.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerSettings {
    /// `WSGIScriptAlias` and `WSGIScriptAliasMatch`, in their order.
    pub aliases: Vec<Alias>,
    /// `WSGIDaemonProcess`, in their order.
    pub groups: Vec<DefinedGroup>,
    /// `WSGIImportScript`, in their order.
    pub imports: Vec<Import>,
    /// The hooks of the server and its sections, for the checks when the configuration was read.
    pub hooks: Vec<PlacedHook>,
    /// Messages about the configuration, logged when it comes into use.
    pub notes: Vec<Message>,
    /// Settings that can be given once, in the main server only.
    pub global: GlobalSettings,
}

/// The settings that hold for the whole of httpd.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a directive that is on or off")]
pub struct GlobalSettings {
    /// `WSGILazyInitialization`.
    pub lazy_initialization: Option<bool>,
    /// `WSGIRestrictEmbedded`.
    pub restrict_embedded: Option<bool>,
    /// `WSGIPythonHome`.
    pub python_home: Option<PathBuf>,
    /// The rules for interpreters.
    pub interpreters: InterpreterRules,
    /// Options that Python is given before it starts.
    pub python: PythonOptions,
    /// `WSGIPythonEggs`.
    pub python_eggs: Option<PathBuf>,
    /// `WSGICaseSensitivity Off`.
    pub case_insensitive: bool,
    /// `WSGIDestroyInterpreter Off`.
    pub keep_interpreters: bool,
    /// `WSGISlowRequests`.
    pub slow_requests: Option<Duration>,
    /// `WSGISocketRotation`.
    pub socket_rotation: Option<bool>,
    /// `WSGIServerMetrics`.
    pub server_metrics: bool,
    /// `WSGISocketPrefix`, as written.
    pub socket_prefix: Option<String>,
    /// The last section of `interpreters` is being read.
    pub in_block: bool,
}

/// Options that Python is given before it starts, in httpd's children and in process groups.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PythonOptions {
    /// `WSGIPythonOptimize`: 0, 1 or 2.
    pub optimize: u8,
    /// `WSGIDontWriteBytecode`.
    pub dont_write_bytecode: bool,
    /// `WSGIPythonWarnings`, in their order.
    pub warnings: Vec<String>,
    /// `WSGIPythonHashSeed`, as `PYTHONHASHSEED` wants it.
    pub hash_seed: Option<String>,
}

impl GlobalSettings {
    /// `WSGIPythonPath` for embedded mode.
    #[must_use]
    pub fn python_path(&self) -> &[PathBuf] {
        self.interpreters.general.python_path.as_deref().unwrap_or_default()
    }

    /// The options that a directive changes that may stand in `<WSGIInterpreterOptions>`: those of
    /// the section that is being read, or those of all interpreters.
    pub fn interpreter_options(&mut self) -> &mut InterpreterOptions {
        match self.interpreters.blocks.last_mut().filter(|_| self.in_block) {
            Some(block) => &mut block.options,
            None => &mut self.interpreters.general,
        }
    }

    /// Whether httpd's processes may have Python in them.
    pub fn allows_embedded(&self) -> bool {
        self.restrict_embedded != Some(true)
    }

    /// Whether Python is wanted in httpd's parent.
    pub fn starts_early(&self) -> bool {
        self.lazy_initialization == Some(false) && self.allows_embedded()
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
