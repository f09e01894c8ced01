//! Dormouse under a real httpd, seen from outside: one module per topic.
//!
//! Run by `cargo xtask test`, which says through the environment with which httpd, MPM, Python and
//! `dist` folder. Applications are in `tests/apps`, and list their endpoints.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "everything here is a test or helps one")]

mod access;
mod admission;
mod architecture;
mod authn;
mod authz;
mod bodies;
mod codes;
mod configuration;
mod daemon;
mod directives;
mod dispatch;
mod django;
mod dump;
mod embedded;
mod environ;
mod express;
mod extensions;
mod failed_requests;
mod files;
mod flask;
mod frames;
mod hanging_starts;
mod hanging_templates;
mod harness;
mod hooks;
mod hostile;
mod httpbin;
mod imports;
mod interpreters;
mod layout;
mod lazy_initialization;
mod leaks;
mod levels;
mod limits;
mod logs;
mod memory;
mod module;
mod privileges;
mod python_module;
mod pythons;
mod queue;
mod reliability;
mod reload;
mod restarts;
mod routing;
mod scaling;
mod script_paths;
mod silent_files;
mod silent_targets;
mod single_run;
mod slow_clients;
mod slow_pythons;
mod streams;
mod template;
mod valgrind;
mod validate;
