//! Which scripts run in which process group, and which of them is alone in its group.
//!
//! Extension modules such as NumPy, and everything built on PyO3, work in the main interpreter only.
//! So a script that is the only one of its group runs there, unless the configuration names an
//! application group (design.md, "Which interpreter").

use std::collections::HashMap;

use httpd::Server;
use wsgi::alias::Alias;

use crate::Wsgi;

/// A script that the configuration maps to a process group.
#[derive(Clone, Debug)]
pub(crate) struct Mapped<'s> {
    /// The alias that leads to it.
    pub(crate) alias: &'s Alias,
    /// The server whose requests it gets.
    pub(crate) server: Server<'s>,
}

/// The scripts of a group.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scripts<'s> {
    /// Those that are known.
    pub(crate) mapped: Vec<Mapped<'s>>,
    /// There may be others.
    pub(crate) open: bool,
}

impl Scripts<'_> {
    /// The script of a group that has just one.
    pub(crate) fn only(&self) -> Option<&str> {
        let first = self.mapped.first().filter(|_| !self.open)?.alias.target.as_str();
        self.mapped.iter().all(|one| one.alias.target == first).then_some(first)
    }
}

/// The scripts of each group; `None` if a group is chosen while requests run, so that any script may
/// end up anywhere.
pub(crate) fn scripts(main: Server<'_>) -> Option<HashMap<String, Scripts<'_>>> {
    let mut scripts = HashMap::new();
    main.and_following()
        .all(|server| collect(server, main, &mut scripts).is_some())
        .then_some(scripts)
}

/// Adds what a server sends where; `None` if that cannot be told beforehand.
fn collect<'s>(
    server: Server<'s>,
    main: Server<'s>,
    scripts: &mut HashMap<String, Scripts<'s>>,
) -> Option<()> {
    let config = server.config::<Wsgi>();
    let default = server.dir_defaults::<Wsgi>().process_group.as_deref();
    // A virtual host's requests meet its own aliases first, then those of the main server.
    let mut aliases: Vec<&Alias> = config.settings.aliases.iter().collect();
    if server.is_virtual() {
        aliases.extend(&main.config::<Wsgi>().settings.aliases);
    }
    let sections: Vec<&(String, String)> = if server.is_virtual() {
        config.section_groups.iter().chain(&main.config::<Wsgi>().section_groups).collect()
    } else {
        config.section_groups.iter().collect()
    };
    for alias in &aliases {
        let group = match &alias.options.process_group {
            Some(group) => Some(group.as_str()),
            None => sections
                .iter()
                .rev()
                .find(|(section, _)| covers(section, alias))
                .map(|(_, group)| group.as_str())
                .or(default),
        };
        let Some(group) = group.filter(|group| *group != "%{GLOBAL}") else { continue };
        if group.starts_with('%') {
            return None;
        }
        let entry = scripts.entry(group.to_owned()).or_default();
        if alias.is_pattern || alias.target.ends_with('/') {
            entry.open = true;
        } else {
            entry.mapped.push(Mapped { alias, server });
        }
    }
    // A section without an alias in it gets its scripts by handler: any number of them.
    for (section, group) in sections {
        if group.starts_with('%') && group != "%{GLOBAL}" {
            return None;
        }
        if !aliases.iter().any(|alias| covers(section, alias)) {
            scripts.entry(group.clone()).or_default().open = true;
        }
    }
    Some(())
}

fn covers(section: &str, alias: &Alias) -> bool {
    let section = section.trim_end_matches('/');
    let inside = |path: &str| {
        path.strip_prefix(section).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    inside(&alias.target) || inside(&alias.url)
}
