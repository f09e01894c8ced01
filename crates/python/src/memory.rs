//! The preparation of a template so that workers share its memory.

pub(crate) mod busy_code;
pub(crate) mod free_blocks;
pub(crate) mod immortal;
