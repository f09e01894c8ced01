//! A request in a child of httpd: where it runs, whether it may, and what of it travels.

pub(crate) mod access;
pub(crate) mod body;
pub(crate) mod dispatch;
pub(crate) mod environ;
pub(crate) mod file_part;
pub(crate) mod head;
pub(crate) mod rejection;
pub(crate) mod response;
pub(crate) mod spool;
pub(crate) mod target;
