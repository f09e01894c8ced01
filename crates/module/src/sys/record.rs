//! The record by which httpd finds this module, and what hangs at it.

use core::ffi::CStr;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use httpd::{CommandTable, Order, Record};

use crate::SOURCE_NAME;
use crate::Wsgi;
use crate::config::store;

static COMMANDS: CommandTable<{ store::COUNT + 1 }> = CommandTable::new::<Wsgi>(&store::commands());

/// The record that `LoadModule wsgi_module` looks for.
// SAFETY: httpd's modules are found by this name, and no other object in this library has it.
#[unsafe(no_mangle)]
static wsgi_module: Record<Wsgi> = Record::new(SOURCE_NAME, &COMMANDS);

/// The exported record.
pub(crate) fn record() -> &'static Record<Wsgi> {
    &wsgi_module
}

/// Script aliases come behind mod_alias's and before what maps everything.
pub(crate) const TRANSLATE_ORDER: Order = Order {
    after: &[c"mod_alias.c".as_ptr(), core::ptr::null()],
    before: &[c"mod_userdir.c".as_ptr(), c"mod_vhost_alias.c".as_ptr(), core::ptr::null()],
};

/// Access scripts come behind mod_ssl, which may refuse the connection, and before what asks for
/// hosts.
pub(crate) const ACCESS_ORDER: Order = Order {
    after: &[c"mod_ssl.c".as_ptr(), core::ptr::null()],
    before: &[c"mod_authz_host.c".as_ptr(), core::ptr::null()],
};

/// The directory that this library was loaded from.
pub(crate) fn own_directory() -> PathBuf {
    // SAFETY: the address is one in this library; the linker fills in the structure, whose file
    // name lives as long as the library.
    let path = unsafe {
        let mut info: libc::Dl_info = core::mem::zeroed();
        let found = libc::dladdr((&raw const wsgi_module).cast(), &raw mut info);
        (found != 0 && !info.dli_fname.is_null()).then(|| CStr::from_ptr(info.dli_fname))
    };
    let path = path.map(|path| Path::new(OsStr::from_bytes(path.to_bytes())));
    let path = path.and_then(|path| path.canonicalize().ok()).unwrap_or_default();
    path.parent().map(Path::to_owned).unwrap_or_default()
}
