//! The parts of a module: its record, its configuration, its hooks.

use core::cell::UnsafeCell;
use core::ffi::{CStr, c_char, c_int, c_void};
use core::marker::PhantomData;
use core::ptr;

use httpd_sys as sys;

use crate::auth::{self, Guard};
use crate::command::{Command, CommandTable, Read};
use crate::pool::Pool;
use crate::request::Request;
use crate::server::Server;
use crate::trap::trap;

/// The answer of a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Done; the request goes on with the next phase.
    Ok,
    /// Not for this module.
    Declined,
    /// The request ends with this HTTP status.
    Http(u16),
}

impl Status {
    pub(crate) fn number(self) -> c_int {
        match self {
            Self::Ok => c_int::try_from(sys::OK).expect("OK is 0"),
            Self::Declined => sys::DECLINED,
            Self::Http(code) => c_int::from(code),
        }
    }
}

/// Modules (by source file name, as httpd orders hooks) that a hook must run behind and in front
/// of.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// Run after these; ends with a null pointer.
    pub after: &'static [*const c_char],
    /// Run before these; ends with a null pointer.
    pub before: &'static [*const c_char],
}

/// A module. Every function is called by httpd, on one thread at a time except where noted, and may
/// panic: that is logged and fails what was being done, never the process.
pub trait Module: Guard + Sized + 'static {
    /// Configuration per server.
    type Server: Send + Sync + 'static;
    /// Configuration per directory.
    type Dir: Send + Sync + 'static;
    /// The data that is kept for each request, sub-requests and internal redirects apart.
    type Request: Default + 'static;

    /// The exported record.
    fn record() -> &'static Record<Self>;

    /// A server's configuration before its directives are read.
    fn create_server() -> Self::Server;
    /// The configuration of a virtual host over that of the main server.
    fn merge_server(base: &Self::Server, over: &Self::Server) -> Self::Server;
    /// A section's configuration before its directives are read; `path` as httpd knows it.
    fn create_dir(path: Option<&[u8]>) -> Self::Dir;
    /// The configuration of an inner section over that of an outer one.
    fn merge_dir(base: &Self::Dir, over: &Self::Dir) -> Self::Dir;
    /// The directive with index `which` of the command table was met. The error text is shown with
    /// file and line.
    fn directive(
        which: usize,
        arguments: &str,
        command: &Command<'_>,
        server: &mut Self::Server,
        dir: &mut Self::Dir,
    ) -> Result<Read, String>;
    /// The directives of a section were read, or one of them was refused.
    fn section_end(server: &mut Self::Server);

    /// The whole configuration was read, also for `httpd -t`. An error, which the log has been told
    /// of ([`crate::startup_line`]), makes httpd refuse it.
    fn check_config(server: Server<'_>) -> Result<(), Unusable>;
    /// The configuration was found to be good, and httpd was started to test it (`httpd -t`).
    fn test_config(server: Server<'_>);
    /// The configuration is about to be used. `pool` is cleared when it ends. An error, which the
    /// log has been told of, ends httpd.
    fn post_config(pool: Pool<'_>, server: Server<'_>) -> Result<(), Unusable>;
    /// A child of httpd begins. `pool` is cleared when the child ends.
    fn child_init(pool: Pool<'_>, server: Server<'_>);
    /// Called in the parent about every ten seconds.
    fn monitor(server: Server<'_>);
    /// The order of the translate-name hook.
    const TRANSLATE_ORDER: Order;
    /// Maps the URI to a file. Called by many threads at a time.
    fn translate_name(request: &mut Request<'_>) -> Status;
    /// Answers the request. Called by many threads at a time.
    fn handler(request: &mut Request<'_>) -> Status;
    /// One of the functions has panicked: tells the log. It was `doing` something.
    fn panicked(log: PanicLog<'_, '_>, doing: &str, panic: &str);
}

/// A configuration cannot be used, and the log has been told why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unusable;

/// The log that is told of a panic.
#[derive(Debug)]
pub enum PanicLog<'a, 'r> {
    /// That of a server which an administrator starts ([`crate::startup_line`]).
    Startup(Server<'a>),
    /// That of a server.
    Server(Server<'a>),
    /// That of a request.
    Request(&'a Request<'r>),
}

/// The record that httpd finds under the module's symbol.
#[repr(transparent)]
pub struct Record<M> {
    raw: UnsafeCell<sys::module>,
    module: PhantomData<fn() -> M>,
}

// SAFETY: httpd writes the record while it loads the module, before any thread exists, and only
// reads it afterwards; we read `module_index` only.
unsafe impl<M> Sync for Record<M> {}

impl<M: Module> Record<M> {
    /// The record of a module called `name` (the `mod_x.c` of `<IfModule>`) with these directives.
    pub const fn new<const N: usize>(
        name: &'static CStr,
        commands: &'static CommandTable<N>,
    ) -> Self {
        let raw = sys::module {
            version: sys::MODULE_MAGIC_NUMBER_MAJOR.cast_signed(),
            minor_version: sys::MODULE_MAGIC_NUMBER_MINOR.cast_signed(),
            module_index: -1,
            name: name.as_ptr(),
            dynamic_load_handle: ptr::null_mut(),
            next: ptr::null_mut(),
            magic: sys::MODULE_MAGIC_COOKIE as core::ffi::c_ulong,
            rewrite_args: None,
            create_dir_config: Some(create_dir::<M>),
            merge_dir_config: Some(merge_dir::<M>),
            create_server_config: Some(create_server::<M>),
            merge_server_config: Some(merge_server::<M>),
            cmds: commands.as_ptr(),
            register_hooks: Some(register::<M>),
            flags: 0,
        };
        Self { raw: UnsafeCell::new(raw), module: PhantomData }
    }

    pub(crate) fn as_ptr(&self) -> *mut sys::module {
        self.raw.get()
    }

    /// The index that httpd knows the module by, for its log levels.
    pub fn index(&self) -> c_int {
        // SAFETY: httpd sets the index while it loads the module and never again.
        unsafe { (*self.as_ptr()).module_index }
    }
}

// SAFETY (of the functions below): httpd calls them with live pools, servers and requests, and
// with configurations that the constructors here made. A panic while a configuration is made has no
// value to go on with and no caller to report to, so it ends httpd's start with `abort` by way of
// `expect` in an `extern "C"` function; the constructors and merges are plain copies that have no
// cause to panic.

/// # Safety
/// Called by httpd with a live pool.
unsafe extern "C" fn create_server<M: Module>(
    pool: *mut sys::apr_pool_t,
    _server: *mut sys::server_rec,
) -> *mut c_void {
    // SAFETY: see above.
    let pool = unsafe { Pool::from_raw(pool) };
    ptr::from_mut(pool.own(M::create_server())).cast()
}

/// # Safety
/// Called by httpd with a live pool and two configurations of this module.
unsafe extern "C" fn merge_server<M: Module>(
    pool: *mut sys::apr_pool_t,
    base: *mut c_void,
    over: *mut c_void,
) -> *mut c_void {
    // SAFETY: see above.
    let (pool, base, over) =
        unsafe { (Pool::from_raw(pool), &*base.cast::<M::Server>(), &*over.cast::<M::Server>()) };
    ptr::from_mut(pool.own(M::merge_server(base, over))).cast()
}

/// # Safety
/// Called by httpd with a live pool and a path or null.
unsafe extern "C" fn create_dir<M: Module>(
    pool: *mut sys::apr_pool_t,
    path: *mut c_char,
) -> *mut c_void {
    // SAFETY: see above.
    let (pool, path) = unsafe { (Pool::from_raw(pool), crate::text::bytes(path)) };
    ptr::from_mut(pool.own(M::create_dir(path))).cast()
}

/// # Safety
/// Called by httpd with a live pool and two configurations of this module.
unsafe extern "C" fn merge_dir<M: Module>(
    pool: *mut sys::apr_pool_t,
    base: *mut c_void,
    over: *mut c_void,
) -> *mut c_void {
    // SAFETY: see above.
    let (pool, base, over) =
        unsafe { (Pool::from_raw(pool), &*base.cast::<M::Dir>(), &*over.cast::<M::Dir>()) };
    ptr::from_mut(pool.own(M::merge_dir(base, over))).cast()
}

/// # Safety
/// Called by httpd while it loads the module.
unsafe extern "C" fn register<M: Module>(pool: *mut sys::apr_pool_t) {
    let middle = sys::APR_HOOK_MIDDLE.cast_signed();
    let none = ptr::null::<*const c_char>();
    // SAFETY: the callbacks stay valid because the library is never unloaded (`-z nodelete`), and
    // the lists of names end with a null pointer.
    unsafe {
        sys::ap_hook_check_config(Some(check_config::<M>), none, none, middle);
        sys::ap_hook_test_config(Some(test_config::<M>), none, none, middle);
        sys::ap_hook_post_config(Some(post_config::<M>), none, none, middle);
        sys::ap_hook_child_init(Some(child_init::<M>), none, none, middle);
        sys::ap_hook_monitor(Some(monitor::<M>), none, none, middle);
        let Order { after, before } = M::TRANSLATE_ORDER;
        sys::ap_hook_translate_name(
            Some(translate_name::<M>),
            after.as_ptr(),
            before.as_ptr(),
            middle,
        );
        auth::register::<M>(pool);
        sys::ap_hook_handler(Some(handler::<M>), none, none, middle);
    }
}

/// The answer to httpd about a configuration.
fn at_startup<M: Module>(
    server: Server<'_>,
    doing: &str,
    look: impl FnOnce() -> Result<(), Unusable>,
) -> c_int {
    let result = trap(look).unwrap_or_else(|panic| {
        M::panicked(PanicLog::Startup(server), doing, &panic);
        Err(Unusable)
    });
    match result {
        Ok(()) => Status::Ok.number(),
        Err(Unusable) => Status::Http(500).number(),
    }
}

/// # Safety
/// Called by httpd when the configuration was read.
unsafe extern "C" fn check_config<M: Module>(
    _pool: *mut sys::apr_pool_t,
    _log: *mut sys::apr_pool_t,
    _temporary: *mut sys::apr_pool_t,
    server: *mut sys::server_rec,
) -> c_int {
    // SAFETY: see above.
    let server = unsafe { Server::from_raw(server) };
    let doing = "checking the configuration";
    at_startup::<M>(server, doing, || M::check_config(server))
}

/// # Safety
/// Called by httpd when it was started to test the configuration, which is good.
unsafe extern "C" fn test_config<M: Module>(
    _pool: *mut sys::apr_pool_t,
    server: *mut sys::server_rec,
) {
    // SAFETY: see above.
    let server = unsafe { Server::from_raw(server) };
    if let Err(panic) = trap(|| M::test_config(server)) {
        M::panicked(PanicLog::Startup(server), "showing the configuration", &panic);
    }
}

/// # Safety
/// Called by httpd when the configuration is about to be used.
unsafe extern "C" fn post_config<M: Module>(
    pool: *mut sys::apr_pool_t,
    _log: *mut sys::apr_pool_t,
    _temporary: *mut sys::apr_pool_t,
    server: *mut sys::server_rec,
) -> c_int {
    // SAFETY: see above.
    let (pool, server) = unsafe { (Pool::from_raw(pool), Server::from_raw(server)) };
    let doing = "putting the configuration to use";
    at_startup::<M>(server, doing, || M::post_config(pool, server))
}

/// # Safety
/// Called by httpd in each new child.
unsafe extern "C" fn child_init<M: Module>(
    pool: *mut sys::apr_pool_t,
    server: *mut sys::server_rec,
) {
    // SAFETY: see above.
    let (pool, server) = unsafe { (Pool::from_raw(pool), Server::from_raw(server)) };
    if let Err(panic) = trap(|| M::child_init(pool, server)) {
        M::panicked(PanicLog::Server(server), "starting a child of httpd", &panic);
    }
}

/// # Safety
/// Called by httpd's parent from its main loop.
unsafe extern "C" fn monitor<M: Module>(
    _pool: *mut sys::apr_pool_t,
    server: *mut sys::server_rec,
) -> c_int {
    // SAFETY: see above.
    let server = unsafe { Server::from_raw(server) };
    if let Err(panic) = trap(|| M::monitor(server)) {
        M::panicked(PanicLog::Server(server), "looking after wsgid", &panic);
    }
    Status::Ok.number()
}

/// # Safety
/// Called by httpd with a live request that this thread alone works on.
unsafe extern "C" fn translate_name<M: Module>(request: *mut sys::request_rec) -> c_int {
    // SAFETY: see above.
    let request = unsafe { Request::from_raw(request) };
    request_hook::<M>(request, M::translate_name)
}

/// # Safety
/// Called by httpd with a live request that this thread alone works on.
unsafe extern "C" fn handler<M: Module>(request: *mut sys::request_rec) -> c_int {
    // SAFETY: see above.
    let request = unsafe { Request::from_raw(request) };
    request_hook::<M>(request, M::handler)
}

fn request_hook<M: Module>(
    mut request: Request<'_>,
    hook: impl FnOnce(&mut Request<'_>) -> Status,
) -> c_int {
    match trap(|| hook(&mut request)) {
        Ok(status) => status.number(),
        Err(panic) => {
            M::panicked(PanicLog::Request(&request), "serving the request", &panic);
            if request.head_sent() {
                request.cut_short();
                return Status::Ok.number();
            }
            Status::Http(500).number()
        }
    }
}
