//! Options of the traffic between httpd and a process group.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::durations::milliseconds;

use super::Principal;

/// The queue of a group, and what passes between httpd and its workers. Sizes are in bytes, and 0
/// means a default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocketSpec {
    /// Requests that may wait.
    pub backlog: u32,
    /// Accepted for compatibility, without effect: there is no socket with a name.
    pub user: Option<Principal>,
    /// The kernel's buffer for what a worker sends; 0 is the system's default.
    pub send_buffer: u64,
    /// The kernel's buffer for what a worker gets; 0 is the system's default.
    pub receive_buffer: u64,
    /// How much of a request's body httpd reads before it asks for a worker; 0 is
    /// [`DEFAULT_REQUEST_BUFFER`].
    pub request_buffer: u64,
    /// Longest header of a response; 0 is [`DEFAULT_HEADER_BUFFER`].
    pub header_buffer: u64,
    /// How much of a response httpd keeps for a slow client before a worker waits for it; 0 is
    /// [`DEFAULT_RESPONSE_BUFFER`].
    pub response_buffer: u64,
    /// How long httpd waits for more of a response before it sends what there is.
    #[serde(with = "milliseconds")]
    pub flush_delay: Duration,
    /// How many of the threads of a child of httpd, in percent, may wait for the group while it
    /// does not answer.
    pub wait_share: u32,
}

impl Default for SocketSpec {
    fn default() -> Self {
        Self {
            backlog: 100,
            user: None,
            send_buffer: 0,
            receive_buffer: 0,
            request_buffer: 0,
            header_buffer: 0,
            response_buffer: 0,
            flush_delay: Duration::from_millis(5),
            wait_share: 75,
        }
    }
}

/// Bytes of a request's body that are read before a worker is asked for, where the option is not
/// given.
pub const DEFAULT_REQUEST_BUFFER: u64 = 1 << 20;
/// Longest header of a response in bytes where the option is not given.
pub const DEFAULT_HEADER_BUFFER: u64 = 32 << 10;
/// Bytes of a response that are kept for a slow client where the option is not given. The frames of
/// a response of 8 MiB fit.
pub const DEFAULT_RESPONSE_BUFFER: u64 = 8 << 20;
