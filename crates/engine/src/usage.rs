//! Resource usage of this process and thread, from the kernel: processor time, memory, when it
//! started.

use std::fs;
use std::ops::Sub;
use std::time::Duration;

use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike};
use nix::unistd::{SysconfVar, sysconf};

use crate::clock::now;

/// Processor time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cpu {
    pub(crate) user: Duration,
    pub(crate) system: Duration,
}

impl Cpu {
    /// The processor time of the current thread.
    pub(crate) fn of_thread() -> Self {
        Self::of(UsageWho::RUSAGE_THREAD)
    }

    /// The processor time of the process.
    pub(crate) fn of_process() -> Self {
        Self::of(UsageWho::RUSAGE_SELF)
    }

    fn of(who: UsageWho) -> Self {
        let usage = getrusage(who).expect("the kernel answers for the calling process and thread");
        Self::from(&usage)
    }

    /// User and system time together.
    pub(crate) fn total(self) -> Duration {
        self.user + self.system
    }
}

impl From<&Usage> for Cpu {
    fn from(usage: &Usage) -> Self {
        Self { user: duration(usage.user_time()), system: duration(usage.system_time()) }
    }
}

impl Sub for Cpu {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            user: self.user.saturating_sub(before.user),
            system: self.system.saturating_sub(before.system),
        }
    }
}

fn duration(time: TimeVal) -> Duration {
    Duration::from_micros(u64::try_from(time.num_microseconds()).unwrap_or_default())
}

/// Resident memory in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct MemoryUsage {
    /// Now.
    pub(crate) resident: u64,
    /// The most that there has been.
    pub(crate) most: u64,
}

impl MemoryUsage {
    /// That of the process; zeros where `/proc` is not mounted.
    pub(crate) fn of_process() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let bytes = |field: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(field))?;
            let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
            Some(kibibytes * 1024)
        };
        Self {
            resident: bytes("VmRSS:").unwrap_or_default(),
            most: bytes("VmHWM:").unwrap_or_default(),
        }
    }
}

/// When the process started, in seconds of the epoch; now, where `/proc` does not say.
pub(crate) fn process_start() -> f64 {
    let read = |path| fs::read_to_string(path).ok();
    let age = || -> Option<f64> {
        let stat = read("/proc/self/stat")?;
        // The command's name may contain anything; what follows it does not.
        let fields = stat.rsplit_once(')')?.1;
        let ticks: f64 = fields.split_whitespace().nth(STARTED)?.parse().ok()?;
        let up: f64 = read("/proc/uptime")?.split_whitespace().next()?.parse().ok()?;
        let rate = i32::try_from(sysconf(SysconfVar::CLK_TCK).ok()??).ok()?;
        Some(up - ticks / f64::from(rate))
    };
    now() - age().unwrap_or(0.0).max(0.0)
}

/// `starttime` is field 22 of `/proc/PID/stat`; the name is field 2.
const STARTED: usize = 22 - 3;
