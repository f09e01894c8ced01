//! The options of `WSGIDaemonProcess`: the one list of them.

use super::GroupSpec;
use crate::config::category::{Category, count, join};

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
    /// The values that it may have, for error messages and documents.
    pub allowed: &'static str,
    /// Its effect, with the default in parentheses.
    pub documentation: &'static str,
    pub(super) set: fn(&mut GroupSpec, &str) -> Option<()>,
}

/// Options that an empty value leaves as they are, as mod_wsgi reads it: generated configurations
/// have them.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::watchdog::Watchdog;

    #[test]
    fn numbers_have_an_end_that_is_said() {
        let ends = ["18446744073709551615", "18446744073709551614", "4294967296", "2147483648"];
        for option in OPTIONS.iter().filter(|option| option.allowed.contains("number")) {
            let set = |value: &str| (option.set)(&mut GroupSpec::named("x"), value);
            let (name, allowed) = (option.name, option.allowed);
            assert!(allowed.contains(" to ") || allowed.contains("up to"), "{name}: {allowed}");
            if allowed.contains('G') {
                let most = if allowed.contains(" to 1G ") { "1G" } else { "1048576G" };
                assert_eq!(set(most), Some(()), "{name}");
                for value in ["1048577G", "17179869184G", "1125899906842625", ends[0]] {
                    assert_eq!(set(value), None, "{name}={value}");
                }
            } else {
                for value in ends {
                    assert_eq!(set(value), None, "{name}={value}");
                }
                assert_eq!(set("+1"), None, "{name}");
            }
        }
    }

    #[test]
    fn what_is_worked_out_from_the_longest_times_has_room() {
        let mut spec = GroupSpec::named("x");
        for option in time::TIME {
            assert_eq!((option.set)(&mut spec, "2147483647"), Some(()), "{}", option.name);
        }
        assert_eq!((processes::PROCESSES[1].set)(&mut spec, "65533"), Some(()));
        let limit = spec.timeouts.request_limit(spec.threads).unwrap();
        // In microseconds, which count from 1970, many times over.
        assert!(limit.as_micros() < u128::from(u64::MAX / 100));
        let moment = std::time::Instant::now();
        assert!(moment.checked_add(limit).is_some());
        assert!(Watchdog::new(&spec.timeouts, spec.threads, Some(limit)).pace().is_some());
    }
}
