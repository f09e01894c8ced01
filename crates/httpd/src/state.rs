//! The facts that httpd reports about itself: the phase that it is in, its MPM, its paths, its
//! users.

use core::ffi::{CStr, c_int};
use std::ffi::CString;

use httpd_sys as sys;

use crate::pool::Pool;
use crate::text;

/// httpd reads its configuration twice when it starts, and discards the first reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartPass {
    /// The first reading, which only checks.
    Check,
    /// The reading that is used (a restart has this one only).
    Use,
}

/// Whether httpd is starting, or running already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartKind {
    /// It is starting.
    Cold,
    /// It serves, and has read its configuration anew.
    Restart,
}

/// Whether the configuration that was read last is httpd's first. A first start reads it twice, and
/// counts the second time only.
pub fn start_kind() -> StartKind {
    if config_generation() <= 1 { StartKind::Cold } else { StartKind::Restart }
}

/// Why httpd runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunMode {
    /// To serve.
    Serve,
    /// To test or to show the configuration (`httpd -t`, `-S`, `-D DUMP_…`).
    Test,
}

fn query(what: u32) -> c_int {
    // SAFETY: a query that reads a number.
    unsafe { sys::ap_state_query(what.cast_signed()) }
}

/// Which reading of the configuration this is.
pub fn start_pass() -> StartPass {
    let first = query(sys::AP_SQ_MAIN_STATE) == sys::AP_SQ_MS_CREATE_PRE_CONFIG.cast_signed();
    if first { StartPass::Check } else { StartPass::Use }
}

/// Whether httpd means to serve.
pub fn run_mode() -> RunMode {
    let mode = query(sys::AP_SQ_RUN_MODE).cast_unsigned();
    let test = mode == sys::AP_SQ_RM_CONFIG_TEST || mode == sys::AP_SQ_RM_CONFIG_DUMP;
    if test { RunMode::Test } else { RunMode::Serve }
}

/// Whether httpd was started with `-D name`, or its configuration has `Define name`.
pub fn is_defined(name: &CStr) -> bool {
    // SAFETY: httpd looks the name up in a list.
    unsafe { sys::ap_exists_config_define(name.as_ptr()) != 0 }
}

/// The multi-processing module and its limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mpm {
    /// Its name, for instance `event`.
    pub name: String,
    /// Threads of each child that serve requests; 1 without threads.
    pub threads: u32,
    /// The most children at a time.
    pub children: u32,
}

/// The multi-processing module that is loaded.
pub fn mpm() -> Mpm {
    let number = |what: u32| {
        let mut value: c_int = 0;
        // SAFETY: the query writes one number to the place it is given.
        unsafe { sys::ap_mpm_query(what.cast_signed(), &raw mut value) };
        u32::try_from(value).unwrap_or(0)
    };
    // SAFETY: the name is a constant of the MPM.
    let name = unsafe { text::bytes(sys::ap_show_mpm()) }.unwrap_or_default();
    let threaded = number(sys::AP_MPMQ_IS_THREADED) != sys::AP_MPMQ_NOT_SUPPORTED;
    Mpm {
        name: String::from_utf8_lossy(name).into_owned(),
        threads: if threaded { number(sys::AP_MPMQ_MAX_THREADS).max(1) } else { 1 },
        children: number(sys::AP_MPMQ_MAX_DAEMONS).max(1),
    }
}

/// The facts that httpd reports about its program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Major, minor and patch number.
    pub number: (u8, u8, u8),
    /// Its description, with the components that modules have added.
    pub description: String,
    /// When it was built.
    pub built: String,
}

/// The httpd that runs.
pub fn server_version() -> Version {
    // SAFETY: these functions return strings that live as long as the configuration.
    let text = |text| unsafe { text::bytes(text) }.unwrap_or_default();
    let owned = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
    // SAFETY: as above.
    let description = owned(text(unsafe { sys::ap_get_server_description() }));
    // SAFETY: as above.
    let built = owned(text(unsafe { sys::ap_get_server_built() }));
    let running = description
        .split_once("Apache/")
        .and_then(|(_, rest)| {
            let mut numbers = rest.split(|c: char| !c.is_ascii_digit()).map(str::parse);
            Some((numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?))
        })
        .unwrap_or((2, 4, u8::try_from(sys::AP_SERVER_PATCHLEVEL_NUMBER).unwrap_or(0)));
    Version { number: running, description, built }
}

/// Whether httpd serves in its first process, without children (`httpd -X`).
pub fn single_process() -> bool {
    // SAFETY: the name is a C string; the call looks it up among the `-D` of the command line.
    [c"ONE_PROCESS", c"DEBUG"]
        .iter()
        .any(|name| unsafe { sys::ap_exists_config_define(name.as_ptr()) } != 0)
}

/// Adds `Name/Version` to the server's banner for this configuration.
pub fn add_version_component(pool: Pool<'_>, component: &CStr) {
    // SAFETY: the pool is the configuration's; httpd copies the text.
    unsafe { sys::ap_add_version_component(pool.as_ptr(), component.as_ptr()) }
}

/// `path` taken relative to `ServerRoot`; `None` if it cannot be made into a path.
pub fn server_root_path(pool: Pool<'_>, path: &str) -> Option<String> {
    relative(pool, path, sys::ap_server_root_relative)
}

/// `path` taken relative to `DefaultRuntimeDir`; `None` if it cannot be made into a path.
pub fn runtime_path(pool: Pool<'_>, path: &str) -> Option<String> {
    relative(pool, path, sys::ap_runtime_dir_relative)
}

type Relative =
    unsafe extern "C" fn(*mut sys::apr_pool_t, *const core::ffi::c_char) -> *mut core::ffi::c_char;

fn relative(pool: Pool<'_>, path: &str, resolve: Relative) -> Option<String> {
    let path = CString::new(path).ok()?;
    // SAFETY: both functions read the path and return a string in the pool, or null.
    let resolved = unsafe { text::bytes(resolve(pool.as_ptr(), path.as_ptr())) }?;
    String::from_utf8(resolved.to_vec()).ok()
}

/// The user and group that httpd's children run as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// The user's name, as the `User` directive gives it.
    pub user: String,
}

/// The user and group that `User` and `Group` name. Complete once the configuration is read.
pub fn children_identity() -> Identity {
    // SAFETY: httpd sets this while it reads the configuration, on this thread.
    unsafe {
        let config = &raw const sys::ap_unixd_config;
        let user = text::bytes((*config).user_name).unwrap_or_default();
        Identity {
            uid: (*config).user_id,
            gid: (*config).group_id,
            user: String::from_utf8_lossy(user).into_owned(),
        }
    }
}

/// How often the configuration was read; grows with every restart.
pub fn config_generation() -> u32 {
    u32::try_from(query(sys::AP_SQ_CONFIG_GEN)).unwrap_or(0)
}
