//! What the processes of a group may use.

use serde::{Deserialize, Serialize};

/// What each process of a group may use; 0 means that there is no limit.
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
