//! APR's pools, borrowed.

use core::ffi::{CStr, c_char, c_void};
use core::marker::PhantomData;
use core::ptr::NonNull;

use httpd_sys as sys;

/// A pool that other code created and will clear: good for what lives as long as `'p`.
#[derive(Clone, Copy, Debug)]
pub struct Pool<'p> {
    raw: NonNull<sys::apr_pool_t>,
    lives: PhantomData<&'p sys::apr_pool_t>,
}

impl<'p> Pool<'p> {
    /// # Safety
    /// `raw` is a pool that is neither cleared nor destroyed during `'p`, and used by this thread
    /// alone.
    pub(crate) unsafe fn from_raw(raw: *mut sys::apr_pool_t) -> Self {
        let raw = NonNull::new(raw).expect("httpd hands out pools, never null");
        Self { raw, lives: PhantomData }
    }

    pub(crate) fn as_ptr(self) -> *mut sys::apr_pool_t {
        self.raw.as_ptr()
    }

    /// A NUL-terminated copy of `text` (up to its first NUL) that lives as long as the pool.
    pub fn dup(self, text: &[u8]) -> &'p CStr {
        let text = crate::text::until_nul(text);
        // SAFETY: the pool is live for 'p; the copy is NUL-terminated and dies with the pool.
        unsafe {
            let copy = sys::apr_pstrmemdup(self.as_ptr(), text.as_ptr().cast(), text.len());
            CStr::from_ptr(copy)
        }
    }

    pub(crate) fn dup_ptr(self, text: &[u8]) -> *mut c_char {
        self.dup(text).as_ptr().cast_mut()
    }

    /// Gives `value` to the pool, which drops it when it is cleared.
    pub fn own<T: 'static>(self, value: T) -> &'p mut T {
        let place = Box::into_raw(Box::new(value));
        // SAFETY: `place` is a fresh box; the cleanup below is the only one to take it back, and
        // it runs when the pool is cleared, which is not before 'p ends.
        unsafe {
            sys::apr_pool_cleanup_register(
                self.as_ptr(),
                place.cast::<c_void>(),
                Some(drop_value::<T>),
                Some(sys::apr_pool_cleanup_null),
            );
            &mut *place
        }
    }
}

/// The cleanup behind [`Pool::own`].
///
/// # Safety
/// `value` comes from `Box::into_raw` of a `Box<T>`, and no other code uses it any more.
unsafe extern "C" fn drop_value<T>(value: *mut c_void) -> sys::apr_status_t {
    // SAFETY: see above; APR runs a cleanup once.
    let value = unsafe { Box::from_raw(value.cast::<T>()) };
    // A panic of the destructor cannot be reported: the pool and what it served are gone.
    let _ = crate::trap::trap(|| drop(value));
    sys::APR_SUCCESS
}

/// Lends a pool for short-lived work.
pub fn with_scratch_pool<R>(work: impl for<'p> FnOnce(Pool<'p>) -> R) -> R {
    let mut raw = core::ptr::null_mut();
    // SAFETY: the pool has no parent, belongs to this thread, and is destroyed after the work,
    // whose result cannot borrow from it.
    unsafe {
        let nobody = core::ptr::null_mut();
        sys::apr_pool_create_ex(&raw mut raw, core::ptr::null_mut(), None, nobody);
        let result = work(Pool::from_raw(raw));
        sys::apr_pool_destroy(raw);
        result
    }
}
