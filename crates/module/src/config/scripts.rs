//! Which scripts run in which process group, and which of them is alone in its group.
//!
//! Extension modules such as NumPy, and everything built on PyO3, work in the main interpreter
//! only. So a script that is the only one of its group runs there, unless the configuration names
//! an application group (design.md, "Which interpreter").

use std::collections::HashMap;

use httpd::Server;

use crate::config::mappings::{ScriptMapping, mappings, of_server, sections};

/// The scripts of a group.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scripts<'s> {
    /// Those that are known.
    pub(crate) mapped: Vec<ScriptMapping<'s>>,
    /// There may be others.
    pub(crate) open: bool,
}

impl Scripts<'_> {
    /// The script of a group that has just one.
    pub(crate) fn only(&self) -> Option<&str> {
        let mut paths =
            self.mapped.iter().map(|one| one.script.as_ref().map(|it| it.path.as_str()));
        let first = paths.next().filter(|_| !self.open)??;
        paths.all(|path| path == Some(first)).then_some(first)
    }
}

/// The scripts of each group; `None` if a group is chosen while requests run, so that any script
/// may end up anywhere.
pub(crate) fn scripts(main: Server<'_>) -> Option<HashMap<String, Scripts<'_>>> {
    let mut scripts: HashMap<String, Scripts<'_>> = HashMap::new();
    for mapping in mappings(main) {
        let group = mapping.group()?.to_owned();
        if group.is_empty() {
            continue;
        }
        let entry = scripts.entry(group).or_default();
        if mapping.script.is_some() {
            entry.mapped.push(mapping);
        } else {
            entry.open = true;
        }
    }
    for server in main.and_following() {
        add_open_sections(server, main, &mut scripts)?;
    }
    Some(scripts)
}

/// A section without an alias in it gets its scripts by handler: any number of them.
fn add_open_sections<'s>(
    server: Server<'s>,
    main: Server<'s>,
    scripts: &mut HashMap<String, Scripts<'s>>,
) -> Option<()> {
    let aliases = of_server(server, main);
    for section in sections(server, main) {
        let Some(group) = &section.process_group else { continue };
        if group.starts_with('%') && group != "%{GLOBAL}" {
            return None;
        }
        if !aliases.iter().any(|mapping| section.covers(mapping.alias, mapping.script.as_ref())) {
            scripts.entry(group.clone()).or_default().open = true;
        }
    }
    Some(())
}
