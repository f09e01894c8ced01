//! The headers of trusted proxies, applied to a request's environ. A header that says the same as a
//! trusted one, but is not trusted itself, does not reach the application: any client could have
//! sent it.

use std::net::IpAddr;

use super::Environ;
use crate::config::proxy::{CATEGORIES, Form, HEADERS, HeaderCategory, ProxyHeader, Trust};

/// The source of the scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemeSource {
    /// A trusted header spoke about it.
    Header,
    /// It is the connection's.
    Connection,
}

impl Trust<'_> {
    /// Applies the headers to an environ that has the connection's own facts.
    pub fn apply(self, environ: &mut Environ<'_>) -> SchemeSource {
        let peer = text(environ, "REMOTE_ADDR").unwrap_or_default();
        let trusted = self.is_trusted(&peer);
        let mut source = SchemeSource::Connection;
        for category in CATEGORIES {
            let mut last = None;
            let in_category = || self.headers.iter().filter(|header| header.category == category);
            if in_category().next().is_none() {
                continue;
            }
            for header in in_category().filter(|_| trusted) {
                if let Some(value) = text(environ, header.variable) {
                    last = Some(header.variable);
                    self.apply_one(environ, header, &value);
                }
            }
            if category == HeaderCategory::Scheme && last.is_some() {
                source = SchemeSource::Header;
            }
            let others = HEADERS.iter().filter(|header| header.category == category);
            for header in others.filter(|header| Some(header.variable) != last) {
                environ.remove(header.variable.as_bytes());
            }
        }
        source
    }

    fn apply_one(self, environ: &mut Environ<'_>, header: &ProxyHeader, value: &str) {
        let bytes = latin1(value);
        match (header.category, header.form) {
            (_, Form::Chain) => self.apply_chain(environ, header, value),
            (HeaderCategory::Client, _) => environ.set(b"REMOTE_ADDR".as_slice(), bytes),
            (HeaderCategory::Host, _) => environ.set(b"HTTP_HOST".as_slice(), bytes),
            (HeaderCategory::Server, _) => environ.set(b"SERVER_NAME".as_slice(), bytes),
            (HeaderCategory::Port, _) => environ.set(b"SERVER_PORT".as_slice(), bytes),
            (HeaderCategory::ScriptName, _) => {
                environ.set(b"SCRIPT_NAME".as_slice(), bytes.clone());
                environ.set(b"mod_wsgi.mount_point".as_slice(), bytes);
            }
            (HeaderCategory::Scheme, form) => {
                let is = |words: &[&str]| words.iter().any(|word| value.eq_ignore_ascii_case(word));
                let (secure, plain): (&[&str], &[&str]) = match form {
                    Form::SchemeName => (&["https"], &["http"]),
                    _ => (&["on", "true", "1"], &["off", "false", "0"]),
                };
                if is(secure) {
                    environ.set(b"HTTPS".as_slice(), b"1".as_slice());
                } else if is(plain) {
                    environ.remove(b"HTTPS");
                }
            }
        }
    }

    /// The client is the address in front of the last proxies that are trusted. Text in front of it
    /// was not written by any of them, and is cut off.
    fn apply_chain(self, environ: &mut Environ<'_>, header: &ProxyHeader, value: &str) {
        let chain: Vec<&str> =
            value.split(',').map(str::trim).filter(|address| !address.is_empty()).collect();
        if self.proxies.is_none() {
            if let Some(first) = chain.first() {
                environ.set(b"REMOTE_ADDR".as_slice(), latin1(first));
            }
            return;
        }
        let behind = chain.iter().rev().take_while(|address| self.is_trusted(address)).count();
        let untrusted = chain.len() - behind;
        // A name or nonsense is no address; the proxy that heard it is the last thing known.
        let is_address = |index: &usize| chain[*index].parse::<IpAddr>().is_ok();
        let index = untrusted.checked_sub(1).filter(is_address).unwrap_or(untrusted);
        if let Some(client) = chain.get(index) {
            environ.set(b"REMOTE_ADDR".as_slice(), latin1(client));
            environ.set(header.variable.as_bytes(), latin1(&chain[index..].join(", ")));
        }
    }
}

/// A variable's value, each byte as the character of its number.
fn text(environ: &Environ<'_>, variable: &str) -> Option<String> {
    environ.get(variable.as_bytes()).map(|value| value.iter().copied().map(char::from).collect())
}

/// The contrary of [`text`], for what came from there.
fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::proxy::{Subnet, known_header};
    use proptest::prelude::*;

    fn applied(
        headers: &[&str],
        proxies: Option<&[&str]>,
        variables: &[(&'static str, &'static str)],
    ) -> (Vec<(String, String)>, SchemeSource) {
        let headers: Vec<_> = headers.iter().map(|name| known_header(name).unwrap()).collect();
        let proxies: Option<Vec<_>> =
            proxies.map(|list| list.iter().map(|one| Subnet::parse(one).unwrap()).collect());
        let mut environ = Environ::default();
        for (name, value) in variables {
            environ.set(name.as_bytes(), value.as_bytes());
        }
        let source = Trust { headers: &headers, proxies: proxies.as_deref() }.apply(&mut environ);
        let shown = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (environ.iter().map(|(name, value)| (shown(name), shown(value))).collect(), source)
    }

    fn value(
        headers: &[&str],
        proxies: Option<&[&str]>,
        variables: &[(&'static str, &'static str)],
        name: &str,
    ) -> Option<String> {
        let (environ, _) = applied(headers, proxies, variables);
        environ.into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    #[test]
    fn the_client_is_found_in_a_chain() {
        let client = |proxies: Option<&[&str]>, chain: &'static str| {
            let variables = [("REMOTE_ADDR", "10.0.0.9"), ("HTTP_X_FORWARDED_FOR", chain)];
            let get = |name| value(&["X-Forwarded-For"], proxies, &variables, name).unwrap();
            (get("REMOTE_ADDR"), get("HTTP_X_FORWARDED_FOR"))
        };
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(client(None, "1.1.1.1, 2.2.2.2"), pair("1.1.1.1", "1.1.1.1, 2.2.2.2"));
        let trusted: Option<&[&str]> = Some(&["10.0.0.0/8"]);
        assert_eq!(
            client(trusted, "6.6.6.6, 1.1.1.1, 10.0.0.1, 10.0.0.2"),
            pair("1.1.1.1", "1.1.1.1, 10.0.0.1, 10.0.0.2")
        );
        assert_eq!(client(trusted, "10.0.0.1,10.0.0.2"), pair("10.0.0.1", "10.0.0.1, 10.0.0.2"));
        assert_eq!(client(trusted, "6.6.6.6, 1.1.1.1"), pair("1.1.1.1", "1.1.1.1"));
        assert_eq!(client(trusted, "unknown, 10.0.0.2"), pair("10.0.0.2", "10.0.0.2"));
        assert_eq!(client(trusted, "unknown"), pair("10.0.0.9", "unknown"));
    }

    #[test]
    fn strangers_are_not_believed_and_their_headers_removed() {
        let variables = [
            ("REMOTE_ADDR", "9.9.9.9"),
            ("HTTP_X_FORWARDED_FOR", "1.1.1.1"),
            ("HTTP_X_REAL_IP", "1.1.1.1"),
            ("HTTP_X_FORWARDED_HOST", "evil"),
        ];
        let proxies: Option<&[&str]> = Some(&["10.0.0.0/8"]);
        let (environ, _) = applied(&["X-Forwarded-For"], proxies, &variables);
        let names: Vec<_> = environ.iter().map(|(name, _)| name.as_str()).collect();
        // Headers that no directive names are left alone.
        assert_eq!(names, ["REMOTE_ADDR", "HTTP_X_FORWARDED_HOST"]);
    }

    #[test]
    fn the_last_header_of_a_category_wins_and_the_others_go() {
        let variables = [
            ("REMOTE_ADDR", "9.9.9.9"),
            ("HTTP_X_FORWARDED_HOST", "first"),
            ("HTTP_X_HOST", "second"),
            ("HTTP_HOST", "own"),
        ];
        let headers = ["X-Forwarded-Host", "X-Host"];
        assert_eq!(value(&headers, None, &variables, "HTTP_HOST").as_deref(), Some("second"));
        assert_eq!(value(&headers, None, &variables, "HTTP_X_FORWARDED_HOST"), None);
        let one = ["X-Forwarded-Host"];
        assert_eq!(value(&one, None, &variables, "HTTP_HOST").as_deref(), Some("first"));
        assert_eq!(value(&one, None, &variables, "HTTP_X_HOST"), None);
    }

    #[test]
    fn schemes_ports_and_mount_points() {
        let scheme = |name: &'static str, variable: &'static str, text: &'static str| {
            let variables = [(variable, text)];
            let (environ, source) = applied(&[name], None, &variables);
            (environ.iter().any(|(name, _)| name == "HTTPS"), source)
        };
        let proto = |text| scheme("X-Forwarded-Proto", "HTTP_X_FORWARDED_PROTO", text);
        assert_eq!(proto("HTTPS"), (true, SchemeSource::Header));
        assert_eq!(proto("http"), (false, SchemeSource::Header));
        assert_eq!(scheme("X-HTTPS", "HTTP_X_HTTPS", "on"), (true, SchemeSource::Header));
        assert_eq!(scheme("X-HTTPS", "HTTP_X_SCHEME", "https"), (false, SchemeSource::Connection));
        let mount = [("HTTP_X_SCRIPT_NAME", "/sub"), ("SCRIPT_NAME", "")];
        for name in ["SCRIPT_NAME", "mod_wsgi.mount_point"] {
            assert_eq!(value(&["X-Script-Name"], None, &mount, name).as_deref(), Some("/sub"));
        }
        let port = [("HTTP_X_FORWARDED_PORT", "8443"), ("SERVER_PORT", "80")];
        let found = value(&["X-Forwarded-Port"], None, &port, "SERVER_PORT");
        assert_eq!(found.as_deref(), Some("8443"));
    }

    proptest! {
        #[test]
        fn nothing_that_arrives_panics(chain: String) {
            let mut environ = Environ::default();
            environ.set(b"HTTP_X_FORWARDED_FOR".as_slice(), chain.into_bytes());
            let headers = [known_header("X-Forwarded-For").unwrap()];
            let proxies = [Subnet::parse("10.0.0.0/8").unwrap()];
            Trust { headers: &headers, proxies: Some(&proxies) }.apply(&mut environ);
        }
    }
}
