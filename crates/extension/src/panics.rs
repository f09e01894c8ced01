//! Panics: caught at the border of a request, and told in one line.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::sync::Once;

thread_local! {
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `work`; a panic in it becomes its message and place.
pub(crate) fn caught<R>(work: impl FnOnce() -> R) -> Result<R, String> {
    static QUIET: Once = Once::new();
    // The default hook would write lines of its own.
    QUIET.call_once(|| {
        set_hook(Box::new(|info| LAST.with(|last| *last.borrow_mut() = Some(info.to_string()))));
    });
    // The work that the panic interrupted belongs to one request, which is failed.
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| {
        let text = LAST.with(|last| last.borrow_mut().take()).unwrap_or_else(|| "panic".into());
        text.replace('\n', " ")
    })
}
