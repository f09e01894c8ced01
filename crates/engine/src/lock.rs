//! Locks that are held for moments, and under which nothing is waited for.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Takes the lock. A panic while one of these is held leaves nothing half done behind it.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
