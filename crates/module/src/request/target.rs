//! Where and how a request runs.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use httpd::Request;
use wsgi::config::alias::AliasOptions;
use wsgi::config::group_name::{self, with_port};
use wsgi::config::settings::HandlerScript;
use wsgi::protocol::hook::DispatchTarget;

use crate::Wsgi;
use crate::config::servers::{main_config, server_with_port};

/// The name of a handler script's function.
const HANDLE_REQUEST: &str = "handle_request";

/// Where and how a request runs.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// Path of the script that is run.
    pub(crate) script: Vec<u8>,
    /// It is a handler script, and the request is for another file.
    pub(crate) is_handler_script: bool,
    /// Name of the process group; empty for embedded mode.
    pub(crate) group: String,
    /// Name of the application group; empty for the main interpreter.
    pub(crate) application_group: String,
    pub(crate) interpreter: ApplicationGroup,
    pub(crate) callable: String,
    pub(crate) pass_authorization: bool,
    pub(crate) script_reloading: bool,
    /// Root directory of the process that it runs in; paths are shown as they are below it.
    pub(crate) root: Option<PathBuf>,
}

/// How the interpreter of a request is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ApplicationGroup {
    /// By the name of its application group, which the configuration does not give.
    Default,
    /// By the name of its application group, which the configuration gives.
    Chosen,
    /// It is the main one, because the script is alone in its process group.
    Main,
}

impl Target {
    /// The target of a request for a script, which an alias with these options may have led to.
    pub(crate) fn of_script(request: &Request<'_>, options: &AliasOptions) -> Self {
        Self::new(request, request.filename().unwrap_or_default(), options)
    }

    /// The target of a request that a handler script serves.
    pub(crate) fn of_handler(request: &Request<'_>, handler: &HandlerScript) -> Self {
        let options = AliasOptions {
            process_group: handler.process_group.clone(),
            application_group: handler.application_group.clone(),
            callable: Some(HANDLE_REQUEST.to_owned()),
            pass_authorization: handler.pass_authorization,
        };
        let target = Self::new(request, handler.script.as_bytes(), &options);
        Self { is_handler_script: true, ..target }
    }

    fn new(request: &Request<'_>, script: &[u8], options: &AliasOptions) -> Self {
        let dir = request.dir_config::<Wsgi>();
        let names = Names(request);
        let application_group =
            options.application_group.as_deref().or(dir.application_group.as_deref());
        let group = options.process_group.as_deref().or(dir.process_group.as_deref());
        let callable = match &options.callable {
            Some(callable) => callable.clone(),
            None => group_name::callable(dir.callable.as_deref(), &names).into_owned(),
        };
        Self {
            script: script.to_vec(),
            is_handler_script: false,
            group: group_name::process_group(group, &names).into_owned(),
            application_group: group_name::application_group(application_group, &names)
                .into_owned(),
            interpreter: match application_group {
                Some(_) => ApplicationGroup::Chosen,
                None => ApplicationGroup::Default,
            },
            callable,
            pass_authorization: options
                .pass_authorization
                .or(dir.pass_authorization)
                .unwrap_or(false),
            script_reloading: dir.script_reloading.unwrap_or(true),
            root: None,
        }
    }

    /// The target with what a dispatch script has answered.
    pub(crate) fn with(mut self, request: &Request<'_>, answer: DispatchTarget) -> Self {
        let names = Names(request);
        if let Some(group) = answer.process_group.map(text) {
            self.group = group_name::process_group(Some(&group), &names).into_owned();
        }
        if let Some(group) = answer.application_group.map(text) {
            self.application_group =
                group_name::application_group(Some(&group), &names).into_owned();
            self.interpreter = ApplicationGroup::Chosen;
        }
        if let Some(callable) = answer.callable.map(text) {
            self.callable = group_name::callable(Some(&callable), &names).into_owned();
        }
        self
    }

    /// The target in processes that have another root directory; `None` if the file that the
    /// request is for is not below it. A handler script is named as it is found there.
    pub(crate) fn below(mut self, root: &Path, file: &[u8]) -> Option<Self> {
        let inside = inside(root, file)?;
        if !self.is_handler_script {
            self.script = inside.to_vec();
        }
        self.root = Some(root.to_owned());
        Some(self)
    }

    /// The target in a process group whose only script is `only_script`.
    pub(crate) fn in_group_of(mut self, only_script: Option<&str>) -> Self {
        let alone = only_script.is_some_and(|only| only.as_bytes() == self.script);
        if alone && self.interpreter == ApplicationGroup::Default {
            self.interpreter = ApplicationGroup::Main;
        }
        self
    }
}

/// A name that Python has given, in UTF-8 if it is, else as latin-1.
fn text(name: Vec<u8>) -> String {
    String::from_utf8(name)
        .unwrap_or_else(|error| error.into_bytes().into_iter().map(char::from).collect())
}

/// A path as it is below the root directory `root`.
pub(crate) fn inside<'p>(root: &Path, path: &'p [u8]) -> Option<&'p [u8]> {
    let root = root.as_os_str().as_bytes();
    let root = root.strip_suffix(b"/").unwrap_or(root);
    path.strip_prefix(root).filter(|rest| rest.starts_with(b"/"))
}

/// The parts that names of groups may be made of.
pub(crate) struct Names<'a, 'r>(pub(crate) &'a Request<'r>);

impl group_name::NameFacts for Names<'_, '_> {
    fn server(&self) -> String {
        server_with_port(self.0.server(), self.0.server_port())
    }

    fn host(&self) -> String {
        match self.0.hostname() {
            Some(host) if !host.is_empty() => {
                with_port(&String::from_utf8_lossy(host), self.0.server_port())
            }
            _ => self.server(),
        }
    }

    fn script_name(&self) -> String {
        let name = wsgi::environ::script_name(self.0.uri(), self.0.path_info());
        let name = String::from_utf8_lossy(&wsgi::environ::collapse_slashes(name)).into_owned();
        if main_config(|main| main.settings.global.case_insensitive) {
            name.to_ascii_lowercase()
        } else {
            name
        }
    }

    fn variable(&self, name: &str) -> Option<String> {
        let key = std::ffi::CString::new(name).ok()?;
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        self.0
            .notes()
            .get(&key)
            .map(text)
            .or_else(|| self.0.environment().get(&key).map(text))
            .or_else(|| std::env::var(name).ok())
    }
}
