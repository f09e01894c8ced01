//! The rules of hosting WSGI applications under Apache, as plain data and functions.
//!
//! Everything here can be decided without a server, an interpreter, a clock or a file: what a
//! directive means, what a frame between an Apache child and a worker looks like, which environ an
//! application sees, which header it may send. The crates on both sides of the door build on it.
#![forbid(unsafe_code)]

pub mod codes;
pub mod config;
pub mod environ;
pub mod header;
pub mod level;
pub mod printable;
pub mod process;
pub mod protocol;
pub mod time_zone;
