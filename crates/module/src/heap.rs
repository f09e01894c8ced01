//! The heap of this library.
//!
//! The C library gives each thread of httpd's children a cache of its own, and several threads an
//! arena each. The memory that a request needs for a moment then lies in many places, each touched
//! and kept: 0.6 MB in a child of 25 threads. Here all threads share one small heap, whose lock
//! they hold for the length of an allocation. httpd, APR and Python keep the C library's.

use dlmalloc::GlobalDlmalloc;

#[global_allocator]
static HEAP: GlobalDlmalloc = GlobalDlmalloc;
