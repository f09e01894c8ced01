//! A request, lent to a hook.
//!
//! httpd and its filters change the record through pointers of their own, so no reference to it is
//! ever formed: fields are read through the raw pointer, one at a time.

use core::ffi::{CStr, c_char, c_void};
use core::marker::PhantomData;
use core::ptr::{self, NonNull};

use httpd_sys as sys;

use crate::body::Input;
use crate::module::Module;
use crate::pool::Pool;
use crate::server::Server;
use crate::table::{Table, TableMut};
use crate::text;

/// A live request that this thread alone works on. It can't be kept beyond the hook.
#[derive(Debug)]
pub struct Request<'r> {
    raw: NonNull<sys::request_rec>,
    pub(crate) input: Input,
    /// Made at the first output, empty between two.
    pub(crate) output: *mut sys::apr_bucket_brigade,
    /// The response was cut short.
    pub(crate) is_cut: bool,
    lives: PhantomData<&'r mut sys::request_rec>,
}

/// The facts about the request that an internal redirect came from.
#[derive(Clone, Copy, Debug)]
pub struct Redirect<'r> {
    /// Its path.
    pub uri: &'r [u8],
    /// Its query.
    pub query: Option<&'r [u8]>,
    /// Its user.
    pub user: Option<&'r [u8]>,
}

/// The kind of a file system entry, as httpd found it while it mapped the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// There is none, or it cannot be looked at.
    Missing,
    /// A directory.
    Directory,
    /// Anything else.
    File,
}

impl<'r> Request<'r> {
    /// # Safety
    /// `raw` is a live request that no other thread works on during `'r`.
    pub(crate) unsafe fn from_raw(raw: *mut sys::request_rec) -> Self {
        let raw = NonNull::new(raw).expect("httpd hands out requests, never null");
        Self {
            raw,
            input: Input::default(),
            output: ptr::null_mut(),
            is_cut: false,
            lives: PhantomData,
        }
    }

    pub(crate) fn as_ptr(&self) -> *mut sys::request_rec {
        self.raw.as_ptr()
    }

    /// The address of httpd's `request_rec`, for foreign C code that knows httpd. It is valid as
    /// long as the request.
    pub fn record(&self) -> *mut c_void {
        self.as_ptr().cast()
    }

    /// The request's pool.
    pub fn pool(&self) -> Pool<'r> {
        // SAFETY: the pool lives as long as the request.
        unsafe { Pool::from_raw((*self.as_ptr()).pool) }
    }

    /// The server that the request is for.
    pub fn server(&self) -> Server<'r> {
        // SAFETY: the configuration outlives every request that it serves.
        unsafe { Server::from_raw((*self.as_ptr()).server) }
    }

    /// This module's configuration for the directory that the request maps to.
    pub fn dir_config<M: Module>(&self) -> &M::Dir {
        // SAFETY: M's record made this configuration with M's own constructor.
        unsafe {
            let config =
                sys::ap_get_module_config((*self.as_ptr()).per_dir_config, M::record().as_ptr());
            &*config.cast::<M::Dir>()
        }
    }

    /// The data that this module keeps for the request.
    pub fn state<M: Module>(&mut self) -> &mut M::Request {
        let (request, record) = (self.as_ptr(), M::record().as_ptr());
        // SAFETY: only this function sets what the module has under its index, and it makes it with
        // the right type, in the request's pool; one thread works on the request, and the borrow
        // keeps others of its functions away.
        unsafe {
            let state = sys::ap_get_module_config((*request).request_config, record);
            if let Some(state) = state.cast::<M::Request>().as_mut() {
                return state;
            }
            let state = self.pool().own(M::Request::default());
            sys::ap_set_module_config(
                (*request).request_config,
                record,
                ptr::from_mut(state).cast(),
            );
            state
        }
    }

    /// A string field of the record.
    fn field(&self, of: impl FnOnce(*mut sys::request_rec) -> *const c_char) -> Option<&[u8]> {
        // SAFETY: httpd's strings live in the request's pool and are replaced, never changed in
        // place, so they outlast this borrow.
        unsafe { text::bytes(of(self.as_ptr())) }
    }

    /// The first line as the client sent it.
    pub fn request_line(&self) -> &[u8] {
        // SAFETY: (of the closures in this file) the record is live.
        self.field(|r| unsafe { (*r).the_request }).unwrap_or_default()
    }

    /// The method.
    pub fn method(&self) -> &[u8] {
        // SAFETY: see above.
        self.field(|r| unsafe { (*r).method }).unwrap_or_default()
    }

    /// The protocol, for instance `HTTP/1.1`.
    pub fn protocol(&self) -> &[u8] {
        // SAFETY: see above.
        self.field(|r| unsafe { (*r).protocol }).unwrap_or_default()
    }

    /// The path of the URI, decoded.
    pub fn uri(&self) -> &[u8] {
        // SAFETY: see above.
        self.field(|r| unsafe { (*r).uri }).unwrap_or_default()
    }

    /// The URI as the client sent it.
    pub fn unparsed_uri(&self) -> &[u8] {
        // SAFETY: see above.
        self.field(|r| unsafe { (*r).unparsed_uri }).unwrap_or_default()
    }

    /// The text behind the `?`.
    pub fn query(&self) -> Option<&[u8]> {
        // SAFETY: see above.
        self.field(|r| unsafe { (*r).args })
    }

    /// The part of the URI behind the file.
    pub fn path_info(&self) -> &[u8] {
        // SAFETY: see above.
        self.field(|r| unsafe { (*r).path_info }).unwrap_or_default()
    }

    /// The file that the URI maps to.
    pub fn filename(&self) -> Option<&[u8]> {
        // SAFETY: see above.
        self.field(|r| unsafe { (*r).filename })
    }

    /// Sets the file that the URI maps to, in the translate-name phase.
    pub fn set_filename(&mut self, path: &[u8]) {
        let path = self.pool().dup_ptr(path);
        // SAFETY: the record is live and the copy lives in its pool.
        unsafe { (*self.as_ptr()).filename = path }
    }

    /// The name of the handler that will answer.
    pub fn handler(&self) -> Option<&[u8]> {
        // SAFETY: see above.
        self.field(|r| unsafe { (*r).handler })
    }

    /// Chooses the handler.
    pub fn set_handler(&mut self, name: &'static CStr) {
        // SAFETY: the record is live and the name is static.
        unsafe { (*self.as_ptr()).handler = name.as_ptr() }
    }

    /// The authenticated user.
    pub fn user(&self) -> Option<&[u8]> {
        // SAFETY: see above.
        self.field(|r| unsafe { (*r).user })
    }

    /// The kind of authentication that was used.
    pub fn auth_type(&self) -> Option<&[u8]> {
        // SAFETY: see above.
        self.field(|r| unsafe { (*r).ap_auth_type })
    }

    /// The client's address, as far as httpd knows it (mod_remoteip may have set it).
    pub fn client_address(&self) -> &[u8] {
        // SAFETY: see above.
        self.field(|r| unsafe { (*r).useragent_ip }).unwrap_or_default()
    }

    /// The client's port.
    pub fn client_port(&self) -> u16 {
        // SAFETY: the connection and its address are live as long as the request.
        unsafe { (*(*(*self.as_ptr()).connection).client_addr).port }
    }

    /// The address and port that the connection came in at.
    pub fn local_address(&self) -> (&[u8], u16) {
        // SAFETY: as above.
        unsafe {
            let connection = (*self.as_ptr()).connection;
            let ip = text::bytes((*connection).local_ip).unwrap_or_default();
            (ip, (*(*connection).local_addr).port)
        }
    }

    /// The host of the address that the server listens at, if it listens at one.
    pub fn local_host(&self) -> Option<&[u8]> {
        // SAFETY: as above.
        unsafe { text::bytes((*(*(*self.as_ptr()).connection).local_addr).hostname) }
    }

    /// Has httpd make the identifiers of request and connection that the log format `%L` writes, if
    /// it has not yet.
    pub fn make_log_ids(&mut self) {
        // SAFETY: request and connection are live; the hook fills in the place that it is given.
        unsafe {
            let request = self.as_ptr();
            let connection = (*request).connection;
            if (*connection).log_id.is_null() {
                let place = (&raw mut (*connection).log_id).cast::<*const c_char>();
                sys::ap_run_generate_log_id(connection, ptr::null(), place);
            }
            if (*request).log_id.is_null() {
                let place = (&raw mut (*request).log_id).cast::<*const c_char>();
                sys::ap_run_generate_log_id(connection, request, place);
            }
        }
    }

    /// The identifiers of request and connection, as far as httpd has made them.
    pub fn log_ids(&self) -> (Option<&[u8]>, Option<&[u8]>) {
        // SAFETY: request and connection are live, and their strings with them.
        unsafe {
            let request = self.as_ptr();
            (text::bytes((*request).log_id), text::bytes((*(*request).connection).log_id))
        }
    }

    /// The request that an internal redirect made this one from.
    pub fn redirected_from(&self) -> Option<Redirect<'_>> {
        // SAFETY: the earlier request lives in the same pool.
        unsafe {
            let earlier = (*self.as_ptr()).prev;
            if earlier.is_null() {
                return None;
            }
            Some(Redirect {
                uri: text::bytes((*earlier).uri).unwrap_or_default(),
                query: text::bytes((*earlier).args),
                user: text::bytes((*earlier).user),
            })
        }
    }

    /// The server's name for itself, after `ServerTokens`.
    pub fn server_banner(&self) -> &[u8] {
        // SAFETY: the banner lives as long as the configuration, and so longer than the request.
        unsafe { text::bytes(sys::ap_get_server_banner()) }.unwrap_or_default()
    }

    /// When httpd read the request line, in microseconds of the Unix epoch.
    pub fn time(&self) -> u64 {
        // SAFETY: the record is live.
        u64::try_from(unsafe { (*self.as_ptr()).request_time }).unwrap_or(0)
    }

    /// The name of the server for making URLs, after `UseCanonicalName`.
    pub fn server_name(&self) -> &[u8] {
        // SAFETY: the request is live; the string lives in its pool or the configuration.
        unsafe { text::bytes(sys::ap_get_server_name(self.as_ptr())) }.unwrap_or_default()
    }

    /// As [`Self::server_name`], with an IPv6 address in brackets.
    pub fn server_name_for_url(&self) -> &[u8] {
        // SAFETY: as above.
        unsafe { text::bytes(sys::ap_get_server_name_for_url(self.as_ptr())) }.unwrap_or_default()
    }

    /// The host of the request: from the URI or the `Host` header, checked by httpd.
    pub fn hostname(&self) -> Option<&[u8]> {
        // SAFETY: see above.
        self.field(|r| unsafe { (*r).hostname })
    }

    /// The port for making URLs, after `UseCanonicalPhysicalPort`.
    pub fn server_port(&self) -> u16 {
        // SAFETY: the request is live.
        unsafe { sys::ap_get_server_port(self.as_ptr()) }
    }

    /// `http` or `https`, as httpd sees it.
    pub fn scheme(&self) -> &[u8] {
        // SAFETY: the request is live; the scheme is a constant of the module that answers.
        unsafe { text::bytes(sys::ap_run_http_scheme(self.as_ptr())) }.unwrap_or(b"http")
    }

    /// `ServerAdmin`.
    pub fn server_admin(&self) -> Option<&[u8]> {
        // SAFETY: request and server are live.
        unsafe { text::bytes((*(*self.as_ptr()).server).server_admin) }
    }

    /// `DocumentRoot`.
    pub fn document_root(&self) -> &[u8] {
        // SAFETY: as above.
        unsafe { text::bytes(sys::ap_document_root(self.as_ptr())) }.unwrap_or_default()
    }

    /// Prefix and root that an alias set for this request.
    pub fn context(&self) -> (&[u8], &[u8]) {
        // SAFETY: as above.
        unsafe {
            let prefix = text::bytes(sys::ap_context_prefix(self.as_ptr()));
            let root = text::bytes(sys::ap_context_document_root(self.as_ptr()));
            (prefix.unwrap_or_default(), root.unwrap_or_default())
        }
    }

    /// The kind of the file that the request's path maps to.
    pub fn file_kind(&self) -> FileKind {
        // SAFETY: the record is live.
        match unsafe { (*self.as_ptr()).finfo.filetype } {
            sys::APR_NOFILE => FileKind::Missing,
            sys::APR_DIR => FileKind::Directory,
            _ => FileKind::File,
        }
    }

    /// When the file that the request's path maps to was changed, in microseconds of the epoch; 0
    /// if httpd has not looked.
    pub fn file_modified(&self) -> i64 {
        // SAFETY: the record is live.
        let info = unsafe { &(*self.as_ptr()).finfo };
        let is_known = info.valid & sys::APR_FINFO_MTIME.cast_signed() != 0;
        if is_known { info.mtime } else { 0 }
    }

    /// Whether `Options ExecCGI` is in force.
    pub fn may_execute(&self) -> bool {
        // SAFETY: the request is live.
        unsafe { sys::ap_allow_options(self.as_ptr()) & sys::OPT_EXECCGI.cast_signed() != 0 }
    }

    /// Whether `AcceptPathInfo Off` is in force.
    pub fn rejects_path_info(&self) -> bool {
        // SAFETY: the record is live.
        let used = unsafe { (*self.as_ptr()).used_path_info };
        used == sys::AP_REQ_REJECT_PATH_INFO.cast_signed()
    }

    /// The directive's `LimitRequestBody`, in bytes; 0 is no limit.
    pub fn body_limit(&self) -> u64 {
        // SAFETY: the request is live.
        u64::try_from(unsafe { sys::ap_get_limit_req_body(self.as_ptr()) }).unwrap_or(0)
    }

    /// The request's headers.
    pub fn headers_in(&self) -> Table<'_> {
        // SAFETY: the tables of a request live as long as the request; what changes them borrows
        // the request mutably.
        unsafe { Table::from_raw((*self.as_ptr()).headers_in) }
    }

    /// As [`Self::headers_in`], to be changed.
    pub fn headers_in_mut(&mut self) -> TableMut<'_> {
        // SAFETY: as above; the borrow keeps readers away.
        unsafe { TableMut::from_raw((*self.as_ptr()).headers_in, self.pool()) }
    }

    /// The environment that other modules and `SetEnv` made for the request.
    pub fn environment(&self) -> Table<'_> {
        // SAFETY: as above.
        unsafe { Table::from_raw((*self.as_ptr()).subprocess_env) }
    }

    /// The notes of modules to each other about the request.
    pub fn notes(&self) -> Table<'_> {
        // SAFETY: as above.
        unsafe { Table::from_raw((*self.as_ptr()).notes) }
    }

    /// As [`Self::notes`], to be changed.
    pub fn notes_mut(&mut self) -> TableMut<'_> {
        // SAFETY: as above; the borrow keeps readers away.
        unsafe { TableMut::from_raw((*self.as_ptr()).notes, self.pool()) }
    }

    /// The core's configuration for the directory that the request maps to.
    fn core_config(&self) -> *const sys::core_dir_config {
        // SAFETY: httpd's core always has a directory configuration of this type.
        unsafe { sys::ap_get_core_module_config((*self.as_ptr()).per_dir_config).cast() }
    }

    /// Whether `CGIPassAuth On` is in force.
    pub fn cgi_pass_auth(&self) -> bool {
        // SAFETY: the configuration lives as long as the request; the field is a number.
        let value = unsafe { sys::core_dir_config::cgi_pass_auth_raw(self.core_config()) };
        value == sys::AP_CGI_PASS_AUTH_ON
    }

    /// Whether `EnableSendfile Off` is in force.
    pub fn sendfile_is_off(&self) -> bool {
        // SAFETY: as above.
        let value = unsafe { sys::core_dir_config::enable_sendfile_raw(self.core_config()) };
        value == sys::ENABLE_SENDFILE_OFF
    }

    /// Whether `CGIVar REQUEST_URI current-uri` is in force.
    pub fn cgi_uri_is_current(&self) -> bool {
        // SAFETY: the table, where there is one, lives as long as the configuration; the key is a C
        // string, as the length says, and the values are C strings.
        unsafe {
            let rules = (*self.core_config()).cgi_var_rules;
            if rules.is_null() {
                return false;
            }
            let key = c"REQUEST_URI";
            let rule = sys::apr_hash_get(rules, key.as_ptr().cast(), -1);
            text::bytes(rule.cast()) == Some(b"current-uri")
        }
    }

    /// Whether mod_ssl (or its like) serves the connection.
    pub fn is_tls(&self) -> bool {
        // SAFETY: the connection is live.
        unsafe { sys::ap_ssl_conn_is_ssl((*self.as_ptr()).connection) != 0 }
    }

    /// Whether the first output filter works on content, so that a body is needed for `HEAD` too.
    pub fn has_content_filter(&self) -> bool {
        // SAFETY: the first filter and its record are live as long as the request.
        unsafe {
            let filter = (*self.as_ptr()).output_filters;
            !filter.is_null() && (*(*filter).frec).ftype < sys::AP_FTYPE_PROTOCOL
        }
    }
}
