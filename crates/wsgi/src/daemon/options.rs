//! The options of `WSGIDaemonProcess`: the one list of them.

use super::GroupSpec;
use crate::category::{Category, count, join};

mod account;
mod memory;
mod processes;
mod python;
mod socket;
mod time;

/// An option of `WSGIDaemonProcess`.
#[derive(Clone, Copy, Debug)]
pub struct DaemonOption {
    /// Its name, in front of the `=`.
    pub name: &'static str,
    /// What its value may be, for error messages and documents.
    pub allowed: &'static str,
    /// What it does, with the default in parentheses.
    pub documentation: &'static str,
    pub(super) set: fn(&mut GroupSpec, &str) -> Option<()>,
}

/// Options that an empty value leaves as they are, as mod_wsgi reads it: generated configurations have them.
pub(super) const UNSET_IF_EMPTY: [&str; 7] = [
    "display-name",
    "lang",
    "locale",
    "python-eggs",
    "python-home",
    "python-path",
    "supplementary-groups",
];

/// The categories, in the order of the reference page.
pub const OPTION_CATEGORIES: &[Category<DaemonOption>] = &[
    Category { title: "Processes", entries: processes::PROCESSES },
    Category { title: "User and surroundings", entries: account::ACCOUNT },
    Category { title: "Python", entries: python::PYTHON },
    Category { title: "Memory", entries: memory::MEMORY },
    Category { title: "Time", entries: time::TIME },
    Category { title: "Queue and buffers", entries: socket::SOCKET },
];

/// All options of `WSGIDaemonProcess`, category by category.
pub const OPTIONS: &[DaemonOption; count(OPTION_CATEGORIES)] = &join(OPTION_CATEGORIES);
