//! Locks that are held for moments, and under which nothing is waited for.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Takes a lock of that kind. A panic while it is held leaves nothing half done, so a poisoned one
/// is taken like any other.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
