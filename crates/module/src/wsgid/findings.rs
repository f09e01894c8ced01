//! The earlier findings about the system, kept in httpd's parent so that a restart waits for
//! nothing.
//!
//! It belongs to no configuration: it stays when httpd reads a new one, and then shrinks to what
//! that needs. `wsgid` verifies each before it is used, or uses it because nothing better can be
//! had in time.

use std::sync::Mutex;
use std::time::Duration;

use wsgi::lock::lock;

use httpd::{RunMode, Server, StartKind};
use wsgi::process::plan::{Findings, Plan, Report};

use crate::info;
use crate::wsgid::client::{self, SupervisorError};

static FINDINGS: Mutex<Findings> =
    Mutex::new(Findings { pythons: Vec::new(), accounts: Vec::new() });

/// How long Pythons may keep a server that runs from going on with a new configuration, all
/// together.
const ANSWER_LIMIT: Duration = Duration::from_millis(100);
/// The same for the whole check, which also asks the user database.
const CHECK_LIMIT: Duration = Duration::from_millis(500);
/// How long a check may take while no request is served.
const WAIT_LIMIT: Duration = Duration::from_mins(1);

fn findings() -> std::sync::MutexGuard<'static, Findings> {
    // Nothing that panics is done under the lock.
    lock(&FINDINGS)
}

/// Has `wsgid` check a plan, and keeps what it has found out. A server that runs does not wait for
/// long; `None` if there is no report because of that, which the log is told.
pub(crate) fn check(main: Server<'_>, mut plan: Plan) -> Result<Option<Report>, SupervisorError> {
    let runs = httpd::run_mode() == RunMode::Serve && httpd::start_kind() == StartKind::Restart;
    plan.findings = findings().clone();
    plan.answer_limit = runs.then_some(ANSWER_LIMIT);
    let limit = if runs { CHECK_LIMIT } else { WAIT_LIMIT };
    match client::check(main, &plan, limit) {
        Ok(report) => {
            *findings() = report.findings.clone();
            Ok(Some(report))
        }
        Err(SupervisorError::Silent(_)) if runs => {
            let text = "the process groups cannot be checked at once (the user database or a file \
                        system may hang) and are not waited for; they are started as they are";
            info(&main, text);
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Adds to a plan that is carried out what was found out while it was checked, or before.
pub(crate) fn add_to(plan: &mut Plan) {
    plan.findings.accounts.clone_from(&findings().accounts);
}

/// Asks in a child of httpd for the Python of embedded mode, which the parent has not waited for.
pub(crate) fn ask_in_child(plan: Plan) -> Result<wsgi::process::plan::PythonFacts, String> {
    let plan = Plan { groups: Vec::new(), scripts: Vec::new(), ..plan };
    let report = httpd::main_server(|main| client::check(main, &plan, WAIT_LIMIT));
    let report = report.ok_or("the configuration is not known")?;
    let report = report.map_err(|error| error.to_string())?;
    report.embedded.unwrap_or_else(|| Err("it has given no answer".to_owned()))
}
