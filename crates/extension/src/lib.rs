//! `_mod_wsgi.abi3.so`: the engine, packed as a library for whatever Python loads it.
//!
//! Two ways lead in. A worker's Python imports it and calls `serve()`, which does not return
//! (`start`). An httpd child that needs embedded mode loads it behind libpython and calls the C entry
//! (`embedded`). It links no Python: it takes the symbols of the interpreter that is there.

mod control_socket;
mod embedded;
mod engine_settings;
mod entry;
mod imports;
mod log;
mod panics;
mod process_context;
mod queue;
mod rlimits;
mod service;
mod start;
mod synthetic_request;
mod sys;
mod template;
mod thread_stack;
mod worker;
