//! `wsgid`: the supervisor of process groups.
//!
//! httpd's parent starts it once for each configuration, as mod_cgid starts its daemon. It holds
//! the groups' queues, starts their workers (each the group's own Python, under the group's own
//! user), replaces those that end, and ends with the last httpd process of its configuration. It
//! never loads Python itself.
//!
//! - `serve`: its one loop; `group`: a process group, with its workers (`stage`, `worker`),
//!   templates, demand, backoff, replacement and log;
//! - `start`: the start of a process: which program, as which user, and how far it is;
//! - `control_socket`, `queue`, `process`: a worker's socket, the group's queue, a process that is
//!   held by a pidfd;
//! - `check`, `leads`, `refusals`: what `wsgid check`, `wsgid leads` and `wsgid refuse` do, each a
//!   process of its own;
//! - `sys`: all unsafe code.

mod check;
mod control_socket;
mod group;
mod leads;
mod log;
mod process;
mod queue;
mod refusals;
mod serve;
mod start;
mod sys;

use std::io::Read;
use std::process::ExitCode;

use wsgi::codes;
use wsgi::process::plan::Plan;

/// Exit status for a command line or a plan that makes no sense: nothing a restart could mend.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let command = std::env::args().nth(1).unwrap_or_default();
    if command == refusals::COMMAND {
        return refusals::run();
    }
    let act: fn(&str) -> Result<ExitCode, serde_json::Error> = match command.as_str() {
        "serve" => |text| Ok(serve::run(&serde_json::from_str::<Plan>(text)?)),
        "check" => |text| Ok(check::run(&serde_json::from_str::<Plan>(text)?)),
        "leads" => |text| Ok(leads::run(serde_json::from_str(text)?)),
        _ => {
            eprintln!("wsgid is started by httpd's mod_wsgi.so; it has no use of its own.");
            return ExitCode::from(USAGE);
        }
    };
    let mut text = String::new();
    let status = std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|error| error.to_string())
        .and_then(|_| act(&text).map_err(|error| error.to_string()));
    match status {
        Ok(status) => status,
        Err(error) => {
            eprintln!("{}", codes::wsgid_input_invalid(&error));
            ExitCode::from(USAGE)
        }
    }
}
