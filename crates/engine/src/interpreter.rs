//! The parts that an interpreter has before an application is loaded: streams, path, signals, the
//! module `mod_wsgi`.

pub(crate) mod fork_notice;
pub(crate) mod log_handler;
pub(crate) mod module;
pub(crate) mod path;
pub(crate) mod setup;
pub(crate) mod signal;
pub(crate) mod streams;
