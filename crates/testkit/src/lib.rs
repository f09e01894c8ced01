//! A real httpd for tests: started on a free port, asked over HTTP, watched in its log, and checked
//! when it ends.
//!
//! ```no_run
//! use testkit::{Httpd, Mode};
//!
//! let httpd = Httpd::new("environ").app("environ.wsgi").mode(Mode::Daemon).start();
//! let reply = httpd.get("/info").header("X-A", "b").send();
//! assert_eq!(reply.status, 200, "{}", reply.text());
//! // Dropped here: httpd is stopped, no process and no socket may be left, and a log line at level
//! // warn or above that was not announced with `expect_log` fails the test.
//! ```
//!
//! It knows the other crates only by the files that they build, and depends on none of them. Which
//! httpd, MPM, Python and `dist` folder are used comes from the environment, see [`installation`].
#![forbid(unsafe_code)]

mod client;
mod fault;
mod httpd;
pub mod installation;
pub mod load;
mod log;
mod port;
mod tree;
mod wait;

pub use client::{Call, ClientError, Connection, Interim, Reply};
pub use fault::Fault;
pub use httpd::{Checked, Httpd, Mode, Setup};
pub use installation::Mpm;
pub use log::{Level, Line};
pub use nix::sys::signal::Signal;
pub use port::free as free_address;
pub use tree::{Kind, Memory, Process, Tree};
pub use wait::{LIMIT, wait_until, wait_until_within};

/// Runs each test embedded and as daemon: `fn name(mode) { … }` becomes `name::embedded` and
/// `name::daemon`.
#[macro_export]
macro_rules! both_modes {
    ($($(#[$attribute:meta])* fn $name:ident($mode:ident) $body:block)+) => {$(
        mod $name {
            // A body that names nothing from around it leaves this unused, most use it.
            #[allow(unused_imports, reason = "depends on the body of the test")]
            use super::*;

            $(#[$attribute])*
            fn check($mode: $crate::Mode) $body

            #[test]
            fn embedded() {
                check($crate::Mode::Embedded);
            }

            #[test]
            fn daemon() {
                check($crate::Mode::Daemon);
            }
        }
    )+};
}
