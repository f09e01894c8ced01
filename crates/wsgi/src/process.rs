//! The messages between httpd's parent, `wsgid`, templates and workers, and the decisions of each.

pub mod control;
pub mod lead;
pub mod levels;
pub mod plan;
pub mod smaps;
pub mod watchdog;
