//! The rules of hosting WSGI applications under Apache, as plain data and functions.
//!
//! Everything here can be decided without a server, an interpreter, a clock or a file: what a
//! directive means, what a frame between an Apache child and a worker looks like, which environ an
//! application sees, which header it may send. The crates on both sides of the door build on it.
#![forbid(unsafe_code)]

pub mod access_sections;
pub mod alias;
pub mod argument;
pub mod catalogue;
pub mod category;
pub mod control;
pub mod daemon;
pub mod embed;
pub mod environ;
pub mod frame;
pub mod group_name;
pub mod hook;
pub mod inbox;
pub mod interpreter_rules;
pub mod lead;
pub mod level;
pub mod levels;
pub mod log_line;
pub mod memory;
pub mod plan;
pub mod printable;
pub mod proxy;
pub mod queue;
pub mod reference;
pub mod request;
pub mod response;
pub mod scoreboard;
pub mod script_path;
pub mod settings;
pub mod time_zone;
pub mod watchdog;
pub mod wire;
pub mod words;
