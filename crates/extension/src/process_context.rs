//! The objects that a process of a group has from its beginning, as a template or a worker.

use std::sync::Arc;

use engine::Engine;
use wsgi::process::plan::WorkerSpec;

use crate::control_socket::ControlSocket;
use crate::log::ProcessLog;
use crate::queue::Queue;

/// The objects that a process of a group has from its beginning.
pub(crate) struct ProcessContext {
    pub(crate) spec: WorkerSpec,
    pub(crate) log: Arc<ProcessLog>,
    pub(crate) engine: Arc<Engine>,
    /// Where requests wait.
    pub(crate) queue: Queue,
    pub(crate) control: ControlSocket,
    /// `wsgid`, which is the parent.
    pub(crate) supervisor: u32,
}
