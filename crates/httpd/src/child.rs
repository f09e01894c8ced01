//! Processes beside httpd's own children that its parent looks after.

use core::ffi::{c_int, c_void};
use core::ptr;

use httpd_sys as sys;

use crate::server::Server;
use crate::trap::trap;

/// A receiver of the end of a process.
pub trait OtherChild: 'static {
    /// The process with this id has ended; `status` is what `wait` says. Called once, from the
    /// parent's main loop.
    fn ended(self, pid: i32, status: i32);
}

struct Watch<C> {
    child: C,
    process: sys::apr_proc_t,
    pool: *mut sys::apr_pool_t,
}

/// Makes httpd's parent tell `child` when the process `pid` has ended, whichever configuration is
/// in force by then. `pid` is a child process of the caller that no other code waits for.
///
/// Everything that this takes is given back when the process has ended.
pub fn watch_process<C: OtherChild>(server: Server<'_>, pid: i32, child: C) {
    // SAFETY: the process's own pool outlives all configurations, so the watch does too. The pool
    // made here is destroyed by `maintain`. APR keeps the pointers until the watch is unregistered.
    unsafe {
        let parent = (*(*server.as_ptr()).process).pool;
        let mut pool = ptr::null_mut();
        sys::apr_pool_create_ex(&raw mut pool, parent, None, ptr::null_mut());
        let (none, process) = (
            ptr::null_mut(),
            sys::apr_proc_t {
                pid,
                in_: ptr::null_mut(),
                out: ptr::null_mut(),
                err: ptr::null_mut(),
            },
        );
        let watch = Box::into_raw(Box::new(Watch { child, process, pool }));
        let process = &raw mut (*watch).process;
        sys::apr_proc_other_child_register(process, Some(maintain::<C>), watch.cast(), none, pool);
    }
}

/// # Safety
/// Called by APR with the `data` of a watch that is registered.
unsafe extern "C" fn maintain<C: OtherChild>(reason: c_int, data: *mut c_void, status: c_int) {
    let ended = [sys::APR_OC_REASON_DEATH, sys::APR_OC_REASON_LOST];
    if !ended.contains(&reason.cast_unsigned()) {
        return;
    }
    // SAFETY: APR reports an end once; unregistering first makes sure that it forgets the watch
    // (it calls back with another reason, which is passed over above), and nothing uses box or
    // pool afterwards.
    let watch = unsafe {
        sys::apr_proc_other_child_unregister(data);
        let watch = Box::from_raw(data.cast::<Watch<C>>());
        sys::apr_pool_destroy(watch.pool);
        watch
    };
    // A panic here has no request and no configuration to fail; httpd goes on without the process.
    let _ = trap(|| watch.child.ended(watch.process.pid, status));
}
