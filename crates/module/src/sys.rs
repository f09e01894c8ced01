//! Functions that only the C interfaces of the linker, the kernel and the engine offer.
#![allow(unsafe_code, reason = "the one folder of this crate that talks to C without a wrapper")]

mod engine;
mod process;
mod record;
mod states;

pub(crate) use engine::{LoadedEngine, Serve, load};
pub(crate) use process::{
    c_text, end_with_parent, hand_on, has_locale, keep_heap_over_forks, python_runs,
    remove_variables, retire, set_variables, speaks_c, unread, wait_for_end, with_variables,
};
pub(crate) use record::{ACCESS_ORDER, TRANSLATE_ORDER, own_directory, record};
pub(crate) use states::States;
