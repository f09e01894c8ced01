//! The environ of a request, of what a client has sent.

use wsgi::environ::{Environ, HttpCredentials, RequestFacts};

/// Pieces with form feeds between: request line, path, path info, the client's address, and headers
/// as `name:value`. No header becomes a variable that is not its own.
///
/// # Panics
/// Where one does.
pub(crate) fn environs(bytes: &[u8]) {
    let mut parts = bytes.split(|byte| *byte == b'\x0c');
    let mut next = || parts.next().unwrap_or_default();
    let facts = facts([next(), next(), next(), next()]);
    let pair = |part: &[u8]| {
        let colon = part.iter().position(|byte| *byte == b':').unwrap_or(part.len());
        (part[..colon].to_vec(), part.get(colon + 1..).unwrap_or_default().to_vec())
    };
    let headers: Vec<_> = parts.map(pair).collect();
    let headers = || headers.iter().map(|(name, value)| (name.as_slice(), value.as_slice()));
    let environ = Environ::build(&facts, [], headers());
    let plain = Environ::build(&facts, [], []);
    for (name, value) in environ.iter() {
        let of_header = name.starts_with(b"HTTP_") && name.len() > 5;
        let of_body = [b"CONTENT_TYPE".as_slice(), b"CONTENT_LENGTH"].contains(&name);
        let is_own = plain.get(name) == Some(value);
        assert!(of_header || of_body || is_own, "{:?}", String::from_utf8_lossy(name));
    }
    for closed in ["HTTP_PROXY", "HTTP_AUTHORIZATION", "HTTP_PROXY_AUTHORIZATION", "HTTPS"] {
        assert_eq!(environ.get(closed.as_bytes()), None, "{closed}");
    }
}

fn facts([line, uri, path_info, address]: [&[u8]; 4]) -> RequestFacts<'_> {
    RequestFacts {
        request_line: line,
        method: line.split(|byte| *byte == b' ').next().unwrap_or_default(),
        protocol: b"HTTP/1.1",
        uri,
        path_info,
        query: None,
        server_software: b"Apache",
        server_name: b"localhost",
        server_address: b"127.0.0.1",
        server_port: 80,
        server_admin: None,
        remote_address: address,
        remote_port: 1,
        document_root: b"/srv",
        context_prefix: b"",
        context_document_root: b"/srv",
        filename: b"/srv/app.wsgi",
        scheme: b"http",
        user: None,
        auth_type: None,
        tls: false,
        redirected_from: None,
        credentials: HttpCredentials::None,
        current_uri: None,
        head_as_get: false,
        trust: None,
    }
}
