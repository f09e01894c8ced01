//! The kernel's limits for this process: `cpu-time-limit`, `memory-limit`, `virtual-memory-limit`.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use wsgi::codes::{self, Message};
use wsgi::config::daemon_process::GroupSpec;

/// Sets what the group says. They are set in each process that serves, and not before: a template
/// would use up their processor time.
pub(crate) fn set(group: &GroupSpec) -> Result<(), Message> {
    let limits = group.limits;
    if limits.cpu_time > 0 {
        // At the first the kernel sends SIGXCPU, at the second it kills.
        let hard =
            limits.cpu_time.saturating_add(1).saturating_add(group.timeouts.shutdown.as_secs());
        set_one(Resource::RLIMIT_CPU, limits.cpu_time, hard)
            .map_err(|error| codes::cpu_time_not_limited(limits.cpu_time, &error))?;
    }
    if limits.memory > 0 {
        set_one(Resource::RLIMIT_DATA, limits.memory, limits.memory)
            .map_err(|error| codes::memory_not_limited(limits.memory, &error))?;
    }
    if limits.virtual_memory > 0 {
        let bytes = limits.virtual_memory;
        set_one(Resource::RLIMIT_AS, bytes, bytes)
            .map_err(|error| codes::virtual_memory_not_limited(bytes, &error))?;
    }
    Ok(())
}

fn set_one(resource: Resource, soft: u64, hard: u64) -> nix::Result<()> {
    let (_, most) = getrlimit(resource)?;
    // A lower limit that the process has inherited stays.
    setrlimit(resource, soft.min(most), hard.min(most))
}
