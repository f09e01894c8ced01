//! `wsgid` from httpd's side: starting it, and asking it to look at files and Pythons.

pub(crate) mod client;
pub(crate) mod findings;
pub(crate) mod lifeline;
