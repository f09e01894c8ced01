//! Which script the configuration sends where, as far as that can be told before there are
//! requests.

use httpd::Server;
use wsgi::config::alias::Alias;
use wsgi::config::script_path::resolved;
use wsgi::process::lead::Lead;

use crate::Wsgi;
use crate::config::leads::leads;
use crate::config::store::Section;

/// A script that an alias leads to, as httpd resolves it when a request comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ScriptPattern {
    /// Its path.
    pub(crate) path: String,
    /// The part of the target behind it: the beginning of `PATH_INFO`.
    pub(crate) path_info: String,
}

impl ScriptPattern {
    /// The script that a target names; `None` if it is a directory, or only requests can tell.
    fn of(alias: &Alias, lead: Option<Lead>) -> Option<Self> {
        if alias.is_pattern {
            return None;
        }
        let path = resolved(&alias.target);
        match lead? {
            Lead::File(end) => {
                let (path, path_info) = path.split_at_checked(end)?;
                Some(Self { path: path.to_owned(), path_info: path_info.to_owned() })
            }
            // It may come later.
            Lead::Nothing if !path.ends_with('/') => Some(Self { path, path_info: String::new() }),
            Lead::Nothing | Lead::Directory => None,
        }
    }
}

/// The target of an alias.
#[derive(Clone, Debug)]
pub(crate) struct ScriptMapping<'s> {
    /// The server whose requests it gets.
    pub(crate) server: Server<'s>,
    pub(crate) alias: &'s Alias,
    /// The script that it leads to, if it is one.
    pub(crate) script: Option<ScriptPattern>,
    /// Whether it leads to a directory, as far as that can be told.
    pub(crate) is_directory: bool,
    /// The process group as it is written; `None` where nothing is.
    pub(crate) process_group: Option<&'s str>,
    /// The application group as it is written; `None` where nothing is.
    pub(crate) application_group: Option<&'s str>,
}

impl ScriptMapping<'_> {
    /// The name of the process group, empty for embedded mode; `None` if requests decide it.
    pub(crate) fn group(&self) -> Option<&str> {
        match self.process_group {
            None | Some("%{GLOBAL}") => Some(""),
            Some(group) if group.starts_with('%') => None,
            Some(group) => Some(group),
        }
    }
}

/// The targets of all aliases, server by server. A virtual host has those of the main server, too,
/// which come behind its own.
pub(crate) fn mappings(main: Server<'_>) -> Vec<ScriptMapping<'_>> {
    main.and_following().flat_map(|server| of_server(server, main)).collect()
}

/// The targets of the aliases that the requests of a server meet.
pub(crate) fn of_server<'s>(server: Server<'s>, main: Server<'s>) -> Vec<ScriptMapping<'s>> {
    let (sections, leads) = (sections(server, main), leads(main));
    let defaults = server.dir_defaults::<Wsgi>();
    let mut aliases: Vec<&Alias> = server.config::<Wsgi>().settings.aliases.iter().collect();
    if speaks_beside(server, main) {
        aliases.extend(&main.config::<Wsgi>().settings.aliases);
    }
    let mapping = |alias: &'s Alias| {
        let lead = leads.of(alias);
        let script = ScriptPattern::of(alias, lead);
        let inner = |of: fn(&Section) -> Option<&str>| {
            let covers = |section: &&&Section| section.covers(alias, script.as_ref());
            sections.iter().rev().filter(covers).find_map(|one| of(one))
        };
        ScriptMapping {
            server,
            alias,
            process_group: alias
                .options
                .process_group
                .as_deref()
                .or_else(|| inner(|section| section.process_group.as_deref()))
                .or(defaults.process_group.as_deref()),
            application_group: alias
                .options
                .application_group
                .as_deref()
                .or_else(|| inner(|section| section.application_group.as_deref()))
                .or(defaults.application_group.as_deref()),
            script,
            is_directory: lead == Some(Lead::Directory),
        }
    };
    aliases.into_iter().map(mapping).collect()
}

/// The sections that hold for a server's requests, in the order of their weight.
pub(crate) fn sections<'s>(server: Server<'s>, main: Server<'s>) -> Vec<&'s Section> {
    let own = &server.config::<Wsgi>().sections;
    let outer: &[Section] =
        if speaks_beside(server, main) { &main.config::<Wsgi>().sections } else { &[] };
    outer.iter().chain(own).collect()
}

/// Whether a server has a configuration of its own beside that of the main server.
fn speaks_beside(server: Server<'_>, main: Server<'_>) -> bool {
    !std::ptr::eq(server.config::<Wsgi>(), main.config::<Wsgi>())
}

impl Section {
    /// Whether a script that an alias leads to, or the alias itself, lies in it.
    pub(crate) fn covers(&self, alias: &Alias, script: Option<&ScriptPattern>) -> bool {
        let section = self.path.trim_end_matches('/');
        let inside = |path: &str| {
            path.strip_prefix(section).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let target = script.map_or_else(|| resolved(&alias.target), |one| one.path.clone());
        inside(&target) || inside(&alias.url)
    }
}
