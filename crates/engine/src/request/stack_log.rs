//! Log lines that show where Python code has asked for something that it does not get.

use std::sync::Arc;

use python::{Attached, Result};

use crate::request::current;
use crate::settings::ServerLog;

/// Logs a call that was refused, with the stack of the caller: into the request's log, or the
/// server's.
pub(crate) fn log_with_stack<'py>(
    py: Attached<'py>,
    log: &Arc<dyn ServerLog>,
    text: &str,
) -> Result<'py, ()> {
    let mut lines = vec![text.to_owned()];
    let stack = py.import(c"traceback")?.call_method(c"format_stack", &[])?;
    for entry in stack.iterate()? {
        lines.extend(entry?.display().lines().map(str::to_owned));
    }
    let lines = lines.iter();
    match current::lease() {
        Some(lease) => lease.with(py, |live| lines.for_each(|line| live.info(line)))?,
        None => py.detach(|| lines.for_each(|line| log.info(line))),
    }
    Ok(())
}
