//! The objects that Python can call: classes, functions and modules in Rust.

pub(crate) mod arguments;
pub(crate) mod class;
pub(crate) mod function;
pub mod module;
pub(crate) mod trampoline;
