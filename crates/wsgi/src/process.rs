//! What httpd's parent, `wsgid`, templates and workers tell each other, and what they decide by themselves.

pub mod control;
pub mod lead;
pub mod levels;
pub mod plan;
pub mod smaps;
pub mod watchdog;
