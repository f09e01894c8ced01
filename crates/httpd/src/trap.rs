//! Panics stop here: a callback from httpd never unwinds into C.
//!
//! The message and the place of a panic are kept for the one log line that the trampoline writes,
//! and the default report on standard error is left out, so that it is one line indeed.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::sync::Once;

thread_local! {
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `callback`; a panic in it becomes its message.
pub(crate) fn trap<R>(callback: impl FnOnce() -> R) -> Result<R, String> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        set_hook(Box::new(|info| LAST.with(|last| *last.borrow_mut() = Some(info.to_string()))));
    });
    // A callback that panics has its request failed or its configuration refused; the state that it
    // leaves behind belongs to that request or configuration and ends with it.
    catch_unwind(AssertUnwindSafe(callback)).map_err(|_| {
        let text = LAST.with(|last| last.borrow_mut().take()).unwrap_or_else(|| "panic".to_owned());
        text.replace('\n', " ")
    })
}
