//! The problems with the hooks of a configuration, found when it was read.

use httpd::Server;
use wsgi::codes::{self, Message};
use wsgi::config::hook_script::PlacedHook;

use crate::Wsgi;
use crate::check::groups;
use crate::config::servers::{GroupDefinition, servers_with_own_config};

/// The hooks of a configuration, each with the server that it stands in.
fn hooks(main: Server<'_>) -> impl Iterator<Item = (Server<'_>, &PlacedHook)> {
    servers_with_own_config(main).flat_map(|server| {
        server.config::<Wsgi>().settings.hooks.iter().map(move |hook| (server, hook))
    })
}

/// Hooks that would be sent to a process group that does not exist or is out of reach.
pub(crate) fn problems(main: Server<'_>, definitions: &[GroupDefinition<'_>]) -> Vec<Message> {
    let problem = |(server, hook): (Server<'_>, &PlacedHook)| {
        let group = hook.script.process_group.as_deref()?;
        match groups::find(definitions, server, group) {
            Err(problem) => Some(problem.within(&at(hook))),
            Ok(definition) if definition.spec.is_service() => {
                Some(codes::hook_without_threads(group).within(&at(hook)))
            }
            Ok(_) => None,
        }
    };
    hooks(main).filter_map(problem).collect()
}

/// The problems if httpd's children cannot load Python: the hooks that are not delegated.
pub(crate) fn need_python(main: Server<'_>, reason: &str) -> Vec<Message> {
    in_children(main).map(|hook| codes::hook_needs_python(&reason).within(&hook)).collect()
}

/// The hooks that are asked in httpd's children, by directive, script and place.
pub(crate) fn in_children(main: Server<'_>) -> impl Iterator<Item = String> {
    let here = hooks(main).filter(|(_, hook)| hook.script.process_group.is_none());
    here.map(|(_, hook)| at(hook))
}

fn at(hook: &PlacedHook) -> String {
    let (file, line) = &hook.place;
    format!("{} {} ({file}:{line})", hook.directive, hook.script.path)
}
