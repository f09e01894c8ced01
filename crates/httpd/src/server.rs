//! Servers: the main one and its virtual hosts.

use core::marker::PhantomData;
use core::ptr::NonNull;
use std::os::fd::{BorrowedFd, RawFd};
use std::time::Duration;

use httpd_sys as sys;

use crate::module::Module;
use crate::text;

/// A server of the current configuration, which lives as long as `'s`.
#[derive(Clone, Copy, Debug)]
pub struct Server<'s> {
    raw: NonNull<sys::server_rec>,
    lives: PhantomData<&'s sys::server_rec>,
}

impl<'s> Server<'s> {
    /// # Safety
    /// `raw` is a server of a configuration that lives for `'s` and is not being parsed any more.
    pub(crate) unsafe fn from_raw(raw: *mut sys::server_rec) -> Self {
        let raw = NonNull::new(raw).expect("httpd hands out servers, never null");
        Self { raw, lives: PhantomData }
    }

    pub(crate) fn as_ptr(self) -> *mut sys::server_rec {
        self.raw.as_ptr()
    }

    /// This module's configuration of this server.
    pub fn config<M: Module>(self) -> &'s M::Server {
        // SAFETY: M's record made this configuration with M's own constructor, so the type is
        // right; configurations are only read once parsing is over.
        unsafe {
            let config =
                sys::ap_get_module_config((*self.as_ptr()).module_config, M::record().as_ptr());
            &*config.cast::<M::Server>()
        }
    }

    /// This module's directory configuration at server level.
    pub fn dir_defaults<M: Module>(self) -> &'s M::Dir {
        // SAFETY: as in `config`; `lookup_defaults` holds the server's directory configuration.
        unsafe {
            let config =
                sys::ap_get_module_config((*self.as_ptr()).lookup_defaults, M::record().as_ptr());
            &*config.cast::<M::Dir>()
        }
    }

    /// Whether this is a virtual host.
    pub fn is_virtual(self) -> bool {
        // SAFETY: the record is live.
        unsafe { (*self.as_ptr()).is_virtual != 0 }
    }

    /// The `ServerName`, without a port.
    pub fn name(self) -> Option<&'s [u8]> {
        // SAFETY: the record is live, and its strings with it.
        unsafe { text::bytes((*self.as_ptr()).server_hostname) }
    }

    /// The port of the `ServerName`; 0 if it has none.
    pub fn port(self) -> u16 {
        // SAFETY: the record is live.
        unsafe { (*self.as_ptr()).port }
    }

    /// httpd's `Timeout`.
    pub fn timeout(self) -> Duration {
        // SAFETY: the record is live. APR's intervals are microseconds.
        let microseconds = unsafe { (*self.as_ptr()).timeout };
        Duration::from_micros(u64::try_from(microseconds).unwrap_or(0))
    }

    /// The descriptor of this server's own error log, if it has a file or pipe of its own.
    pub fn error_log(self) -> Option<BorrowedFd<'s>> {
        // SAFETY: the record is live; the log file stays open as long as the configuration lives.
        unsafe {
            let file = (*self.as_ptr()).error_log;
            let mut descriptor: RawFd = -1;
            let known = !file.is_null()
                && sys::apr_os_file_get(&raw mut descriptor, file) == sys::APR_SUCCESS
                && descriptor >= 0;
            known.then(|| BorrowedFd::borrow_raw(descriptor))
        }
    }

    /// This server and those behind it in httpd's list.
    pub fn and_following(self) -> Servers<'s> {
        Servers { next: Some(self) }
    }
}

/// An iterator over servers: the main server first, then the virtual hosts.
#[derive(Debug)]
pub struct Servers<'s> {
    next: Option<Server<'s>>,
}

impl<'s> Iterator for Servers<'s> {
    type Item = Server<'s>;

    fn next(&mut self) -> Option<Self::Item> {
        let server = self.next?;
        // SAFETY: the list of servers is complete and unchanging while the configuration lives.
        let next = NonNull::new(unsafe { (*server.as_ptr()).next });
        self.next = next.map(|raw| Server { raw, lives: PhantomData });
        Some(server)
    }
}

/// The main server, lent to `with`; `None` while httpd is between two configurations.
pub fn main_server<R>(with: impl FnOnce(Server<'_>) -> R) -> Option<R> {
    // SAFETY: httpd sets this once a configuration is read and before it runs hooks on it; the
    // handle does not outlive the call.
    unsafe {
        let raw = sys::ap_server_conf;
        (!raw.is_null()).then(|| with(Server::from_raw(raw)))
    }
}
