//! What templates do so that workers share their memory.

pub(crate) mod busy_code;
pub(crate) mod free_blocks;
pub(crate) mod immortal;
