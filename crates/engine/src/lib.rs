//! Runs WSGI applications: an [`Engine`] takes a request's facts and an [`exchange::Exchange`],
//! finds or makes the interpreter, loads the script, calls the application and sends what it
//! answers.
//!
//! It relies on `python` for everything that touches CPython and on `wsgi` for the rules. It knows
//! no socket and no httpd, and it never blocks while its thread is attached to an interpreter,
//! except inside of Python code.
//!
//! - `engine` holds the interpreters; it finds the one of a request (`engine/script` its script)
//!   and runs a `job`;
//! - `call` runs an application, `hook` asks a hook; `script` loads and reloads modules,
//!   `known_scripts` are those that requests were for, `preload` notes what was loaded before a
//!   fork;
//! - `request` is what belongs to one request: its lease, body, response, error log and timing;
//! - `objects` are the Python objects that it gets: environ, `wsgi.input`, `wsgi.errors`,
//!   `start_response`;
//! - `interpreter` sets an interpreter up before an application is loaded: path, streams, signals,
//!   the module `mod_wsgi`;
//! - `events` and `metrics` tell applications about requests; `control` reaches a request from
//!   outside.
#![forbid(unsafe_code)]

pub mod admission;
mod call;
mod clock;
mod control;
mod engine;
mod events;
pub mod exchange;
mod fault;
mod hook;
mod interpreter;
mod job;
mod known_scripts;
mod metrics;
mod objects;
mod preload;
mod records;
mod request;
mod script;
mod settings;
mod usage;

pub use control::Control;
pub use engine::{Engine, EngineError};
pub use settings::{ApacheFacts, ReadScoreboard, ServerLog, Settings};

/// The version of mod_wsgi whose behaviour applications find here.
pub const MOD_WSGI_VERSION: (u32, u32, u32) = (6, 0, 5);
