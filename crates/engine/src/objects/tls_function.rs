//! `mod_ssl.is_https` and `mod_ssl.var_lookup` in a hook's environ.

use std::ffi::CStr;
use std::sync::Arc;

use python::{Arguments, Call, Class, Error, Exception, Members, Object, Result};

use crate::request::lease::Lease;

/// A function about the client's connection, good until its hook has returned.
pub(crate) enum TlsFunction {
    /// Whether the connection uses TLS: 0 or 1.
    IsHttps(Arc<Lease>, bool),
    /// The value of a variable of mod_ssl's.
    VarLookup(Arc<Lease>),
}

impl Class for TlsFunction {
    const NAME: &'static CStr = c"mod_wsgi.TlsFunction";
    const DOC: &'static CStr = c"Asks httpd about the TLS of a client's connection.";

    fn members() -> Members<Self> {
        Members::new().call()
    }
}

impl Call for TlsFunction {
    fn call<'py>(
        &self,
        object: &Object<'py>,
        arguments: Arguments<'py>,
    ) -> Result<'py, Object<'py>> {
        let py = object.py();
        match self {
            Self::IsHttps(lease, tls) => {
                let [] = arguments.positional("is_https", 0)?;
                lease.quick(py, |_| ())?;
                py.int(i64::from(*tls))
            }
            Self::VarLookup(lease) => {
                let [Some(name)] = arguments.positional("var_lookup", 1)? else {
                    return Ok(py.none());
                };
                let name = if name.is_bytes() {
                    name.as_bytes()?.to_vec()
                } else if name.is_str() {
                    name.latin1()?
                } else {
                    let found = name.type_name();
                    let text = format!("the name of a variable is str or bytes, not {found}");
                    return Err(Error::new(py, Exception::TypeError, &text));
                };
                let value = lease.with(py, |live| live.exchange.tls_variable(&name))?;
                value.map_or_else(|| Ok(py.none()), |value| py.latin1(&value))
            }
        }
    }
}
