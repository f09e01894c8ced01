//! The events that an application may subscribe to.

pub(crate) mod request_events;
pub(crate) mod subscribers;
