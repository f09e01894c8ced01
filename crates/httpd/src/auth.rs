//! Access control: the access-checker hook, and providers for mod_auth_basic, mod_auth_digest and
//! mod_authz_core.

use core::ffi::{CStr, c_char, c_int, c_void};
use core::marker::PhantomData;
use core::ptr;

use httpd_sys as sys;

use crate::module::{Module, Order, PanicLog, Status};
use crate::pool::Pool;
use crate::request::Request;
use crate::text;
use crate::trap::trap;

/// The answer of an authentication provider about a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Password {
    /// The user is who he says.
    Granted,
    /// He is not, and no other provider is asked.
    Denied,
    /// The provider does not know him; the next one is asked.
    Unknown,
    /// The provider has failed: status 500.
    Failed,
}

/// The answer of an authentication provider for digests about a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RealmHash {
    /// The MD5 of `user:realm:password`, in hexadecimal digits.
    Hash(Vec<u8>),
    /// The provider does not know the user; the next one is asked.
    Unknown,
    /// The provider has failed: status 500.
    Failed,
}

/// The answer of an authorisation provider to a `Require` line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authorization {
    /// It is fulfilled.
    Granted,
    /// It is not.
    Denied,
    /// It cannot be, because there is no user yet.
    NoUser,
    /// The provider has failed: status 500, however the line is combined with others.
    Failed,
}

/// A `Require` line for the authorisation provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The text behind the provider's name.
    pub arguments: Vec<u8>,
    /// Whether the line may stand in `<RequireNone>` or behind `Require not`, where a denial lets
    /// the request through.
    pub may_be_negated: bool,
}

/// The part of a module that guards requests. Every function may be called by many threads at a
/// time.
pub trait Guard {
    /// The name of the authentication provider.
    const AUTHN_PROVIDER: &'static CStr;
    /// The name of the authorisation provider.
    const AUTHZ_PROVIDER: &'static CStr;
    /// The order of the access-checker hook.
    const ACCESS_ORDER: Order;

    /// Whether the client may have what it asks for, regardless of its user.
    fn check_access(request: &mut Request<'_>) -> Status;
    /// Whether a password is the user's; may rename the user.
    fn check_password(request: &mut Request<'_>, user: &[u8], password: &[u8]) -> Password;
    /// The hash of a user's password.
    fn realm_hash(request: &mut Request<'_>, user: &[u8], realm: &[u8]) -> RealmHash;
    /// Checks the arguments of a `Require` line; the error says what is wrong with them.
    fn check_requirement(arguments: &[u8]) -> Result<(), String>;
    /// Whether the user fulfils a `Require` line.
    fn authorize(request: &mut Request<'_>, requirement: &Requirement) -> Authorization;
}

/// Registers hook and providers.
///
/// # Safety
/// Called while httpd loads the module, with the pool that it gives for that.
pub(crate) unsafe fn register<M: Module>(pool: *mut sys::apr_pool_t) {
    let middle = sys::APR_HOOK_MIDDLE.cast_signed();
    // httpd leaves sub-requests alone that have the configuration of their request.
    let kind = sys::AP_AUTH_INTERNAL_PER_CONF.cast_signed();
    let Order { after, before } = M::ACCESS_ORDER;
    // SAFETY: functions, names and structures stay valid because the library is never unloaded; the
    // lists of names end with a null pointer; each structure is of the type that goes with its
    // group.
    unsafe {
        sys::ap_hook_check_access(
            Some(check_access::<M>),
            after.as_ptr(),
            before.as_ptr(),
            middle,
            kind,
        );
        let providers = [
            (sys::AUTHN_PROVIDER_GROUP, M::AUTHN_PROVIDER, Providers::<M>::AUTHN),
            (sys::AUTHZ_PROVIDER_GROUP, M::AUTHZ_PROVIDER, Providers::<M>::AUTHZ),
        ];
        for (group, name, provider) in providers {
            let version = sys::AUTHN_PROVIDER_VERSION.as_ptr().cast();
            sys::ap_register_auth_provider(
                pool,
                group.as_ptr().cast(),
                name.as_ptr(),
                version,
                provider,
                kind,
            );
        }
    }
}

const _: () = assert!(
    matches!((sys::AUTHN_PROVIDER_VERSION, sys::AUTHZ_PROVIDER_VERSION), (b"0\0", b"0\0")),
    "both providers are registered under one version"
);

struct Providers<M>(PhantomData<M>);

impl<M: Module> Providers<M> {
    const AUTHN: *const c_void = ptr::from_ref(&sys::authn_provider {
        check_password: Some(check_password::<M>),
        get_realm_hash: Some(get_realm_hash::<M>),
    })
    .cast();
    const AUTHZ: *const c_void = ptr::from_ref(&sys::authz_provider {
        check_authorization: Some(check_authorization::<M>),
        parse_require_line: Some(parse_require_line::<M>),
    })
    .cast();
}

// SAFETY (of the functions below): httpd and its modules call them with live requests that this
// thread alone works on, and with C strings that live as long as those.

/// # Safety
/// See above.
unsafe extern "C" fn check_access<M: Module>(request: *mut sys::request_rec) -> c_int {
    // SAFETY: see above.
    let mut request = unsafe { Request::from_raw(request) };
    guarded::<M, _>(&mut request, M::check_access).unwrap_or(Status::Http(500)).number()
}

/// # Safety
/// See above.
unsafe extern "C" fn check_password<M: Module>(
    request: *mut sys::request_rec,
    user: *const c_char,
    password: *const c_char,
) -> sys::authn_status {
    // SAFETY: see above.
    let (mut request, user, password) = unsafe {
        let (user, password) = (text::bytes(user), text::bytes(password));
        (Request::from_raw(request), user.unwrap_or_default(), password.unwrap_or_default())
    };
    match guarded::<M, _>(&mut request, |request| M::check_password(request, user, password)) {
        Some(Password::Granted) => sys::AUTH_GRANTED,
        Some(Password::Denied) => sys::AUTH_DENIED,
        Some(Password::Unknown) => sys::AUTH_USER_NOT_FOUND,
        Some(Password::Failed) | None => sys::AUTH_GENERAL_ERROR,
    }
}

/// # Safety
/// See above; `place` takes a string.
unsafe extern "C" fn get_realm_hash<M: Module>(
    request: *mut sys::request_rec,
    user: *const c_char,
    realm: *const c_char,
    place: *mut *mut c_char,
) -> sys::authn_status {
    // SAFETY: see above.
    let (mut request, user, realm) = unsafe {
        let (user, realm) = (text::bytes(user), text::bytes(realm));
        (Request::from_raw(request), user.unwrap_or_default(), realm.unwrap_or_default())
    };
    match guarded::<M, _>(&mut request, |request| M::realm_hash(request, user, realm)) {
        Some(RealmHash::Hash(hash)) => {
            // SAFETY: see above; the copy lives as long as the request.
            unsafe { *place = request.pool().dup_ptr(&hash) };
            sys::AUTH_USER_FOUND
        }
        Some(RealmHash::Unknown) => sys::AUTH_USER_NOT_FOUND,
        Some(RealmHash::Failed) | None => sys::AUTH_GENERAL_ERROR,
    }
}

/// # Safety
/// See above; `parsed` is what [`parse_require_line`] made.
unsafe extern "C" fn check_authorization<M: Module>(
    request: *mut sys::request_rec,
    _line: *const c_char,
    parsed: *const c_void,
) -> sys::authz_status {
    // SAFETY: see above; what was parsed lives as long as the configuration.
    let (mut request, requirement) =
        unsafe { (Request::from_raw(request), parsed.cast::<Requirement>().as_ref()) };
    let authorize = |request: &mut Request<'_>| match requirement {
        Some(requirement) => M::authorize(request, requirement),
        None => Authorization::Failed,
    };
    match guarded::<M, _>(&mut request, authorize) {
        Some(Authorization::Granted) => sys::AUTHZ_GRANTED,
        Some(Authorization::Denied) => sys::AUTHZ_DENIED,
        Some(Authorization::NoUser) => sys::AUTHZ_DENIED_NO_USER,
        Some(Authorization::Failed) | None => sys::AUTHZ_GENERAL_ERROR,
    }
}

/// # Safety
/// mod_authz_core calls it while it reads a configuration, with live parameters, a C string and a
/// place for what is made of it.
unsafe extern "C" fn parse_require_line<M: Module>(
    command: *mut sys::cmd_parms,
    line: *const c_char,
    place: *mut *const c_void,
) -> *const c_char {
    // SAFETY: see above. The new values live in the configuration's pool.
    unsafe {
        let pool = Pool::from_raw((*command).pool);
        let arguments = text::bytes(line).unwrap_or_default().to_vec();
        let checked = trap(|| M::check_requirement(&arguments));
        match checked.unwrap_or_else(|panic| Err(format!("internal error: {panic}"))) {
            Ok(()) => {
                let may_be_negated = may_be_negated((*command).directive);
                let requirement = pool.own(Requirement { arguments, may_be_negated });
                *place = ptr::from_mut(requirement).cast_const().cast();
                ptr::null()
            }
            Err(text) => pool.dup(text.as_bytes()).as_ptr(),
        }
    }
}

/// Whether a denial by the `Require` of this directive may count as a permission.
///
/// # Safety
/// `directive` is null or one of the configuration that is being read.
unsafe fn may_be_negated(directive: *const sys::ap_directive_t) -> bool {
    if directive.is_null() {
        return true;
    }
    // SAFETY: the directives around one live as long as it does.
    unsafe {
        let arguments = text::bytes((*directive).args).unwrap_or_default();
        let first = arguments.split(u8::is_ascii_whitespace).find(|word| !word.is_empty());
        if first.is_some_and(|word| word.eq_ignore_ascii_case(b"not")) {
            return true;
        }
        let mut around = directive;
        while !around.is_null() {
            let name = text::bytes((*around).directive).unwrap_or_default();
            // The line that an alias stands for is used elsewhere, in whatever way.
            if [b"<RequireNone".as_slice(), b"<AuthzProviderAlias"].iter().any(|section| {
                name.get(..section.len()).is_some_and(|name| name.eq_ignore_ascii_case(section))
            }) {
                return true;
            }
            around = (*around).parent;
        }
    }
    false
}

/// The result of a callback; `None` if it panicked, which is logged and refuses the client.
fn guarded<M: Module, R>(
    request: &mut Request<'_>,
    callback: impl FnOnce(&mut Request<'_>) -> R,
) -> Option<R> {
    match trap(|| callback(request)) {
        Ok(result) => Some(result),
        Err(panic) => {
            M::panicked(PanicLog::Request(request), "checking the request", &panic);
            None
        }
    }
}

/// Whether a name is looked up for an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookUp {
    /// Where `HostnameLookups` says so.
    AsConfigured,
    /// Always; the name counts only if it leads back to the address.
    Checked,
}

impl Request<'_> {
    /// The client's name; `None` if it has none or none was looked up.
    pub fn client_name(&self, look_up: LookUp) -> Option<&[u8]> {
        let kind = match look_up {
            LookUp::AsConfigured => sys::REMOTE_HOST,
            LookUp::Checked => sys::REMOTE_DOUBLE_REV,
        };
        // SAFETY: the request is live; the name lives as long as its connection.
        unsafe {
            let nowhere = ptr::null_mut();
            text::bytes(sys::ap_get_useragent_host(self.as_ptr(), kind.cast_signed(), nowhere))
        }
    }

    /// Sets the authenticated user.
    pub fn set_user(&mut self, name: &[u8]) {
        let name = self.pool().dup_ptr(name);
        // SAFETY: the record is live and the copy lives in its pool.
        unsafe { (*self.as_ptr()).user = name }
    }

    /// The line that httpd writes under the pages that it makes (`ServerSignature`); may be empty.
    pub fn server_signature(&self) -> &[u8] {
        // SAFETY: the request is live; the text lives in its pool or is a constant.
        unsafe { text::bytes(sys::ap_psignature(c"".as_ptr(), self.as_ptr())) }.unwrap_or_default()
    }

    /// Whether `Satisfy Any` is in force and there is an authentication that may satisfy instead.
    pub fn authentication_may_satisfy(&self) -> bool {
        // SAFETY: the request is live.
        unsafe {
            sys::ap_satisfies(self.as_ptr()) == sys::SATISFY_ANY.cast_signed()
                && sys::ap_some_auth_required(self.as_ptr()) != 0
        }
    }

    /// The value of a variable of mod_ssl's; `None` if it has none, or there is no mod_ssl.
    pub fn tls_variable(&self, name: &[u8]) -> Option<&[u8]> {
        let name = std::ffi::CString::new(name).ok()?;
        // SAFETY: request, connection and server are live, and the name is a C string; the value
        // lives in the request's pool or longer.
        unsafe {
            let request = self.as_ptr();
            let (server, connection) = ((*request).server, (*request).connection);
            let pool = self.pool().as_ptr();
            text::bytes(sys::ap_ssl_var_lookup(pool, server, connection, request, name.as_ptr()))
        }
    }
}
