//! A server that runs and has been warmed up, ready to be measured again and again.

use std::time::Duration;

use anyhow::Result;

use super::clients::{Order, Traffic, run};
use super::contender::Contender;
use super::cost::Cost;
use super::schedule::Pace;
use super::workload::Workload;
use crate::server::Server;

/// The server, and the requests that it gets.
#[derive(Debug)]
pub(super) struct Runner {
    pub(super) contender: Contender,
    pub(super) server: Server,
    order: Order,
    connections: usize,
}

impl Runner {
    /// Looks at some answers, and has the server serve for so long: applications are loaded then,
    /// and threads are there.
    pub(super) fn warm_up(
        contender: Contender,
        server: Server,
        workload: Workload,
        length: Duration,
    ) -> Result<Self> {
        let order = workload.order(server.address())?;
        let mut runner = Self { contender, server, order, connections: workload.connections };
        runner.measure(Pace::Closed, length)?;
        Ok(runner)
    }

    /// Sends requests for so long; gives what the clients saw, and the cost of it all.
    pub(super) fn measure(&mut self, pace: Pace, length: Duration) -> Result<(Traffic, Cost)> {
        let pids = self.server.all_pids();
        let before = Cost::of(&pids);
        let traffic = run(self.server.address(), &self.order, self.connections, pace, length)?;
        Ok((traffic, Cost::of(&pids) - before))
    }
}
