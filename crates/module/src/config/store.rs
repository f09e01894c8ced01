//! The contents of the configuration, kept where httpd keeps it.

use core::ffi::CStr;
use std::sync::{Arc, OnceLock};

use httpd::{Command, CommandRecord, Context, Override, Read, Regex};
use wsgi::config::argument::ArgumentError;
use wsgi::config::directives::{DIRECTIVES, DirectiveScope};
use wsgi::config::settings::{DirSettings, ServerSettings};
use wsgi::process::plan::{PythonFacts, Report};

use crate::config::leads::Leads;
use crate::lifecycle::generation::Generation;

/// A directory's configuration.
pub(crate) type DirConfig = DirSettings;

/// A server's configuration.
#[derive(Clone, Default)]
pub(crate) struct ServerConfig {
    /// The settings from its directives.
    pub(crate) settings: ServerSettings,
    /// The compiled pattern of each alias that has one, by the alias's place.
    pub(crate) patterns: Vec<Option<Arc<Regex>>>,
    /// The sections' settings for groups.
    pub(crate) sections: Vec<Section>,
    /// Of the main server: what was found out and started for this configuration.
    pub(crate) runtime: Arc<Runtime>,
}

/// The settings for groups of a section such as `<Directory>` or `<Location>`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Section {
    /// Its path.
    pub(crate) path: String,
    /// `WSGIProcessGroup`.
    pub(crate) process_group: Option<String>,
    /// `WSGIApplicationGroup`.
    pub(crate) application_group: Option<String>,
}

/// Facts that become known once the configuration is read.
#[derive(Default)]
pub(crate) struct Runtime {
    /// Where its paths lead. Set when that is asked first.
    pub(crate) leads: OnceLock<Arc<Leads>>,
    /// The Python of embedded mode, or why there is none. Set when the configuration was checked.
    pub(crate) embedded: OnceLock<Result<PythonFacts, String>>,
    /// The report of `wsgid check`. Set when the configuration was checked.
    pub(crate) report: OnceLock<Report>,
    /// Set when the log says that another module has started Python in httpd's parent.
    pub(crate) python_in_parent: OnceLock<()>,
    /// The process groups of this configuration. Set when it comes into use.
    pub(crate) generation: OnceLock<Generation>,
}

/// How many directives there are.
pub(crate) const COUNT: usize = DIRECTIVES.len();

/// The catalogue in httpd's terms.
pub(crate) const fn commands() -> [CommandRecord; COUNT] {
    const NOWHERE: Context = Context { virtual_host: false, directory: false, htaccess: None };
    let mut commands = [CommandRecord { name: c"", context: NOWHERE, usage: c"" }; COUNT];
    let mut place = 0;
    while place < COUNT {
        let directive = &DIRECTIVES[place];
        let htaccess = match directive.allowed.htaccess {
            None => None,
            Some(wsgi::config::directives::Override::FileInfo) => Some(Override::FileInfo),
            Some(wsgi::config::directives::Override::AuthConfig) => Some(Override::AuthConfig),
        };
        commands[place] = CommandRecord {
            name: directive.name,
            context: Context {
                virtual_host: directive.allowed.virtual_host,
                directory: directive.allowed.directory,
                htaccess,
            },
            usage: directive.arguments,
        };
        place += 1;
    }
    commands
}

/// Applies the directive at `which` of the catalogue.
pub(crate) fn directive(
    which: usize,
    arguments: &str,
    command: &Command<'_>,
    server: &mut ServerConfig,
    dir: &mut DirConfig,
) -> Result<Read, String> {
    let directive = DIRECTIVES.get(which).ok_or("httpd met a directive that does not exist")?;
    let name = directive.name.to_string_lossy();
    if command.in_virtual_host() && !directive.allowed.virtual_host {
        return Err(format!(
            "{name} cannot occur within <VirtualHost>; it holds for the whole server and belongs \
             into its main configuration"
        ));
    }
    if server.settings.global.in_block && !directive.allowed.interpreter_options {
        return Err(not_in_section(&name));
    }
    if directive.is_section()
        && let Some(stranger) = command.inside().iter().find(|name| !may_be_inside(name))
    {
        return Err(not_in_section(stranger));
    }
    let mut scope = DirectiveScope {
        server: &mut server.settings,
        dir,
        place: command.place(),
        in_htaccess: command.in_htaccess(),
    };
    (directive.apply)(arguments, &mut scope).map_err(|error| with_usage(which, &error))?;
    if let Some(path) = command.section() {
        note_section(server, path, directive.name, dir);
    }
    compile_patterns(command, server).map_err(|error| with_usage(which, &error))?;
    Ok(if directive.is_section() { Read::Section } else { Read::Done })
}

/// Keeps what a section says about groups, for what is to be known before there are requests.
fn note_section(server: &mut ServerConfig, path: String, directive: &CStr, dir: &DirConfig) {
    let text = |value: &Option<Arc<str>>| value.as_deref().map(str::to_owned);
    let said = if directive == c"WSGIProcessGroup" {
        Section { process_group: text(&dir.process_group), path, ..Section::default() }
    } else if directive == c"WSGIApplicationGroup" {
        Section { application_group: text(&dir.application_group), path, ..Section::default() }
    } else {
        return;
    };
    server.sections.push(said);
}

/// The section that was read is complete.
pub(crate) fn section_end(server: &mut ServerConfig) {
    server.settings.global.in_block = false;
}

fn may_be_inside(name: &str) -> bool {
    let is = |known: &wsgi::config::directives::Directive| {
        known.name.to_bytes().eq_ignore_ascii_case(name.as_bytes())
    };
    DIRECTIVES.iter().any(|known| is(known) && known.allowed.interpreter_options)
}

fn not_in_section(name: &str) -> String {
    format!(
        "{name} cannot occur within <WSGIInterpreterOptions>; what may stand there is \
         WSGIFreeThreading, WSGIPerInterpreterGIL, WSGIPythonPath, WSGIRestrictSignal, \
         WSGIRestrictStdin, WSGIRestrictStdout and WSGISwitchInterval"
    )
}

fn with_usage(which: usize, error: &ArgumentError) -> String {
    let directive = &DIRECTIVES[which];
    let (name, usage) = (directive.name.to_string_lossy(), directive.arguments.to_string_lossy());
    format!("{name}: {error} (usage: {name} {usage})")
}

/// Compiles the patterns of aliases that came in since the last time.
fn compile_patterns(command: &Command<'_>, server: &mut ServerConfig) -> Result<(), ArgumentError> {
    for alias in &server.settings.aliases[server.patterns.len()..] {
        let pattern = if alias.is_pattern {
            let pattern = command.regex(&alias.url);
            Some(Arc::new(pattern.ok_or_else(|| ArgumentError::Pattern(alias.url.clone()))?))
        } else {
            None
        };
        server.patterns.push(pattern);
    }
    Ok(())
}
