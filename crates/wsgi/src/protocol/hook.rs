//! Hooks in Python: scripts that decide about access, users, groups, and where a request runs.
//!
//! A directive names a [`crate::config::hook_script::HookScript`]. For each decision a [`Question`]
//! goes to the engine, in this process or in a worker, and an [`Answer`] comes back; what cannot be
//! answered is a failure, and the caller takes it as a refusal.

mod answer;
mod question;
mod variable;

pub use answer::{Answer, DispatchTarget, is_md5, is_user_name};
pub use question::{Query, Question};
pub use variable::{decode_variable, encode_variable};
