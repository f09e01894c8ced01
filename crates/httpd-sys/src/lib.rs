//! Raw bindings to httpd 2.4 and APR.
//!
//! Made by bindgen from the headers of the httpd that `apxs` belongs to; the symbols are resolved
//! when httpd loads the module. No policy lives here: the crate `httpd` is the door to use.
#![allow(unsafe_code, reason = "bindings are unsafe by nature")]
#![expect(
    missing_docs,
    non_camel_case_types,
    non_upper_case_globals,
    clippy::all,
    clippy::pedantic,
    clippy::undocumented_unsafe_blocks,
    reason = "generated code with C's names"
)]

include!(concat!(env!("OUT_DIR"), "/bindings.rs"));

/// httpd's `APR_SUCCESS`.
pub const APR_SUCCESS: apr_status_t = 0;

/// The end mark of a brigade's ring (`APR_BRIGADE_SENTINEL`).
///
/// # Safety
/// `brigade` points to a live brigade.
pub unsafe fn brigade_sentinel(brigade: *mut apr_bucket_brigade) -> *mut apr_bucket {
    // The ring's head has the layout of a bucket's link, so the sentinel is a bucket whose link
    // would lie on the head.
    unsafe {
        (&raw mut (*brigade).list)
            .byte_sub(core::mem::offset_of!(apr_bucket, link))
            .cast::<apr_bucket>()
    }
}

/// The first bucket of a brigade, or its sentinel (`APR_BRIGADE_FIRST`).
///
/// # Safety
/// `brigade` points to a live brigade.
pub unsafe fn brigade_first(brigade: *mut apr_bucket_brigade) -> *mut apr_bucket {
    unsafe { (*brigade).list.next }
}

/// The bucket behind `bucket`, or the sentinel (`APR_BUCKET_NEXT`).
///
/// # Safety
/// `bucket` points to a bucket that is in a ring.
pub unsafe fn bucket_next(bucket: *mut apr_bucket) -> *mut apr_bucket {
    unsafe { (*bucket).link.next }
}

/// Appends a bucket that is in no ring (`APR_BRIGADE_INSERT_TAIL`).
///
/// # Safety
/// Both point to live objects of one bucket allocator, and the bucket is in no ring.
pub unsafe fn brigade_insert_tail(brigade: *mut apr_bucket_brigade, bucket: *mut apr_bucket) {
    unsafe {
        let sentinel = brigade_sentinel(brigade);
        let last = (*sentinel).link.prev;
        (*bucket).link.next = sentinel;
        (*bucket).link.prev = last;
        (*last).link.next = bucket;
        (*sentinel).link.prev = bucket;
    }
}

/// Reads the data of a bucket (`apr_bucket_read`).
///
/// # Safety
/// `bucket` is live, the out pointers are writable, and the data is used before the bucket dies.
pub unsafe fn bucket_read(
    bucket: *mut apr_bucket,
    data: *mut *const core::ffi::c_char,
    length: *mut apr_size_t,
    block: apr_read_type_e,
) -> apr_status_t {
    unsafe {
        let read = (*(*bucket).type_).read.expect("every data bucket type has a read function");
        read(bucket, data, length, block)
    }
}
