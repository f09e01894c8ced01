//! Headers of proxies in front of httpd, and the proxies that are believed.
//!
//! `WSGITrustedProxyHeaders` names the headers, `WSGITrustedProxies` the proxies (all peers, if it
//! is not given). A header that says the same as a trusted one, but is not trusted itself, must not
//! reach the application: any client could have sent it.

use std::net::IpAddr;

use crate::header::header_variable;

/// The subject of a proxy's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderCategory {
    Client,
    Host,
    Server,
    Port,
    ScriptName,
    Scheme,
}

pub(crate) const CATEGORIES: [HeaderCategory; 6] = [
    HeaderCategory::Client,
    HeaderCategory::Host,
    HeaderCategory::Server,
    HeaderCategory::Port,
    HeaderCategory::ScriptName,
    HeaderCategory::Scheme,
];

/// How the value of a header is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
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
    pub(crate) variable: &'static str,
    pub(crate) category: HeaderCategory,
    pub(crate) form: Form,
}

const fn header(variable: &'static str, category: HeaderCategory, form: Form) -> ProxyHeader {
    ProxyHeader { variable, category, form }
}

/// All headers that mean something here.
pub(crate) static HEADERS: [ProxyHeader; 15] = [
    header("HTTP_X_FORWARDED_FOR", HeaderCategory::Client, Form::Chain),
    header("HTTP_X_CLIENT_IP", HeaderCategory::Client, Form::Verbatim),
    header("HTTP_X_REAL_IP", HeaderCategory::Client, Form::Verbatim),
    header("HTTP_X_FORWARDED_HOST", HeaderCategory::Host, Form::Verbatim),
    header("HTTP_X_HOST", HeaderCategory::Host, Form::Verbatim),
    header("HTTP_X_FORWARDED_SERVER", HeaderCategory::Server, Form::Verbatim),
    header("HTTP_X_FORWARDED_PORT", HeaderCategory::Port, Form::Verbatim),
    header("HTTP_X_SCRIPT_NAME", HeaderCategory::ScriptName, Form::Verbatim),
    header("HTTP_X_FORWARDED_SCRIPT_NAME", HeaderCategory::ScriptName, Form::Verbatim),
    header("HTTP_X_FORWARDED_PROTO", HeaderCategory::Scheme, Form::SchemeName),
    header("HTTP_X_FORWARDED_SCHEME", HeaderCategory::Scheme, Form::SchemeName),
    header("HTTP_X_SCHEME", HeaderCategory::Scheme, Form::SchemeName),
    header("HTTP_X_FORWARDED_HTTPS", HeaderCategory::Scheme, Form::Flag),
    header("HTTP_X_FORWARDED_SSL", HeaderCategory::Scheme, Form::Flag),
    header("HTTP_X_HTTPS", HeaderCategory::Scheme, Form::Flag),
];

/// The header called `name`, if it is one that means something here.
pub fn known_header(name: &str) -> Option<&'static ProxyHeader> {
    let variable = header_variable(name.as_bytes());
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

/// The headers that are trusted, and the proxies that may send them.
#[derive(Clone, Copy, Debug)]
pub struct Trust<'t> {
    /// The headers, in the order in which they count.
    pub headers: &'t [&'static ProxyHeader],
    /// The proxies; `None` for every peer.
    pub proxies: Option<&'t [Subnet]>,
}

impl Trust<'_> {
    pub(crate) fn is_trusted(self, address: &str) -> bool {
        let Some(proxies) = self.proxies else { return true };
        let address = address.parse::<IpAddr>();
        address.is_ok_and(|address| proxies.iter().any(|proxy| proxy.contains(address)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
        fn nothing_that_arrives_panics(subnet: String) {
            let _ = Subnet::parse(&subnet);
        }
    }
}
