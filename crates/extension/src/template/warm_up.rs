//! The requests that warm the applications of a template up: `warm-up=`.
//!
//! The first pass makes the applications load what they load late. More passes let CPython make of
//! their code what it can; what it goes on writing to is then gathered in few pages, which takes a
//! pass to see and some to make it quick again.

use engine::Control;
use python::Attached;
use wsgi::codes;
use wsgi::process::plan::Application;
use wsgi::protocol::outcome::Outcome;

use super::{serve_synthetic, sharing};
use crate::process_context::ProcessContext;
use crate::synthetic_request::{DiscardExchange, SyntheticRequest};
use crate::sys;

/// Passes from the second on until the code is looked at. An instruction is made quick when it runs
/// for the second or third time.
const SETTLING_PASSES: u32 = 2;
/// Passes that show which code is still written to.
const WATCHED_PASSES: u32 = 1;
/// Passes that make the gathered code quick.
const LAST_PASSES: u32 = 2;

/// Asks for each path, and prepares the code for being shared if the group wants that. An error is
/// logged and stops nothing.
pub(super) fn run(py: Attached<'_>, process: &ProcessContext) {
    let paths: Vec<_> = py.detach(|| {
        let answered = |path: &&String| ask(process, path);
        process.spec.group.warm_up.iter().filter(answered).collect()
    });
    if paths.is_empty() || !process.spec.group.preload_immortal || sys::threads() > 1 {
        return;
    }
    let passes = |count: u32| {
        py.detach(|| {
            for _ in 0..count {
                for path in &paths {
                    ask_again(process, path);
                }
            }
        });
        for _ in 0..count {
            sharing::practise_fork(py);
        }
    };
    let gather = || -> python::Result<'_, usize> {
        passes(SETTLING_PASSES);
        let Some(before) = py.code_state()? else { return Ok(0) };
        passes(WATCHED_PASSES);
        sharing::fill_free_memory(py)?;
        let count = py.gather_busy_code(&before)?;
        passes(LAST_PASSES);
        Ok(count)
    };
    let gathered = gather().map_err(|error| codes::code_not_gathered(&error));
    py.detach(|| match gathered {
        Ok(count) => process.log.note(&format!("warm-up: {count} code objects were gathered")),
        Err(message) => process.log.report(message),
    });
}

/// Asks the application that a path leads to, and logs how that went; whether it went well.
fn ask(process: &ProcessContext, path: &str) -> bool {
    let Some(application) = application(process, path) else {
        process.log.report(codes::warm_up_unmounted(path));
        return false;
    };
    let exchange = DiscardExchange::new(&format!("warm-up {path}"), process.log.clone());
    let (outcome, status) = send(process, application, path, exchange);
    let status = match outcome {
        Outcome::Failed(status) => Some(status),
        _ => status,
    };
    match (outcome, status) {
        (Outcome::Complete, Some(status)) if status < 400 => {
            process.log.note(&format!("warm-up={path}: answered {status}"));
            return true;
        }
        (Outcome::Complete | Outcome::Failed(_), Some(status)) => {
            process.log.report(codes::warm_up_failed(path, &format!("answered {status}")));
        }
        _ => process.log.report(codes::warm_up_failed(path, "was not answered in full")),
    }
    false
}

/// Asks once more. Lines that the application logs were logged the first time.
fn ask_again(process: &ProcessContext, path: &str) {
    if let Some(application) = application(process, path) {
        send(process, application, path, DiscardExchange::silent());
    }
}

fn send(
    process: &ProcessContext,
    application: &Application,
    path: &str,
    exchange: DiscardExchange,
) -> (Outcome, Option<u16>) {
    let request = SyntheticRequest::to_warm_up(process, application, path);
    serve_synthetic(process, exchange, |exchange| {
        request.with(|request| process.engine.handle(request, exchange, &Control::default()).0)
    })
}

/// The application that is mounted there.
fn application<'p>(process: &'p ProcessContext, path: &str) -> Option<&'p Application> {
    let applications = process.spec.applications.iter();
    applications
        .filter(|application| SyntheticRequest::matches(application, path))
        .max_by_key(|application| application.mount.len())
}
