//! Directives: httpd's command table and what it says when it meets one.

use core::ffi::{CStr, c_char, c_int, c_void};
use core::marker::PhantomData;
use core::ptr;

use httpd_sys as sys;

use crate::module::Module;
use crate::pool::Pool;
use crate::regex::Regex;
use crate::text;
use crate::trap::trap;

/// Where a directive may stand, and what httpd says of it.
#[derive(Clone, Copy, Debug)]
pub struct CommandRecord {
    /// Its name.
    pub name: &'static CStr,
    /// The contexts that it is allowed in.
    pub context: Context,
    /// One line about its arguments, shown by `httpd -L`.
    pub usage: &'static CStr,
}

/// Where a directive is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// Inside `<VirtualHost>` (it always may stand in the main server).
    pub virtual_host: bool,
    /// Inside `<Directory>`, `<Location>` and `<Files>`.
    pub directory: bool,
    /// In `.htaccess`, where `AllowOverride` names this class.
    pub htaccess: Option<Override>,
}

/// A class of `AllowOverride`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Override {
    /// `FileInfo`.
    FileInfo,
    /// `AuthConfig`.
    AuthConfig,
}

/// A command table for httpd with room for `N` entries, the last of which is its end mark.
#[repr(transparent)]
pub struct CommandTable<const N: usize>([sys::command_rec; N]);

// SAFETY: the table is never written; its pointers lead to constants.
unsafe impl<const N: usize> Sync for CommandTable<N> {}

impl<const N: usize> CommandTable<N> {
    /// The table of `directives`, of which there must be `N - 1`.
    ///
    /// # Panics
    /// (While compiling) if the number does not fit.
    pub const fn new<M: Module>(directives: &[CommandRecord]) -> Self {
        assert!(directives.len() + 1 == N, "one place more than directives is needed");
        let mut table = [END; N];
        let mut place = 0;
        while place < directives.len() {
            let directive = &directives[place];
            table[place] = sys::command_rec {
                name: directive.name.as_ptr(),
                func: sys::cmd_func { raw_args: Some(raw_args::<M>) },
                cmd_data: ptr::without_provenance_mut(place),
                req_override: req_override(directive.context),
                args_how: sys::RAW_ARGS,
                errmsg: directive.usage.as_ptr(),
            };
            place += 1;
        }
        Self(table)
    }

    pub(crate) const fn as_ptr(&'static self) -> *const sys::command_rec {
        self.0.as_ptr()
    }
}

const END: sys::command_rec = sys::command_rec {
    name: ptr::null(),
    func: sys::cmd_func { no_args: None },
    cmd_data: ptr::null_mut(),
    req_override: 0,
    args_how: sys::RAW_ARGS,
    errmsg: ptr::null(),
};

const fn req_override(context: Context) -> c_int {
    let mut bits = sys::RSRC_CONF;
    if context.directory {
        bits |= sys::ACCESS_CONF;
    }
    bits |= match context.htaccess {
        Some(Override::FileInfo) => sys::OR_FILEINFO,
        Some(Override::AuthConfig) => sys::OR_AUTHCFG,
        None => 0,
    };
    bits.cast_signed()
}

/// The state of a directive that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// It is done with.
    Done,
    /// It opens a section: httpd reads the directives in it, and then [`Module::section_end`] is
    /// called.
    Section,
}

/// A directive that httpd has met in the configuration.
#[derive(Debug)]
pub struct Command<'c> {
    raw: *mut sys::cmd_parms,
    lives: PhantomData<&'c mut sys::cmd_parms>,
}

impl Command<'_> {
    /// The pool that the configuration lives in.
    pub fn pool(&self) -> Pool<'_> {
        // SAFETY: httpd gives the configuration's pool with each directive.
        unsafe { Pool::from_raw((*self.raw).pool) }
    }

    /// Whether it stands inside a `<VirtualHost>`.
    pub fn in_virtual_host(&self) -> bool {
        // SAFETY: the parameters and the server are live during the callback.
        unsafe { (*(*self.raw).server).is_virtual != 0 }
    }

    /// The path of the section such as `<Directory>` or `<Location>` that it stands in.
    pub fn section(&self) -> Option<String> {
        // SAFETY: the parameters are live during the callback.
        let path = unsafe { text::bytes((*self.raw).path) }?;
        Some(String::from_utf8_lossy(path).into_owned())
    }

    /// The names of the directives in the section that this one opens.
    pub fn inside(&self) -> Vec<String> {
        let mut names = Vec::new();
        // SAFETY: httpd has read the whole section into a tree, which lives as long as the
        // configuration, before it calls back.
        unsafe {
            let directive = (*self.raw).directive;
            let mut child =
                if directive.is_null() { ptr::null_mut() } else { (*directive).first_child };
            while !child.is_null() {
                let name = text::bytes((*child).directive).unwrap_or_default();
                names.push(String::from_utf8_lossy(name).into_owned());
                child = (*child).next;
            }
        }
        names
    }

    /// The file and line that it stands in.
    pub fn place(&self) -> (String, u32) {
        // SAFETY: the directive record is live during the callback.
        unsafe {
            let directive = (*self.raw).directive;
            if directive.is_null() {
                return (String::new(), 0);
            }
            let file = text::bytes((*directive).filename).unwrap_or_default();
            let line = u32::try_from((*directive).line_num).unwrap_or(0);
            (String::from_utf8_lossy(file).into_owned(), line)
        }
    }

    /// Whether it stands in `.htaccess`, which is read while requests are served.
    pub fn in_htaccess(&self) -> bool {
        // SAFETY: the parameters are live during the callback; a refusal is a text in their pool.
        unsafe {
            let refusal = sys::ap_check_cmd_context(self.raw, sys::NOT_IN_HTACCESS);
            !refusal.is_null()
        }
    }

    /// Compiles a pattern that lives as long as the configuration; `None` if it is malformed.
    pub fn regex(&self, pattern: &str) -> Option<Regex> {
        Regex::compile(self.pool(), pattern)
    }
}

/// httpd's callback for every directive of the module.
///
/// # Safety
/// httpd calls it while it reads the configuration, with live parameters, this module's directory
/// configuration, and the text of the arguments.
///
/// `.htaccess` is read while other threads read the server's configuration, which is therefore out
/// of reach then: directives get a server configuration that is thrown away.
unsafe extern "C" fn raw_args<M: Module>(
    parms: *mut sys::cmd_parms,
    dir: *mut c_void,
    arguments: *const c_char,
) -> *const c_char {
    // SAFETY: see above. The configuration vectors of this module are made by M's constructors, and
    // no other code holds a reference to them while httpd reads the configuration; that of a
    // directory in `.htaccess` belongs to the request.
    unsafe {
        let pool = Pool::from_raw((*parms).pool);
        let place = (*parms).info.addr();
        let arguments = text::bytes(arguments).unwrap_or_default();
        let server =
            sys::ap_get_module_config((*(*parms).server).module_config, M::record().as_ptr());
        let result = trap(|| {
            let arguments = str::from_utf8(arguments)
                .map_err(|_| "the arguments are not UTF-8; write them in UTF-8".to_owned())?;
            let command = Command { raw: parms, lives: PhantomData };
            let dir = &mut *dir.cast::<M::Dir>();
            if command.in_htaccess() {
                return M::directive(place, arguments, &command, &mut M::create_server(), dir);
            }
            M::directive(place, arguments, &command, &mut *server.cast::<M::Server>(), dir)
        });
        match result {
            Ok(Ok(Read::Done)) => ptr::null(),
            Ok(Ok(Read::Section)) => {
                // Calls back for each directive: no reference to a configuration is held here.
                let children = (*(*parms).directive).first_child;
                let error = sys::ap_walk_config(children, parms, (*parms).context);
                let server = &mut *server.cast::<M::Server>();
                match trap(|| M::section_end(server)) {
                    Ok(()) => error,
                    Err(panic) => internal_error(pool, &panic),
                }
            }
            Ok(Err(text)) => pool.dup(text.as_bytes()).as_ptr(),
            Err(panic) => internal_error(pool, &panic),
        }
    }
}

fn internal_error(pool: Pool<'_>, panic: &str) -> *const c_char {
    pool.dup(format!("internal error: {panic}").as_bytes()).as_ptr()
}
