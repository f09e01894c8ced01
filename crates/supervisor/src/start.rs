//! The start of a process: which program, as which user, in which environment, and what becomes of
//! it.

pub(crate) mod birth;
pub(crate) mod credentials;
pub(crate) mod launch;
pub(crate) mod look;
pub(crate) mod obstacle;
pub(crate) mod probe;
pub(crate) mod program;
pub(crate) mod pythons;
pub(crate) mod versions;
pub(crate) mod word;
