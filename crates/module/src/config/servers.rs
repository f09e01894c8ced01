//! The servers of a configuration, and the process groups that they define.

use httpd::{Server, main_server};
use wsgi::config::daemon_process::GroupSpec;
use wsgi::config::group_name::with_port;

use crate::Wsgi;
use crate::config::store::ServerConfig;

/// The main server's configuration, lent to `with`.
///
/// # Panics
/// If there is no configuration, which is not so while a hook runs.
pub(crate) fn main_config<R>(with: impl FnOnce(&ServerConfig) -> R) -> R {
    main_server(|server| with(server.config::<Wsgi>())).expect("a hook runs on a configuration")
}

/// The name of a server as it counts for who may reach a group.
pub(crate) fn server_name(server: Server<'_>) -> String {
    String::from_utf8_lossy(server.name().unwrap_or_default()).into_owned()
}

/// `ServerName`, with its port unless that is the usual one.
pub(crate) fn server_with_port(server: Server<'_>, port: u16) -> String {
    with_port(&server_name(server), port)
}

/// A group that the configuration defines, with the server that it stands in.
pub(crate) struct GroupDefinition<'s> {
    pub(crate) spec: &'s GroupSpec,
    pub(crate) place: String,
    pub(crate) server: Server<'s>,
}

impl GroupDefinition<'_> {
    /// Name of the virtual host that the group belongs to; `None` where the main server defines it.
    pub(crate) fn owner(&self) -> Option<String> {
        self.server.is_virtual().then(|| server_name(self.server))
    }
}

/// Whether requests to `server`, and what its configuration says, may use a process group that
/// belongs to `owner`: a virtual host's own are for itself and the main server, the main server's
/// are for all.
pub(crate) fn may_use(server: Server<'_>, owner: Option<&str>) -> bool {
    owner.is_none_or(|owner| !server.is_virtual() || server_name(server) == owner)
}

/// The servers that have something to say themselves. httpd gives a virtual host without any
/// directive of this module the very configuration of the main server.
pub(crate) fn servers_with_own_config(main: Server<'_>) -> impl Iterator<Item = Server<'_>> {
    let of_main = main.config::<Wsgi>();
    main.and_following()
        .filter(move |one| !one.is_virtual() || !std::ptr::eq(one.config::<Wsgi>(), of_main))
}

/// All groups of the configuration, in the order of their definition.
pub(crate) fn definitions(main: Server<'_>) -> Vec<GroupDefinition<'_>> {
    servers_with_own_config(main)
        .flat_map(|server| {
            server.config::<Wsgi>().settings.groups.iter().map(move |group| GroupDefinition {
                spec: &group.spec,
                place: format!("{}:{}", group.place.0, group.place.1),
                server,
            })
        })
        .collect()
}
