//! The frames of a response that a child reads: its worker is a process of the group's user.

use wsgi::protocol::frame::{FileRange, decode_failure, decode_want_body};
use wsgi::protocol::response::{ResponseHead, ResponseStatus, is_framing};

/// The payload of a head, a file's range, a failure, or a wish for the body. A head that is let
/// through cannot break out of its lines, and does not frame the response.
///
/// # Panics
/// Where that does not hold.
pub(crate) fn responses(bytes: &[u8]) {
    if let Ok(head) = ResponseHead::decode(bytes) {
        let status = ResponseStatus { code: head.code, line: head.line.to_vec() };
        let mut again = Vec::new();
        ResponseHead::encode(&status, head.headers.clone(), &mut again);
        assert_eq!(again, bytes, "a head is written otherwise than it was read");
        match head.check() {
            Ok(length) => check(&head, length),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    if let Ok(range) = FileRange::decode(bytes) {
        let mut again = Vec::new();
        range.encode(&mut again);
        assert_eq!(again, bytes, "a file's range is written otherwise than it was read");
    }
    if let Ok(status) = decode_failure(bytes) {
        assert!((400..600).contains(&status), "{status}");
        assert_eq!(bytes.len(), 2);
    }
    if let Ok(wanted) = decode_want_body(bytes) {
        assert_eq!(wanted.to_le_bytes(), bytes);
    }
}

/// The conditions that hold for a head that was let through.
fn check(head: &ResponseHead<'_>, length: Option<u64>) {
    let breaks = |byte: &u8| matches!(byte, b'\r' | b'\n' | 0);
    assert!((200..1000).contains(&head.code) && !head.line.iter().any(breaks), "{head:?}");
    assert!(head.line.starts_with(head.code.to_string().as_bytes()), "{head:?}");
    let mut told = false;
    for (name, value) in head.headers.clone() {
        assert!(
            !name.is_empty() && !name.iter().any(|byte| breaks(byte) || b": \t".contains(byte))
        );
        assert!(!value.iter().any(breaks) && !is_framing(name), "{head:?}");
        told |= name.eq_ignore_ascii_case(b"content-length");
    }
    assert_eq!(told, length.is_some(), "{head:?}");
}
