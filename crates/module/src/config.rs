//! What the configuration says, kept where httpd keeps it.

use std::sync::{Arc, OnceLock};

use httpd::{Command, Context, Directive, Override, Regex};
use wsgi::argument::ArgumentError;
use wsgi::catalogue::{DIRECTIVES, Scope};
use wsgi::plan::PythonFacts;
use wsgi::settings::{DirSettings, ServerSettings};

use crate::generation::Generation;

/// A directory's configuration.
pub(crate) type DirConfig = DirSettings;

/// A server's configuration.
#[derive(Clone, Default)]
pub(crate) struct ServerConfig {
    /// What its directives say.
    pub(crate) settings: ServerSettings,
    /// The compiled pattern of each alias that has one, by the alias's place.
    pub(crate) patterns: Vec<Option<Arc<Regex>>>,
    /// `WSGIProcessGroup` inside sections: the section's path and the value.
    pub(crate) section_groups: Vec<(String, String)>,
    /// Of the main server: what was found out and started for this configuration.
    pub(crate) runtime: Arc<Runtime>,
}

/// What becomes known once the configuration is read.
#[derive(Default)]
pub(crate) struct Runtime {
    /// The Python of embedded mode, or why there is none. Set when the configuration was checked.
    pub(crate) embedded: OnceLock<Result<PythonFacts, String>>,
    /// Set when the log says that another module has started Python in httpd's parent.
    pub(crate) company: OnceLock<()>,
    /// The process groups of this configuration. Set when it comes into use.
    pub(crate) generation: OnceLock<Generation>,
}

/// How many directives there are.
pub(crate) const COUNT: usize = DIRECTIVES.len();

/// The catalogue in httpd's terms.
pub(crate) const fn commands() -> [Directive; COUNT] {
    const NOWHERE: Context = Context { virtual_host: false, directory: false, htaccess: None };
    let mut commands = [Directive { name: c"", context: NOWHERE, usage: c"" }; COUNT];
    let mut place = 0;
    while place < COUNT {
        let directive = &DIRECTIVES[place];
        let htaccess = match directive.allowed.htaccess {
            None => None,
            Some(wsgi::catalogue::Override::FileInfo) => Some(Override::FileInfo),
            Some(wsgi::catalogue::Override::AuthConfig) => Some(Override::AuthConfig),
        };
        commands[place] = Directive {
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
) -> Result<(), String> {
    let directive = DIRECTIVES.get(which).ok_or("httpd met a directive that does not exist")?;
    let name = directive.name.to_string_lossy();
    if command.in_virtual_host() && !directive.allowed.virtual_host {
        return Err(format!(
            "{name} cannot occur within <VirtualHost>; it holds for the whole server and belongs \
             into its main configuration"
        ));
    }
    let mut scope = Scope { server: &mut server.settings, dir, place: command.place() };
    (directive.apply)(arguments, &mut scope).map_err(|error| with_usage(which, &error))?;
    if let (Some(section), Some(group)) = (command.section(), &dir.process_group)
        && directive.name == c"WSGIProcessGroup"
    {
        server.section_groups.push((section, group.to_string()));
    }
    compile_patterns(command, server).map_err(|error| with_usage(which, &error))
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
