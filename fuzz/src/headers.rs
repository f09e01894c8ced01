//! Headers in both directions: what an application wants to send, and what a client sent.

use wsgi::environ::{collapse_slashes, script_name};
use wsgi::header::{header_variable, is_header_name};
use wsgi::protocol::response::{ResponseStatus, check_header, content_length};

/// A status line, and headers as `name:value` lines; the lines are separated by form feeds, which
/// no rule treats in a special way. A header that is accepted cannot break out of its line.
///
/// # Panics
/// Where it can.
pub(crate) fn headers(bytes: &[u8]) {
    let mut parts = bytes.split(|byte| *byte == b'\x0c');
    let line = parts.next().unwrap_or_default();
    if let Ok(status) = ResponseStatus::parse(line) {
        assert!((100..1000).contains(&status.code), "{status:?}");
        assert!(!status.line.iter().any(u8::is_ascii_control), "{status:?}");
    }
    for part in parts {
        let colon = part.iter().position(|byte| *byte == b':').unwrap_or(part.len());
        let (name, value) = (&part[..colon], part.get(colon + 1..).unwrap_or_default());
        if check_header(name, value).is_ok() {
            let breaks = |byte: &u8| matches!(byte, b'\r' | b'\n' | 0);
            assert!(!name.is_empty() && !name.iter().any(|byte| breaks(byte) || *byte == b' '));
            assert!(!value.iter().any(breaks), "{value:?}");
        }
        if let Some(length) = content_length(value) {
            let text = String::from_utf8_lossy(value).into_owned();
            assert_eq!(text.trim().trim_start_matches('0').parse().unwrap_or(0), length);
        }
        variable(name);
        paths(name, value);
    }
}

/// The client's name for a header never reaches another variable than one of its own.
fn variable(name: &[u8]) {
    if !is_header_name(name) {
        return;
    }
    let variable = header_variable(name);
    let plain = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_';
    assert!(variable.starts_with(b"HTTP_") && variable.iter().all(plain), "{variable:?}");
}

fn paths(uri: &[u8], path_info: &[u8]) {
    let collapsed = collapse_slashes(uri);
    assert!(!collapsed.windows(2).any(|pair| pair == b"//"), "{collapsed:?}");
    let without = |path: &[u8]| path.iter().copied().filter(|b| *b != b'/').collect::<Vec<_>>();
    assert_eq!(without(&collapsed), without(uri), "only slashes go");
    assert!(uri.starts_with(script_name(uri, path_info)), "SCRIPT_NAME begins the URI");
}
