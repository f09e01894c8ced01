//! The rules of hosting WSGI applications under Apache, as plain data and functions.
//!
//! Everything here can be decided without a server, an interpreter, a clock or a file: what a
//! directive means, what a frame between an Apache child and a worker looks like, which environ an
//! application sees, which header it may send. The crates on both sides of the door build on it.
//!
//! From the lowest floor up:
//!
//! - [`durations`], [`header`], [`level`], [`lock`], [`printable`], [`time_zone`]: small things
//!   that all others use;
//! - [`codes`]: every message at warning or above, with its number;
//! - [`protocol`]: what httpd's children, workers and the engine say to each other, as bytes:
//!   frames, the heads of requests and responses, questions of hooks, log lines, the queue's
//!   messages, the contract of embedded mode;
//! - [`config`]: directives and options, their parsers, and what their values mean;
//! - [`process`]: the plan that `wsgid` gets, control messages, the watchdog of a worker, levels,
//!   `smaps`;
//! - [`environ`]: the environ of a request, as far as it is text, and what proxies may say in it.
#![forbid(unsafe_code)]

pub mod codes;
pub mod config;
pub mod durations;
pub mod environ;
pub mod header;
pub mod level;
pub mod lock;
pub mod printable;
pub mod process;
pub mod protocol;
pub mod time_zone;
