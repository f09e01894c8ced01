//! Signal dispositions: CPython sets some where it is initialised or where `signal` is imported,
//! and a process that is another program's must not notice.

use std::mem::MaybeUninit;

/// Runs `work` and puts back the disposition of every signal that it changed.
pub fn preserved<R>(work: impl FnOnce() -> R) -> R {
    let before: Vec<_> = (1..=64).map(|number| (number, disposition(number))).collect();
    let result = work();
    for (number, old) in before {
        let (Some(old), Some(new)) = (old, disposition(number)) else { continue };
        if old.sa_sigaction != new.sa_sigaction || old.sa_flags != new.sa_flags {
            // SAFETY: the disposition is one that this process had before, so its handler is
            // still there. A failure leaves the new one, as if nothing had been tried.
            unsafe { libc::sigaction(number, &raw const old, std::ptr::null_mut()) };
        }
    }
    result
}

fn disposition(number: libc::c_int) -> Option<libc::sigaction> {
    let mut current = MaybeUninit::uninit();
    // SAFETY: only asks; the buffer is one `sigaction`, and it is read only if it was filled.
    unsafe {
        let asked = libc::sigaction(number, std::ptr::null(), current.as_mut_ptr());
        (asked == 0).then(|| current.assume_init())
    }
}
