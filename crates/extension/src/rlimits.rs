//! The kernel's limits for this process: `cpu-time-limit`, `memory-limit`, `virtual-memory-limit`.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use wsgi::config::daemon_process::GroupSpec;

/// Sets what the group says. They are set in each process that serves, and not before: a template would
/// use up their processor time.
pub(crate) fn set(group: &GroupSpec) -> Result<(), String> {
    let limits = group.limits;
    if limits.cpu_time > 0 {
        // At the first the kernel sends SIGXCPU, at the second it kills.
        let hard = limits.cpu_time.saturating_add(1).saturating_add(group.timeouts.shutdown);
        set_one("cpu-time-limit", Resource::RLIMIT_CPU, limits.cpu_time, hard)?;
    }
    if limits.memory > 0 {
        set_one("memory-limit", Resource::RLIMIT_DATA, limits.memory, limits.memory)?;
    }
    if limits.virtual_memory > 0 {
        let bytes = limits.virtual_memory;
        set_one("virtual-memory-limit", Resource::RLIMIT_AS, bytes, bytes)?;
    }
    Ok(())
}

fn set_one(option: &str, resource: Resource, soft: u64, hard: u64) -> Result<(), String> {
    let failed = |error| format!("{option}={soft} cannot be set: {error}");
    let (_, most) = getrlimit(resource).map_err(failed)?;
    // What somebody has limited further stays so.
    setrlimit(resource, soft.min(most), hard.min(most)).map_err(failed)
}
