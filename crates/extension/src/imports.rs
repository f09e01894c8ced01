//! Scripts that are imported when a process starts, before there is a request for them.

use std::sync::Arc;

use engine::{Engine, ServerLog};
use wsgi::codes;
use wsgi::process::plan::ImportedScript;
use wsgi::protocol::outcome::Outcome;

use crate::panics::caught;
use crate::synthetic_request::{DiscardExchange, SyntheticRequest};

/// Imports the scripts in their order. A script that fails is logged, and the rest is imported all
/// the same. The calling thread is not attached.
pub(crate) fn run(
    engine: &Engine,
    log: &Arc<dyn ServerLog>,
    process_group: &str,
    imports: &[ImportedScript],
    is_wanted: impl Fn() -> bool,
) {
    for import in imports {
        if !is_wanted() {
            return;
        }
        let script = import.script.display();
        let request = SyntheticRequest::to_import(process_group, import);
        let exchange = DiscardExchange::new(&format!("import of {script}"), Arc::clone(log));
        let imported =
            caught(|| request.with(|request| engine.import(request, Box::new(exchange))));
        match imported {
            Ok(Outcome::Complete) => {
                log.info(&format!("{script} was imported"));
            }
            // The log says why.
            Ok(_) => {}
            Err(panic) => {
                log.message(&codes::internal_error(&format!("importing {script}"), &panic));
            }
        }
    }
}
