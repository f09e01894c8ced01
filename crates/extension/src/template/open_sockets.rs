//! Sockets that preloaded code has left open: all workers would speak on the same connection.

use std::fs;
use std::os::fd::{AsFd, AsRawFd, RawFd};

use nix::sys::socket::{SockaddrStorage, getpeername, getsockname};
use wsgi::codes::{self, Message};

use crate::process_context::ProcessContext;

/// A message about each socket of this process that is not one of its own.
pub(super) fn left_open(process: &ProcessContext) -> Vec<Message> {
    let own = [process.queue.as_fd().as_raw_fd(), process.control.as_fd().as_raw_fd()];
    let Ok(entries) = fs::read_dir("/proc/self/fd") else { return Vec::new() };
    let mut numbers: Vec<RawFd> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|number| *number > libc::STDERR_FILENO && !own.contains(number))
        .collect();
    numbers.sort_unstable();
    numbers.into_iter().filter_map(describe).collect()
}

/// `None` for what is no socket.
fn describe(number: RawFd) -> Option<Message> {
    let here = getsockname::<SockaddrStorage>(number).ok()?;
    let there = match getpeername::<SockaddrStorage>(number) {
        Ok(there) => format!("connected to {there}"),
        Err(_) => "not connected".to_owned(),
    };
    Some(codes::socket_left_open(number, &here, &there))
}
