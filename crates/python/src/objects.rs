//! References to Python objects, and what can be done with them.

pub(crate) mod bytes_buffer;
pub(crate) mod capsule;
pub(crate) mod error;
pub(crate) mod name;
pub(crate) mod object;
pub(crate) mod source;
pub(crate) mod value;
