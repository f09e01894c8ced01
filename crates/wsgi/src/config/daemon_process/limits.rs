//! Limits on the resources of a group's processes.

use serde::{Deserialize, Serialize};

/// Limits on the resources of each process of a group; 0 means that there is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Requests after which it is replaced.
    pub maximum_requests: u64,
    /// Seconds of processor time after which it is replaced.
    pub cpu_time: u64,
    /// Nice value; `None` leaves what there is.
    pub cpu_priority: Option<i32>,
    /// Bytes of data (`RLIMIT_DATA`).
    pub memory: u64,
    /// Bytes of address space (`RLIMIT_AS`).
    pub virtual_memory: u64,
}
