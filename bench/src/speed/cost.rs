//! The cost of requests: processor time and context switches of the server's processes.

use std::fs;
use std::ops::Sub;

/// What processes have used up to a moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cost {
    /// Microseconds of processors.
    pub(super) microseconds: f64,
    /// Context switches.
    pub(super) switches: f64,
}

impl Cost {
    /// That of the threads which these processes have now.
    pub(super) fn of(pids: &[i32]) -> Self {
        let mut sum = Self::default();
        for pid in pids {
            let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { continue };
            for task in tasks.flatten() {
                let path = task.path();
                // A thread may end meanwhile.
                let time = fs::read_to_string(path.join("schedstat")).unwrap_or_default();
                let status = fs::read_to_string(path.join("status")).unwrap_or_default();
                let nanoseconds: f64 = first_number(&time);
                sum.microseconds += nanoseconds / 1000.0;
                let lines = status.lines().filter_map(|line| line.split_once("_ctxt_switches:"));
                sum.switches += lines.map(|(_, count)| first_number(count)).sum::<f64>();
            }
        }
        sum
    }

    /// For each of so many requests.
    pub(super) fn each(self, requests: f64) -> Self {
        Self { microseconds: self.microseconds / requests, switches: self.switches / requests }
    }
}

fn first_number(text: &str) -> f64 {
    text.split_ascii_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or_default()
}

impl Sub for Cost {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            microseconds: self.microseconds - before.microseconds,
            switches: self.switches - before.switches,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_a_cost() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let before = Cost::of(&[pid]);
        std::thread::sleep(std::time::Duration::from_millis(1));
        let cost = Cost::of(&[pid]) - before;
        assert!(cost.microseconds > 0.0 && cost.switches >= 1.0, "{cost:?}");
        let each = Cost { microseconds: 10.0, switches: 4.0 }.each(2.0);
        assert!((each.microseconds - 5.0).abs() < 1e-9 && (each.switches - 2.0).abs() < 1e-9);
    }
}
