//! Functions that only the C interfaces of CPython's loader, the kernel and httpd's side of the
//! contract offer.
#![allow(unsafe_code, reason = "the one folder of this crate that talks to C without a wrapper")]

mod exports;
mod host;
mod malloc;
mod process;
mod shared_words;

pub(crate) use host::HostCalls;
pub(crate) use malloc::{expect_bodies, reserve_free_chunks, trim_heap};
pub(crate) use process::{
    FOREIGN, catch_signals, count_forks, end_with, exit_now, forked_from, forks, has_ended,
    inherited, set_title, signal_thread, stack_signal, threads,
};
pub(crate) use shared_words::map_words;
