//! `_mod_wsgi.abi3.so`: the engine, packed as a library for whatever Python loads it.
//!
//! Two ways lead in. A worker's Python imports it and calls `serve()`, which does not return
//! (`entry`, `start`). An httpd child that needs embedded mode loads it behind libpython and calls
//! the C entry (`sys/exports`, `embedded`). It links no Python: it takes the symbols of the
//! interpreter that is there.
//!
//! - `start` reads the task that `wsgid` has given, and becomes a `worker`, a `template` first, or
//!   a `service`;
//! - `worker`: the main thread and what it watches (`monitor`, `in_flight`, `shutdown`, `signals`,
//!   `stacks`), the request threads and how they take and serve requests (`request_thread`,
//!   `levels`, `handler`, `connection`);
//! - `template`: what is loaded, warmed up and prepared for sharing before workers are forked;
//! - `queue`, `control_socket`, `log`, `imports`, `synthetic_request`: what several of them need;
//! - `sys`: all unsafe code.

mod clock;
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
