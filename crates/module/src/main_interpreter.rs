//! Which script is alone in its process group.
//!
//! Extension modules such as NumPy, and everything built on PyO3, work in the main interpreter only.
//! So a script that is the only one of its group runs there, unless the configuration names an
//! application group (design.md, "Which interpreter").

use std::collections::{BTreeSet, HashMap};

use httpd::Server;
use wsgi::alias::Alias;

use crate::Wsgi;

/// The scripts of each group, as far as the configuration tells; `None` for a group that anything
/// may be sent to.
type Scripts = HashMap<String, Option<BTreeSet<String>>>;

/// For each group that has just one script, the script.
pub(crate) fn only_scripts(main: Server<'_>) -> HashMap<String, String> {
    let mut scripts = Scripts::new();
    let servers: Vec<Server<'_>> = main.and_following().collect();
    for server in &servers {
        if !collect(*server, main, &mut scripts) {
            // A group is chosen while requests run; any script may end up anywhere.
            return HashMap::new();
        }
    }
    let only = |(group, scripts): (String, Option<BTreeSet<String>>)| {
        let scripts = scripts?;
        (scripts.len() == 1).then(|| Some((group, scripts.into_iter().next()?)))?
    };
    scripts.into_iter().filter_map(only).collect()
}

/// Adds what a server sends where; false if that cannot be told beforehand.
fn collect(server: Server<'_>, main: Server<'_>, scripts: &mut Scripts) -> bool {
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
            return false;
        }
        add(scripts, group, alias);
    }
    // A section without an alias in it gets its scripts by handler: any number of them.
    for (section, group) in sections {
        if group.starts_with('%') && group != "%{GLOBAL}" {
            return false;
        }
        if !aliases.iter().any(|alias| covers(section, alias)) {
            scripts.insert(group.clone(), None);
        }
    }
    true
}

fn covers(section: &str, alias: &Alias) -> bool {
    let section = section.trim_end_matches('/');
    let inside = |path: &str| {
        path.strip_prefix(section).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    inside(&alias.target) || inside(&alias.url)
}

fn add(scripts: &mut Scripts, group: &str, alias: &Alias) {
    let many = alias.is_pattern || alias.target.ends_with('/');
    let entry = scripts.entry(group.to_owned()).or_insert_with(|| Some(BTreeSet::new()));
    if many {
        *entry = None;
    } else if let Some(known) = entry {
        known.insert(alias.target.clone());
    }
}
