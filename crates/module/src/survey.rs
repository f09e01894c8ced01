//! Which script the configuration sends where, as far as that can be told before there are requests.

use httpd::Server;
use wsgi::alias::Alias;

use crate::Wsgi;
use crate::config::Section;

/// What an alias leads to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mapping<'s> {
    /// The server whose requests it gets.
    pub(crate) server: Server<'s>,
    pub(crate) alias: &'s Alias,
    /// The process group as it is written; `None` where nothing is.
    pub(crate) process_group: Option<&'s str>,
    /// The application group as it is written; `None` where nothing is.
    pub(crate) application_group: Option<&'s str>,
}

impl Mapping<'_> {
    /// Whether the target is one script.
    pub(crate) fn is_script(&self) -> bool {
        !self.alias.is_pattern && !self.alias.target.ends_with('/')
    }

    /// The name of the process group, empty for embedded mode; `None` if requests decide it.
    pub(crate) fn group(&self) -> Option<&str> {
        match self.process_group {
            None | Some("%{GLOBAL}") => Some(""),
            Some(group) if group.starts_with('%') => None,
            Some(group) => Some(group),
        }
    }
}

/// What all aliases lead to, server by server. A virtual host has those of the main server, too, which
/// come behind its own.
pub(crate) fn mappings(main: Server<'_>) -> Vec<Mapping<'_>> {
    main.and_following().flat_map(|server| of_server(server, main)).collect()
}

/// What the aliases lead to that the requests of a server meet.
pub(crate) fn of_server<'s>(server: Server<'s>, main: Server<'s>) -> Vec<Mapping<'s>> {
    let sections = sections(server, main);
    let defaults = server.dir_defaults::<Wsgi>();
    let mut aliases: Vec<&Alias> = server.config::<Wsgi>().settings.aliases.iter().collect();
    if speaks_beside(server, main) {
        aliases.extend(&main.config::<Wsgi>().settings.aliases);
    }
    let mapping = |alias: &'s Alias| {
        let inner = |of: fn(&Section) -> Option<&str>| {
            sections.iter().rev().filter(|section| section.covers(alias)).find_map(|one| of(one))
        };
        Mapping {
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
    pub(crate) fn covers(&self, alias: &Alias) -> bool {
        let section = self.path.trim_end_matches('/');
        let inside = |path: &str| {
            path.strip_prefix(section).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        inside(&alias.target) || inside(&alias.url)
    }
}
