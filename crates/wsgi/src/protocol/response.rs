//! The head of a response: what an application hands to `start_response`, checked.
//!
//! The rules are PEP 3333's and those of `wsgi-runtime`: a status of three digits and a reason,
//! header names and values that cannot break out of their line. The engine checks before anything
//! is sent, so the Apache side can pass the head on as it comes.

use crate::protocol::codec::{CodecError, Pairs, Reader, Writer};

/// A status line as the application gave it, for instance `404 Not Found`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseStatus {
    /// The three digits.
    pub code: u16,
    /// The whole line in latin-1, digits included.
    pub line: Vec<u8>,
}

/// An error in a status line or a header.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// The status does not begin with three digits.
    #[error("status must begin with three digits: {0:?}")]
    StatusCode(String),
    /// Something other than a space follows the digits.
    #[error("the three digits of a status must be followed by a space and a reason: {0:?}")]
    StatusReason(String),
    /// A control character in the status line.
    #[error("status contains a control character: {0:?}")]
    StatusControl(String),
    /// An empty header name.
    #[error("a header has an empty name")]
    NameEmpty,
    /// A header name with a character that RFC 9110 does not allow in a token.
    #[error("header name contains {1:?}, which is not allowed there: {0:?}")]
    Name(String, char),
    /// A status that another response follows.
    #[error("status must be 200 or more, since a lower one is not the response itself: {0:?}")]
    StatusInterim(String),
    /// A header with which the application would decide how the server frames the response.
    #[error("header {0} is the server's")]
    Framing(String),
    /// A length that is no number, or several that differ.
    #[error("the Content-Length of the response must be one number, in digits only: {0:?}")]
    Length(String),
    /// CR, LF or NUL in a header value.
    #[error("the value of header {0} contains {1:?}, which would break the response: {2:?}")]
    Value(String, char, String),
}

impl ResponseStatus {
    /// Checks a status line (latin-1 bytes).
    pub fn parse(line: &[u8]) -> Result<Self, HeadError> {
        let shown = || latin1(line);
        let (digits, rest) =
            line.split_first_chunk::<3>().ok_or_else(|| HeadError::StatusCode(shown()))?;
        if !digits.iter().all(u8::is_ascii_digit) || digits[0] == b'0' {
            return Err(HeadError::StatusCode(shown()));
        }
        if !(rest.is_empty() || rest[0] == b' ') {
            return Err(HeadError::StatusReason(shown()));
        }
        if rest.iter().any(u8::is_ascii_control) {
            return Err(HeadError::StatusControl(shown()));
        }
        let code = digits.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
        if code < 200 {
            return Err(HeadError::StatusInterim(shown()));
        }
        Ok(Self { code, line: line.to_vec() })
    }
}

/// Checks one header (latin-1 bytes).
pub fn check_header(name: &[u8], value: &[u8]) -> Result<(), HeadError> {
    if name.is_empty() {
        return Err(HeadError::NameEmpty);
    }
    if let Some(&bad) = name.iter().find(|byte| !is_token(**byte)) {
        return Err(HeadError::Name(latin1(name), char::from(bad)));
    }
    if let Some(&bad) = value.iter().find(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
        return Err(HeadError::Value(latin1(name), char::from(bad), latin1(value)));
    }
    Ok(())
}

/// Whether a header says where the body of a message ends, which the server decides: a false one
/// would have a client take the rest of this response for the next one.
pub fn is_framing(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"transfer-encoding")
}

/// Whether a header is about the connection and not about the response (RFC 2616, 13.5.1): PEP 3333
/// leaves those to the server.
pub fn is_hop_by_hop(name: &[u8]) -> bool {
    HOP_BY_HOP.iter().any(|known| name.eq_ignore_ascii_case(known))
}

const HOP_BY_HOP: [&[u8]; 8] = [
    b"connection",
    b"keep-alive",
    b"proxy-authenticate",
    b"proxy-authorization",
    b"te",
    b"trailers",
    b"transfer-encoding",
    b"upgrade",
];

/// Reads a `Content-Length` value: digits and nothing else (RFC 9110, 8.6); blanks around a value
/// are no part of it (5.5). `None` where it is not so, or beyond 64 bits.
pub fn content_length(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(trimmed(value)).ok()?;
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok())?
}

/// The value of a header without blanks around it.
pub fn trimmed(value: &[u8]) -> &[u8] {
    let is_text = |byte: &u8| !matches!(byte, b' ' | b'\t');
    let start = value.iter().position(is_text).unwrap_or(value.len());
    let end = value.iter().rposition(is_text).map_or(start, |last| last + 1);
    &value[start..end]
}

/// A character of an RFC 9110 token.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// The head of a response as it travels from the engine to Apache.
#[derive(Clone, Debug)]
pub struct ResponseHead<'a> {
    /// The status code.
    pub code: u16,
    /// The whole status line, code included.
    pub line: &'a [u8],
    /// The headers in the application's order.
    pub headers: Pairs<'a>,
}

impl<'a> ResponseHead<'a> {
    /// Appends the payload of a head frame.
    pub fn encode<'p>(
        status: &ResponseStatus,
        headers: impl IntoIterator<Item = (&'p [u8], &'p [u8])>,
        buffer: &mut Vec<u8>,
    ) {
        Writer::new(buffer).u16(status.code).bytes(&status.line).pairs(headers);
    }

    /// Reads the payload of a head frame.
    pub fn decode(payload: &'a [u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(payload);
        let code = reader.u16()?;
        if !(100..=999).contains(&code) {
            return Err(CodecError::Value("status code"));
        }
        let head = Self { code, line: reader.bytes()?, headers: reader.pairs()? };
        reader.end()?;
        Ok(head)
    }

    /// Checks a head that comes from a process of a group's user, which need not be the engine:
    /// everything that an application may not say, and how long the body is to be. `None` where
    /// that is not said.
    pub fn check(&self) -> Result<Option<u64>, HeadError> {
        let status = ResponseStatus::parse(self.line)?;
        if status.code != self.code {
            return Err(HeadError::StatusCode(latin1(self.line)));
        }
        let mut length = None;
        for (name, value) in self.headers.clone() {
            check_header(name, value)?;
            if is_framing(name) {
                return Err(HeadError::Framing(latin1(name)));
            }
            if name.eq_ignore_ascii_case(b"content-length") {
                let wrong = || HeadError::Length(latin1(value));
                let given = content_length(value).ok_or_else(wrong)?;
                if length.replace(given).is_some_and(|before| before != given) {
                    return Err(wrong());
                }
            }
        }
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn statuses() {
        assert_eq!(ResponseStatus::parse(b"200 OK").map(|status| status.code), Ok(200));
        assert_eq!(ResponseStatus::parse(b"204").map(|status| status.code), Ok(204));
        assert!(matches!(
            ResponseStatus::parse(b"101 Switching"),
            Err(HeadError::StatusInterim(_))
        ));
        for bad in [b"".as_slice(), b"20", b"abc", b"0200", b"000 no"] {
            assert!(matches!(ResponseStatus::parse(bad), Err(HeadError::StatusCode(_))), "{bad:?}");
        }
        assert!(matches!(ResponseStatus::parse(b"200OK"), Err(HeadError::StatusReason(_))));
        assert!(matches!(ResponseStatus::parse(b"200 O\nK"), Err(HeadError::StatusControl(_))));
    }

    #[test]
    fn headers() {
        assert_eq!(check_header(b"X-Y", b"a\tb"), Ok(()));
        assert_eq!(check_header(b"", b""), Err(HeadError::NameEmpty));
        assert!(matches!(check_header(b"X Y", b""), Err(HeadError::Name(_, ' '))));
        assert!(matches!(check_header(b"X:", b""), Err(HeadError::Name(_, ':'))));
        for bad in [b"a\rb".as_slice(), b"a\nb", b"a\0b"] {
            assert!(matches!(check_header(b"X", bad), Err(HeadError::Value(..))), "{bad:?}");
        }
    }

    #[test]
    fn connection_headers_are_known() {
        assert!(is_hop_by_hop(b"Connection") && is_hop_by_hop(b"TE"));
        assert!(!is_hop_by_hop(b"Content-Type") && !is_hop_by_hop(b"Connections"));
    }

    #[test]
    fn lengths() {
        assert_eq!(content_length(b"12"), Some(12));
        assert_eq!(content_length(b" 7\t"), Some(7));
        for bad in [
            b"".as_slice(),
            b" ",
            b"-1",
            b"+1",
            b"1.0",
            b"1 2",
            b"\x0b1",
            b"99999999999999999999999",
        ] {
            assert_eq!(content_length(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn heads_of_hostile_workers() {
        let checked = |code, line: &[u8], headers: &[(&[u8], &[u8])]| {
            let mut buffer = Vec::new();
            Writer::new(&mut buffer).u16(code).bytes(line).pairs(headers.iter().copied());
            ResponseHead::decode(&buffer).unwrap().check()
        };
        let length: &[u8] = b"Content-Length";
        assert_eq!(checked(200, b"200 OK", &[(length, b"5"), (length, b"5")]), Ok(Some(5)));
        assert_eq!(checked(200, b"200 OK", &[]), Ok(None));
        let ok = |headers: &[(&[u8], &[u8])]| checked(200, b"200 OK", headers).unwrap_err();
        assert!(matches!(ok(&[(length, b"5"), (length, b"6")]), HeadError::Length(_)));
        assert!(matches!(ok(&[(length, b"+5")]), HeadError::Length(_)));
        assert!(matches!(ok(&[(b"transfer-Encoding", b"chunked")]), HeadError::Framing(_)));
        assert!(matches!(ok(&[(b"X", b"a\r\nSet-Cookie: b")]), HeadError::Value(..)));
        assert!(matches!(ok(&[(b"X Y", b"")]), HeadError::Name(..)));
        let status = |code, line: &[u8]| checked(code, line, &[]).unwrap_err();
        assert!(matches!(status(100, b"100 Continue"), HeadError::StatusInterim(_)));
        assert!(matches!(status(200, b"404 Not Found"), HeadError::StatusCode(_)));
        assert!(matches!(status(200, b"200 OK\r\nX: y"), HeadError::StatusControl(_)));
    }

    proptest! {
        #[test]
        fn heads_round_trip(code in 200u16..1000, name: Vec<u8>, value: Vec<u8>) {
            let line = format!("{code} Reason").into_bytes();
            let status = ResponseStatus::parse(&line).unwrap();
            let mut buffer = Vec::new();
            ResponseHead::encode(&status, [(name.as_slice(), value.as_slice())], &mut buffer);
            let head = ResponseHead::decode(&buffer).unwrap();
            prop_assert_eq!((head.code, head.line), (code, line.as_slice()));
            let headers: Vec<_> = head.headers.collect();
            prop_assert_eq!(headers, [(name.as_slice(), value.as_slice())]);
        }

        #[test]
        fn statuses_never_panic(line: Vec<u8>, payload: Vec<u8>) {
            let _ = ResponseStatus::parse(&line);
            let _ = ResponseHead::decode(&payload).map(|head| head.check());
            let _ = content_length(&line);
        }
    }
}
