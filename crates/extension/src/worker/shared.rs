//! The objects that the threads of a worker share.

use std::sync::Arc;
use std::time::Duration;

use engine::Engine;
use wsgi::process::control::{Cause, WorkerMessage};
use wsgi::process::plan::WorkerSpec;

use crate::control_socket::ControlSocket;
use crate::log::ProcessLog;
use crate::queue::Queue;
use crate::worker::idle::Idle;
use crate::worker::in_flight::InFlight;
use crate::worker::levels::Levels;
use crate::worker::recycling::Recycling;
use crate::worker::shutdown::Shutdown;

/// The objects that the threads of a worker share.
pub(crate) struct Shared {
    pub(crate) spec: WorkerSpec,
    pub(crate) log: Arc<ProcessLog>,
    pub(crate) engine: Arc<Engine>,
    pub(crate) shutdown: Shutdown,
    pub(crate) requests: Arc<InFlight>,
    pub(crate) queue: Queue,
    /// Where threads wait for what comes into the queue.
    pub(crate) levels: Levels,
    pub(crate) control: ControlSocket,
    pub(crate) recycling: Option<Recycling>,
    /// When there is nothing to do for so long that the process may not be needed.
    pub(crate) idle: Idle,
}

impl Shared {
    /// Tells `wsgid` something. If it is gone, the main thread notices.
    pub(crate) fn tell(&self, message: WorkerMessage) {
        let _ = self.control.send(message);
    }

    /// Whether the process has too much memory.
    pub(super) fn large(&self) -> Option<Cause> {
        let is_large = self.recycling.as_ref().is_some_and(Recycling::was_reached);
        is_large.then_some(Cause::Memory)
    }

    /// How long the main thread may sleep. Tells `wsgid` when the worker has had nothing to do for
    /// as long as the group allows.
    pub(super) fn idle_limit(&self) -> Option<Duration> {
        let limit = self.idle.limit()?;
        Some(self.requests.idle_for(limit).unwrap_or_else(|| {
            self.tell(WorkerMessage::Idle);
            limit
        }))
    }
}
