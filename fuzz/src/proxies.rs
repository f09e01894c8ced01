//! Headers of proxies: what a client sends must not pass for what a trusted proxy has said.

use wsgi::config::proxy::{Subnet, Trust, known_header};
use wsgi::environ::Environ;

/// The headers that are trusted in this target, two of each kind.
const TRUSTED: [&str; 7] = [
    "X-Forwarded-For",
    "X-Real-IP",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-HTTPS",
    "X-Forwarded-Port",
    "X-Script-Name",
];
/// Those that say the same and are not trusted.
const OTHERS: [&str; 2] = ["X-Client-IP", "X-Scheme"];

/// Lines: the proxies, the peer's address, and the value of each header of [`TRUSTED`] and
/// [`OTHERS`]. A header that is not trusted never reaches the application, and a peer that is no
/// proxy changes nothing.
///
/// # Panics
/// Where that does not hold.
pub(crate) fn proxies(bytes: &[u8]) {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let proxies = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let subnets: Vec<_> = proxies.split_ascii_whitespace().filter_map(Subnet::parse).collect();
    let peer = lines.next().unwrap_or_default();
    let mut environ = Environ::default();
    environ.set(b"REMOTE_ADDR".as_slice(), peer);
    environ.set(b"SCRIPT_NAME".as_slice(), b"/mount".as_slice());
    let names = TRUSTED.into_iter().chain(OTHERS);
    for (name, value) in names.zip(lines) {
        environ.set(variable(name), value);
    }
    let headers: Vec<_> = TRUSTED.into_iter().filter_map(known_header).collect();
    assert_eq!(headers.len(), TRUSTED.len());

    let list = (!subnets.is_empty()).then_some(subnets.as_slice());
    Trust { headers: &headers, proxies: list }.apply(&mut environ);
    for name in OTHERS {
        assert_eq!(environ.get(&variable(name)), None, "{name} is not trusted");
    }
    if list.is_some() && !is_address(peer) {
        assert_eq!(environ.get(b"REMOTE_ADDR"), Some(peer), "the peer is no proxy");
        assert_eq!(environ.get(b"SCRIPT_NAME"), Some(b"/mount".as_slice()));
        for name in TRUSTED {
            assert_eq!(environ.get(&variable(name)), None, "{name} of a stranger");
        }
    }
}

fn variable(name: &str) -> Vec<u8> {
    wsgi::header::header_variable(name.as_bytes())
}

fn is_address(peer: &[u8]) -> bool {
    std::str::from_utf8(peer).is_ok_and(|peer| peer.parse::<std::net::IpAddr>().is_ok())
}
