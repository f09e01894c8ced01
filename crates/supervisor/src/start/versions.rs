//! When the scripts of a group were changed last, as a process of its user has said.

use std::time::SystemTime;

/// When the scripts of a group were changed last. Only this is looked at, never what is in them,
/// and only by processes of the group's user: what does not answer keeps no other group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Versions(Vec<Option<SystemTime>>);

impl Versions {
    /// The versions that a process has reported of so many scripts; `None` if that is not all.
    pub(crate) fn new(said: &[Option<SystemTime>], scripts: usize) -> Option<Self> {
        (said.len() == scripts).then(|| Self(said.to_vec()))
    }
}
