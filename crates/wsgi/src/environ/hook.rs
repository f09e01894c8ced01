//! The environ of the hooks for access, users and groups: that of a request, as far as it is known
//! before the user and the file of the request are known.

use super::{Environ, RequestFacts, script_name};

/// The facts that a hook sees beyond those that a request's environ is made of.
#[derive(Clone, Copy, Debug)]
pub struct HookFacts<'a> {
    /// The line that httpd writes under the pages that it makes; may be empty.
    pub server_signature: &'a [u8],
    /// The client's name, if it was looked up.
    pub remote_host: Option<&'a [u8]>,
}

/// Variables that are not for hooks: those that depend on their own answer or on what comes after
/// it, and those that mod_wsgi does not show them either.
const HIDDEN: [&[u8]; 12] = [
    b"AUTH_TYPE",
    b"CONTEXT_DOCUMENT_ROOT",
    b"CONTEXT_PREFIX",
    b"HTTPS",
    b"REDIRECT_QUERY_STRING",
    b"REDIRECT_REMOTE_USER",
    b"REDIRECT_URL",
    b"REMOTE_USER",
    b"REQUEST_SCHEME",
    b"SCRIPT_FILENAME",
    b"mod_wsgi.path_info",
    b"mod_wsgi.script_name",
];

impl<'a> Environ<'a> {
    /// Builds the environ of a hook. The headers of proxies are applied as in a request's environ,
    /// and the request's own environment (`SetEnv`) is left out.
    pub fn build_for_hook(
        facts: &RequestFacts<'a>,
        more: HookFacts<'a>,
        headers: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
    ) -> Self {
        let mut environ = Self::build(facts, [], headers);
        // Slashes stay as they are, for rules that look at them; a proxy's mount point counts.
        if environ.get(b"mod_wsgi.mount_point").is_none() {
            environ.set_text("SCRIPT_NAME", script_name(facts.uri, facts.path_info));
        }
        environ.set_text("PATH_INFO", facts.path_info);
        environ.set_text("SERVER_SIGNATURE", more.server_signature);
        // The name is the connection's; a client that a proxy tells about has another.
        let direct = environ.get(b"REMOTE_ADDR") == Some(facts.remote_address);
        if let Some(host) = more.remote_host.filter(|_| direct) {
            environ.set_text("REMOTE_HOST", host);
        }
        for name in HIDDEN {
            environ.remove(name);
        }
        environ
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::proxy::{Trust, known_header};
    use crate::environ::tests::facts;

    const MORE: HookFacts<'static> =
        HookFacts { server_signature: b"", remote_host: Some(b"client.example") };

    #[test]
    fn hooks_see_less_than_applications() {
        let facts =
            RequestFacts { user: Some(b"u"), auth_type: Some(b"Basic"), tls: true, ..facts() };
        let headers = [(b"Proxy".as_slice(), b"evil".as_slice()), (b"Authorization", b"Basic x")];
        let environ = Environ::build_for_hook(&facts, MORE, headers);
        let names: Vec<_> = environ.iter().map(|(name, _)| name.to_vec()).collect();
        assert!(names.iter().all(|name| !HIDDEN.contains(&name.as_slice())), "{names:?}");
        assert!(!names.iter().any(|name| name.starts_with(b"HTTP_")));
        assert_eq!(environ.get(b"SCRIPT_NAME"), Some(b"/app x".as_slice()));
        assert_eq!(environ.get(b"PATH_INFO"), Some(b"//y".as_slice()));
        assert_eq!(environ.get(b"REMOTE_HOST"), Some(b"client.example".as_slice()));
        assert_eq!(environ.get(b"SERVER_SIGNATURE"), Some(b"".as_slice()));
    }

    #[test]
    fn trusted_proxies_are_believed() {
        let headers: Vec<_> =
            ["X-Real-IP", "X-Script-Name"].into_iter().filter_map(known_header).collect();
        let facts =
            RequestFacts { trust: Some(Trust { headers: &headers, proxies: None }), ..facts() };
        let sent = [(b"X-Real-IP".as_slice(), b"1.2.3.4".as_slice()), (b"X-Script-Name", b"/m")];
        let environ = Environ::build_for_hook(&facts, MORE, sent);
        assert_eq!(environ.get(b"REMOTE_ADDR"), Some(b"1.2.3.4".as_slice()));
        assert_eq!(environ.get(b"SCRIPT_NAME"), Some(b"/m".as_slice()));
        assert_eq!(environ.get(b"REMOTE_HOST"), None);
    }
}
