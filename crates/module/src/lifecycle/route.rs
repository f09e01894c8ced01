//! The way from a child of httpd to a process group.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use wsgi::config::daemon_process::{SocketSpec, Timeouts};

use crate::config::script_owner::Owner;
use crate::lifecycle::queue::Queue;

/// A process group as an httpd child sees it.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    /// Where its requests wait for a worker.
    pub(crate) queue: Arc<Queue>,
    /// How many processes it has.
    pub(crate) processes: u32,
    /// Whether its applications may see what httpd's threads do.
    pub(crate) server_metrics: bool,
    /// How long things may take.
    pub(crate) timeouts: Timeouts,
    /// Options of the traffic between a child and its workers.
    pub(crate) buffers: SocketSpec,
    /// Root directory of its processes.
    pub(crate) root: Option<PathBuf>,
    /// The owner that scripts must have.
    pub(crate) script_owner: Option<Owner>,
    /// Name of the virtual host that defines it; requests for others do not reach it. `None` where
    /// the main server defines it, for all of them.
    pub(crate) owner: Option<String>,
    /// The only script that is mapped to the group, which then runs in the main interpreter.
    pub(crate) only_script: Option<String>,
}

/// All process groups by name.
pub(crate) type Routes = HashMap<String, Arc<Route>>;
