//! Headers of proxies in front of httpd, believed where the configuration says so.
//!
//! `WSGITrustedProxyHeaders` names the headers, `WSGITrustedProxies` the proxies (all peers, if it is
//! not given). A header that says the same as a trusted one, but is not trusted itself, must not reach
//! the application: it could come from anybody.

use std::net::IpAddr;

use crate::environ::Environ;

/// What a proxy's header is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Category {
    Client,
    Host,
    Server,
    Port,
    ScriptName,
    Scheme,
}

const CATEGORIES: [Category; 6] = [
    Category::Client,
    Category::Host,
    Category::Server,
    Category::Port,
    Category::ScriptName,
    Category::Scheme,
];

/// How the value of a header is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// As it is.
    Verbatim,
    /// A list of addresses, each proxy adding the one that it heard from.
    Chain,
    /// `http` or `https`.
    SchemeName,
    /// `on`, `true`, `1`, or the contrary.
    Flag,
}

/// A header that a proxy may set.
#[derive(Debug, PartialEq, Eq)]
pub struct ProxyHeader {
    variable: &'static str,
    category: Category,
    form: Form,
}

const fn header(variable: &'static str, category: Category, form: Form) -> ProxyHeader {
    ProxyHeader { variable, category, form }
}

/// All headers that mean something here.
static HEADERS: [ProxyHeader; 15] = [
    header("HTTP_X_FORWARDED_FOR", Category::Client, Form::Chain),
    header("HTTP_X_CLIENT_IP", Category::Client, Form::Verbatim),
    header("HTTP_X_REAL_IP", Category::Client, Form::Verbatim),
    header("HTTP_X_FORWARDED_HOST", Category::Host, Form::Verbatim),
    header("HTTP_X_HOST", Category::Host, Form::Verbatim),
    header("HTTP_X_FORWARDED_SERVER", Category::Server, Form::Verbatim),
    header("HTTP_X_FORWARDED_PORT", Category::Port, Form::Verbatim),
    header("HTTP_X_SCRIPT_NAME", Category::ScriptName, Form::Verbatim),
    header("HTTP_X_FORWARDED_SCRIPT_NAME", Category::ScriptName, Form::Verbatim),
    header("HTTP_X_FORWARDED_PROTO", Category::Scheme, Form::SchemeName),
    header("HTTP_X_FORWARDED_SCHEME", Category::Scheme, Form::SchemeName),
    header("HTTP_X_SCHEME", Category::Scheme, Form::SchemeName),
    header("HTTP_X_FORWARDED_HTTPS", Category::Scheme, Form::Flag),
    header("HTTP_X_FORWARDED_SSL", Category::Scheme, Form::Flag),
    header("HTTP_X_HTTPS", Category::Scheme, Form::Flag),
];

/// The header called `name`, if it is one that means something here.
pub fn known_header(name: &str) -> Option<&'static ProxyHeader> {
    let variable = crate::environ::header_variable(name.as_bytes());
    HEADERS.iter().find(|header| header.variable.as_bytes() == variable)
}

/// Addresses with a common beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subnet {
    address: u128,
    mask: u128,
}

impl Subnet {
    /// Reads `address`, `address/length` or `address/mask`.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, rest) = match text.split_once('/') {
            Some((address, rest)) => (address, Some(rest)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let (width, offset) = if address.is_ipv4() { (32, 96) } else { (128, 0) };
        let mask = match rest {
            None => u128::MAX,
            Some(rest) => match rest.parse::<u32>() {
                Ok(length) if length <= width => mask_of_length(length + offset),
                Ok(_) => return None,
                Err(_) => {
                    let mask: IpAddr = rest.parse().ok()?;
                    if mask.is_ipv4() != address.is_ipv4() {
                        return None;
                    }
                    let high = mask_of_length(offset);
                    high | (number(mask) & !high)
                }
            },
        };
        Some(Self { address: number(address) & mask, mask })
    }

    fn contains(self, address: IpAddr) -> bool {
        number(address) & self.mask == self.address
    }
}

fn mask_of_length(length: u32) -> u128 {
    u128::MAX.checked_shl(128 - length).unwrap_or(0)
}

/// IPv4 addresses as IPv6 maps them, so that both forms of one are alike.
fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_ipv6_mapped()),
        IpAddr::V6(address) => u128::from(address),
    }
}

/// Whom to believe what.
#[derive(Clone, Copy, Debug)]
pub struct Trust<'t> {
    /// The headers, in the order in which they count.
    pub headers: &'t [&'static ProxyHeader],
    /// The proxies; `None` for every peer.
    pub proxies: Option<&'t [Subnet]>,
}

/// What became of the scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemeSource {
    /// A trusted header spoke about it.
    Header,
    /// It is the connection's.
    Connection,
}

impl Trust<'_> {
    fn is_trusted(self, address: &str) -> bool {
        let Some(proxies) = self.proxies else { return true };
        let address = address.parse::<IpAddr>();
        address.is_ok_and(|address| proxies.iter().any(|proxy| proxy.contains(address)))
    }

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
            if category == Category::Scheme && last.is_some() {
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
            (Category::Client, _) => environ.set(b"REMOTE_ADDR".as_slice(), bytes),
            (Category::Host, _) => environ.set(b"HTTP_HOST".as_slice(), bytes),
            (Category::Server, _) => environ.set(b"SERVER_NAME".as_slice(), bytes),
            (Category::Port, _) => environ.set(b"SERVER_PORT".as_slice(), bytes),
            (Category::ScriptName, _) => {
                environ.set(b"SCRIPT_NAME".as_slice(), bytes.clone());
                environ.set(b"mod_wsgi.mount_point".as_slice(), bytes);
            }
            (Category::Scheme, form) => {
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

    /// The client is the address in front of the last proxies that are trusted. What stands before
    /// it was not said by any of them, and is cut off.
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
        let is_address = |place: &usize| chain[*place].parse::<IpAddr>().is_ok();
        let place = untrusted.checked_sub(1).filter(is_address).unwrap_or(untrusted);
        if let Some(client) = chain.get(place) {
            environ.set(b"REMOTE_ADDR".as_slice(), latin1(client));
            environ.set(header.variable.as_bytes(), latin1(&chain[place..].join(", ")));
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
        // What no directive names is none of our business.
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

    #[test]
    fn subnets() {
        let holds = |subnet: &str, address: &str| {
            Subnet::parse(subnet).unwrap().contains(address.parse().unwrap())
        };
        assert!(holds("10.1.2.3", "10.1.2.3") && !holds("10.1.2.3", "10.1.2.4"));
        assert!(holds("10.0.0.0/8", "10.9.9.9") && !holds("10.0.0.0/8", "11.0.0.0"));
        assert!(holds("10.0.0.0/255.255.0.0", "10.0.9.9"));
        assert!(holds("0.0.0.0/0", "1.2.3.4") && !holds("0.0.0.0/0", "2001:db8::1"));
        assert!(holds("2001:DB8::/32", "2001:db8:1::1") && holds("::/0", "::1"));
        assert!(holds("127.0.0.1", "::ffff:127.0.0.1"));
        for bad in ["", "host", "10.0.0.0/33", "::/129", "10.0.0.0/x", "10.0.0.0/ffff::"] {
            assert_eq!(Subnet::parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_arrives_panics(chain: String, subnet: String) {
            let _ = Subnet::parse(&subnet);
            let mut environ = Environ::default();
            environ.set(b"HTTP_X_FORWARDED_FOR".as_slice(), chain.into_bytes());
            let headers = [known_header("X-Forwarded-For").unwrap()];
            let proxies = [Subnet::parse("10.0.0.0/8").unwrap()];
            Trust { headers: &headers, proxies: Some(&proxies) }.apply(&mut environ);
        }
    }
}
