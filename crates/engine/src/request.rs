//! A request while Python code may use it, and when its parts happened.

pub(crate) mod body;
pub(crate) mod current;
pub(crate) mod error_lines;
pub(crate) mod lease;
pub(crate) mod meter;
pub(crate) mod response;
pub(crate) mod stack_log;
pub(crate) mod timing;
