//! How a thread attaches to an interpreter, and what proves that it is attached.

pub(crate) mod attached;
pub(crate) mod gil_state;
pub(crate) mod thread_state;
