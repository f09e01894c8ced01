//! A worker: a process of a process group that serves requests.

pub(crate) mod connection;
pub(crate) mod handler;
pub(crate) mod idle;
pub(crate) mod in_flight;
pub(crate) mod levels;
pub(crate) mod main_thread;
pub(crate) mod monitor;
pub(crate) mod receive;
pub(crate) mod recycling;
pub(crate) mod request_body;
pub(crate) mod request_thread;
pub(crate) mod shared;
pub(crate) mod shutdown;
pub(crate) mod signals;
pub(crate) mod stacks;
