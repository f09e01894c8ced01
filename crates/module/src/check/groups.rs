//! Process groups that the configuration sends something to, and that it cannot reach.

use httpd::Server;
use wsgi::codes::{self, Message};

use crate::Wsgi;
use crate::config::servers::{GroupDefinition, may_use, server_name, servers_with_own_config};

/// The definition of a process group that something in the configuration of `server` is sent to, or
/// why that cannot be.
pub(super) fn find<'d, 's>(
    definitions: &'d [GroupDefinition<'s>],
    server: Server<'_>,
    group: &str,
) -> Result<&'d GroupDefinition<'s>, Message> {
    let named = |definition: &&GroupDefinition<'_>| definition.spec.name == group;
    let definition = definitions.iter().find(named).ok_or_else(|| codes::unknown_group(group))?;
    match definition.owner() {
        Some(owner) if !may_use(server, Some(&owner)) => {
            let context = format!("group defined at {}", definition.place);
            Err(codes::group_of_other_host(group, &owner).within(&context))
        }
        _ => Ok(definition),
    }
}

/// Process groups that scripts, imports and handler scripts are sent to, and that are not defined
/// or belong to another virtual host.
pub(super) fn unreachable(main: Server<'_>, definitions: &[GroupDefinition<'_>]) -> Vec<Message> {
    let mut problems = Vec::new();
    for server in servers_with_own_config(main) {
        let name = server_name(server);
        for (directive, group) in sent(server) {
            // Embedded mode, or a name that each request makes.
            if group.is_empty() || group.starts_with('%') {
                continue;
            }
            if let Err(problem) = find(definitions, server, group) {
                let context = format!("{directive}{group:?} (server {name:?})");
                problems.push(problem.within(&context));
            }
        }
    }
    problems.dedup();
    problems
}

/// The requests that the configuration of a server sends to process groups: the directive up to the
/// name of the group, and that name.
fn sent(server: Server<'_>) -> impl Iterator<Item = (&'static str, &str)> {
    let (config, dir) = (server.config::<Wsgi>(), server.dir_defaults::<Wsgi>());
    let sections = config.sections.iter().filter_map(|section| section.process_group.as_deref());
    let sections = dir.process_group.as_deref().into_iter().chain(sections);
    let aliases = config.settings.aliases.iter();
    let aliases = aliases.filter_map(|alias| alias.options.process_group.as_deref());
    let imports = config.settings.imports.iter().map(|import| &*import.process_group);
    let scripts = dir.handler_scripts.iter().flat_map(|all| &**all);
    let scripts = scripts.filter_map(|script| script.process_group.as_deref());
    sections
        .map(|group| ("WSGIProcessGroup ", group))
        .chain(aliases.map(|group| ("WSGIScriptAlias ... process-group=", group)))
        .chain(imports.map(|group| ("WSGIImportScript ... process-group=", group)))
        .chain(scripts.map(|group| ("WSGIHandlerScript ... process-group=", group)))
}
