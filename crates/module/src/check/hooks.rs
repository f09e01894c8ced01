//! What is wrong with the hooks of a configuration, found when it was read.

use httpd::Server;
use wsgi::protocol::hook::PlacedHook;

use crate::Wsgi;
use crate::config::servers::{GroupDefinition, server_name, servers_with_own_config};

/// The hooks of a configuration, each with the server that it stands in.
fn hooks(main: Server<'_>) -> impl Iterator<Item = (Server<'_>, &PlacedHook)> {
    servers_with_own_config(main).flat_map(|server| {
        server.config::<Wsgi>().settings.hooks.iter().map(move |hook| (server, hook))
    })
}

/// Hooks that would be sent to a process group that does not exist or is out of reach.
pub(crate) fn problems(main: Server<'_>, definitions: &[GroupDefinition<'_>]) -> Vec<String> {
    let problem = |(server, hook): (Server<'_>, &PlacedHook)| {
        let group = hook.script.process_group.as_deref()?;
        let named = |definition: &&GroupDefinition<'_>| definition.spec.name == group;
        let Some(definition) = definitions.iter().find(named) else {
            return Some(format!(
                "{}: there is no process group {group:?}; define it with WSGIDaemonProcess {group:?}",
                at(hook)
            ));
        };
        if definition.spec.is_service() {
            return Some(format!(
                "{}: the process group {group:?} has no request threads (threads=0), and answers nothing; \
                 name another one",
                at(hook)
            ));
        }
        let owner = server_name(definition.server);
        let foreign =
            definition.server.is_virtual() && server.is_virtual() && owner != server_name(server);
        foreign.then(|| {
            format!(
                "{}: the process group {group:?} belongs to the virtual host {owner:?}; define it in the \
                 main server to use it from others",
                at(hook)
            )
        })
    };
    hooks(main).filter_map(problem).collect()
}

/// What will not work if httpd's children cannot load Python: the hooks that are not delegated.
pub(crate) fn need_python(main: Server<'_>, reason: &str) -> Vec<String> {
    let problem = |hook| {
        format!(
            "{hook}: httpd's children cannot ask it, since {reason}; name a process group with \
             process-group="
        )
    };
    in_children(main).map(problem).collect()
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
