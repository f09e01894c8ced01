//! The state of a template's memory in which workers share most of it for longest.
//!
//! A worker shares a page until it writes to it. So before the first fork garbage is collected; the
//! live objects are made immortal and frozen, so that neither reference counts nor the garbage
//! collector write to them; the free places between shared objects are taken, so that new ones lie
//! elsewhere; and what only loading has touched is given back.

use python::Attached;

use crate::sys;

/// Thresholds of the garbage collector in workers. Preloaded objects are frozen, so a collection
/// looks at the worker's own objects alone and is cheap; rare ones let garbage pile up in new
/// pages.
const THRESHOLDS: [i64; 3] = [700, 3, 3];

/// The thresholds as they are now.
pub(super) fn thresholds(py: Attached<'_>) -> python::Result<'_, [i64; 3]> {
    let found = py.import(c"gc")?.call_method(c"get_threshold", &[])?;
    Ok([found.at(0)?.to_i64()?, found.at(1)?.to_i64()?, found.at(2)?.to_i64()?])
}

/// Puts the memory into that state; how many objects were made immortal, if this Python has such
/// and the group wants them. `usual` are the thresholds from before anything was loaded: an
/// application that has set others keeps them.
pub(super) fn prepare_for_sharing(
    py: Attached<'_>,
    usual: [i64; 3],
    immortal: bool,
) -> python::Result<'_, Option<usize>> {
    let gc = py.import(c"gc")?;
    gc.call_method(c"collect", &[])?;
    let count = if immortal { py.make_immortal()? } else { None };
    gc.call_method(c"freeze", &[])?;
    // It finds nothing, and from now on does not wait until there is as much again.
    gc.call_method(c"collect", &[])?;
    if is_generational(usual) && thresholds(py)? == usual {
        let [first, second, third] = THRESHOLDS;
        let numbers = [&py.int(first)?, &py.int(second)?, &py.int(third)?];
        gc.call_method(c"set_threshold", &numbers)?;
    }
    sys::trim_heap();
    // Loading has touched much of many libraries once. A process that only forks would keep these
    // pages to itself: workers get their own view of a file, page by page, as they use it.
    pages::give_back();
    Ok(count)
}

/// Lets what is made from now on lie side by side.
pub(super) fn fill_free_memory(py: Attached<'_>) -> python::Result<'_, ()> {
    py.import(c"gc")?.call_method(c"collect", &[])?;
    py.forget_attributes();
    reserve_free_memory(py);
    Ok(())
}

pub(super) fn reserve_free_memory(py: Attached<'_>) {
    py.reserve_free_blocks();
    sys::reserve_free_chunks();
}

/// Has Python do what it does in a process that was forked: in this one, which has a single thread
/// as well, it changes nothing. CPython has found these functions and made their code quick then,
/// and does not write to it in each worker.
pub(super) fn practise_fork(py: Attached<'_>) {
    let hook = || {
        py.import(c"threading")?.attr_opt(c"_after_fork")?.map(|hook| hook.call(&[])).transpose()
    };
    // An internal function of Python's library that is not what it was is left alone.
    let _ = hook();
}

/// Whether the collector has three generations. The one of 3.14.0 works in steps and takes the
/// thresholds for something else; the last one, which it does not use, is 0.
fn is_generational(usual: [i64; 3]) -> bool {
    usual[2] > 0
}
