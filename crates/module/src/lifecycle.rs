//! The process groups of a configuration from its start to its end.

pub(crate) mod generation;
pub(crate) mod queue;
pub(crate) mod route;
