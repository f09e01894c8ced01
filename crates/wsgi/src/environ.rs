//! The environ of a request, as far as it is made of text: CGI variables and headers.
//!
//! It is built in the httpd child from facts that httpd knows, over what `SetEnv` and other modules
//! have put into the request's environment. The engine adds what is not text (`wsgi.input`,
//! numbers).

use std::borrow::Cow;

use crate::config::proxy::Trust;
use crate::header::{header_variable, is_header_name};

mod hook;
mod trust;

pub use hook::HookFacts;
pub use trust::SchemeSource;

type Bytes<'a> = Cow<'a, [u8]>;

/// The facts that httpd has about a request.
#[derive(Clone, Debug)]
pub struct RequestFacts<'a> {
    /// The request line as the client sent it.
    pub request_line: &'a [u8],
    /// The method.
    pub method: &'a [u8],
    /// The protocol.
    pub protocol: &'a [u8],
    /// The decoded path of the URI.
    pub uri: &'a [u8],
    /// The part of the path behind the script.
    pub path_info: &'a [u8],
    /// The text behind the `?`.
    pub query: Option<&'a [u8]>,
    /// The server's banner.
    pub server_software: &'a [u8],
    /// The server's name for URLs.
    pub server_name: &'a [u8],
    /// Address that the connection came in at.
    pub server_address: &'a [u8],
    /// Port for URLs.
    pub server_port: u16,
    /// `ServerAdmin`.
    pub server_admin: Option<&'a [u8]>,
    /// The client's address.
    pub remote_address: &'a [u8],
    /// The client's port.
    pub remote_port: u16,
    /// `DocumentRoot`.
    pub document_root: &'a [u8],
    /// The alias's prefix.
    pub context_prefix: &'a [u8],
    /// The alias's root.
    pub context_document_root: &'a [u8],
    /// The file that the URI maps to.
    pub filename: &'a [u8],
    /// httpd's own view of the scheme.
    pub scheme: &'a [u8],
    /// The authenticated user.
    pub user: Option<&'a [u8]>,
    /// The kind of authentication.
    pub auth_type: Option<&'a [u8]>,
    /// Whether the connection uses TLS.
    pub tls: bool,
    /// The request that an internal redirect came from.
    pub redirected_from: Option<RedirectedFrom<'a>>,
    /// Which headers with credentials the application sees.
    pub credentials: HttpCredentials,
    /// The URI after internal redirects, if `CGIVar REQUEST_URI current-uri` wants it.
    pub current_uri: Option<&'a [u8]>,
    /// Whether a `HEAD` is shown as `GET`, because a filter needs the body.
    pub head_as_get: bool,
    /// Which headers of proxies are believed; `None` to take none.
    pub trust: Option<Trust<'a>>,
}

/// Which headers with credentials an application sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HttpCredentials {
    /// None.
    None,
    /// `Authorization` (`WSGIPassAuthorization On`).
    Authorization,
    /// `Authorization` and `Proxy-Authorization` (`CGIPassAuth On`).
    All,
}

/// The request that an internal redirect came from.
#[derive(Clone, Copy, Debug)]
pub struct RedirectedFrom<'a> {
    /// Its path.
    pub uri: &'a [u8],
    /// Its query.
    pub query: Option<&'a [u8]>,
    /// Its user.
    pub user: Option<&'a [u8]>,
}

/// Variables by name, in the order of their first appearance; setting one again replaces its value.
#[derive(Debug)]
pub struct Environ<'a> {
    pairs: Vec<Pair<'a>>,
    /// Of each pair the [`tag`] of its name: looking through these is faster than hashing is.
    tags: Vec<u32>,
}

/// A variable; without a value it was taken away.
#[derive(Debug)]
struct Pair<'a> {
    name: Bytes<'a>,
    value: Option<Bytes<'a>>,
}

/// A request has some forty variables. A larger environ grows.
const USUAL: usize = 64;

impl Default for Environ<'_> {
    fn default() -> Self {
        Self { pairs: Vec::with_capacity(USUAL), tags: Vec::with_capacity(USUAL) }
    }
}

impl<'a> Environ<'a> {
    /// Sets a variable.
    pub fn set(&mut self, name: impl Into<Bytes<'a>>, value: impl Into<Bytes<'a>>) {
        self.put(name.into(), Some(value.into()));
    }

    fn put(&mut self, name: Bytes<'a>, value: Option<Bytes<'a>>) {
        if let Some(place) = self.place(&name) {
            self.pairs[place].value = value;
        } else {
            self.tags.push(tag(&name));
            self.pairs.push(Pair { name, value });
        }
    }

    /// The place of a variable that was set or taken away.
    fn place(&self, name: &[u8]) -> Option<usize> {
        let tag = tag(name);
        let alike = self.tags.iter().enumerate().filter(|(_, other)| **other == tag);
        alike.map(|(place, _)| place).find(|place| *self.pairs[*place].name == *name)
    }

    /// The value of a variable.
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.pairs[self.place(name)?].value.as_deref()
    }

    /// All variables.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.pairs.iter().filter_map(|pair| Some((&*pair.name, pair.value.as_deref()?)))
    }

    /// Takes a variable away; the request's environment does not bring it back.
    pub fn remove(&mut self, name: &'static [u8]) {
        self.put(name.into(), None);
    }

    fn set_text(&mut self, name: &'static str, value: impl Into<Bytes<'a>>) {
        self.set(name.as_bytes(), value);
    }

    /// Builds the environ of a request from httpd's facts, the request's environment and its
    /// headers.
    pub fn build(
        facts: &RequestFacts<'a>,
        environment: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
        headers: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
    ) -> Self {
        let mut environ = Self::default();
        for (name, value) in headers {
            environ.set_header(name, value, facts);
        }
        environ.set_server(facts);
        environ.set_request(facts);
        let scheme = facts.trust.map(|trust| trust.apply(&mut environ));
        if facts.tls && scheme != Some(SchemeSource::Header) {
            environ.set_text("HTTPS", b"1".as_slice());
        }
        for (name, value) in environment {
            if is_visible(name) && environ.place(name).is_none() {
                environ.set(name, value);
            }
        }
        environ
    }

    /// The variable of a header. Names with anything but letters, digits and `-` would be mistaken
    /// for another header's; `Proxy` would become the `HTTP_PROXY` that HTTP clients obey.
    fn set_header(&mut self, name: &'a [u8], value: &'a [u8], facts: &RequestFacts<'a>) {
        if !is_header_name(name) || name.eq_ignore_ascii_case(b"proxy") {
            return;
        }
        let needed = if name.eq_ignore_ascii_case(b"proxy-authorization") {
            HttpCredentials::All
        } else if name.eq_ignore_ascii_case(b"authorization") {
            HttpCredentials::Authorization
        } else {
            HttpCredentials::None
        };
        if facts.credentials < needed {
            return;
        }
        if name.eq_ignore_ascii_case(b"content-type") {
            self.set_text("CONTENT_TYPE", value);
        } else if name.eq_ignore_ascii_case(b"content-length") {
            self.set_text("CONTENT_LENGTH", value);
        } else {
            let name = header_variable(name);
            // One header in several lines reads like one line with commas (RFC 9110, 5.3).
            let value = match self.get(&name) {
                Some(first) => {
                    let between = if name == b"HTTP_COOKIE" { "; " } else { ", " };
                    [first, value].join(between.as_bytes()).into()
                }
                None => Cow::Borrowed(value),
            };
            self.set(name, value);
        }
    }

    fn set_server(&mut self, facts: &RequestFacts<'a>) {
        self.set_text("SERVER_SOFTWARE", facts.server_software);
        self.set_text("SERVER_NAME", escape_html(facts.server_name));
        self.set_text("SERVER_ADDR", facts.server_address);
        self.set_text("SERVER_PORT", facts.server_port.to_string().into_bytes());
        if let Some(admin) = facts.server_admin {
            self.set_text("SERVER_ADMIN", admin);
        }
        self.set_text("REMOTE_ADDR", facts.remote_address);
        self.set_text("REMOTE_PORT", facts.remote_port.to_string().into_bytes());
        self.set_text("DOCUMENT_ROOT", facts.document_root);
        self.set_text("REQUEST_SCHEME", facts.scheme);
        self.set_text("CONTEXT_PREFIX", facts.context_prefix);
        self.set_text("CONTEXT_DOCUMENT_ROOT", facts.context_document_root);
        self.set_text("SCRIPT_FILENAME", facts.filename);
    }

    fn set_request(&mut self, facts: &RequestFacts<'a>) {
        if let Some(from) = facts.redirected_from {
            self.set_text("REDIRECT_URL", from.uri);
            self.set_text("REDIRECT_QUERY_STRING", from.query.unwrap_or_default());
        }
        let redirected_user = facts.redirected_from.and_then(|from| from.user);
        match (facts.user, redirected_user) {
            (Some(user), _) => self.set_text("REMOTE_USER", user),
            (None, Some(user)) => self.set_text("REDIRECT_REMOTE_USER", user),
            (None, None) => {}
        }
        if let Some(auth_type) = facts.auth_type {
            self.set_text("AUTH_TYPE", auth_type);
        }
        let head_as_get = facts.head_as_get && facts.method == b"HEAD";
        self.set_text("REQUEST_METHOD", if head_as_get { b"GET" } else { facts.method });
        self.set_text("SERVER_PROTOCOL", facts.protocol);
        let uri = facts.current_uri.unwrap_or_else(|| request_target(facts.request_line));
        self.set_text("REQUEST_URI", uri);
        self.set_text("QUERY_STRING", facts.query.unwrap_or_default());
        let script_name = collapse_slashes(script_name(facts.uri, facts.path_info));
        let path_info = collapse_slashes(facts.path_info);
        self.set_text("mod_wsgi.script_name", script_name.clone());
        self.set_text("mod_wsgi.path_info", path_info.clone());
        self.set_text("SCRIPT_NAME", script_name);
        self.set_text("PATH_INFO", path_info);
    }
}

/// A number by which most names differ: that of their bytes, and three of these.
fn tag(name: &[u8]) -> u32 {
    let [first, .., last] = name else { return u32::try_from(name.len()).unwrap_or_default() };
    let middle = name[name.len() / 2];
    u32::from_le_bytes([name.len().to_le_bytes()[0], *first, middle, *last])
}

/// Whether applications see this variable of the request's environment.
fn is_visible(name: &[u8]) -> bool {
    name != b"PATH" && name != b"HTTP_PROXY"
}

/// The URI's path up to the path info. The path info comes from a file's path, where runs of
/// slashes have become one, so they are alike here.
pub fn script_name<'a>(uri: &'a [u8], path_info: &[u8]) -> &'a [u8] {
    let (mut end, mut left) = (uri.len(), path_info.len());
    while left > 0 {
        if end == 0 || uri[end - 1] != path_info[left - 1] {
            return uri;
        }
        if path_info[left - 1] == b'/' {
            end -= trailing_slashes(&uri[..end]);
            left -= trailing_slashes(&path_info[..left]);
        } else {
            (end, left) = (end - 1, left - 1);
        }
    }
    &uri[..end]
}

fn trailing_slashes(path: &[u8]) -> usize {
    path.iter().rev().take_while(|byte| **byte == b'/').count()
}

/// The second word of a request line, which is what the client asked for.
fn request_target(line: &[u8]) -> &[u8] {
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    words.nth(1).unwrap_or(b"/")
}

/// A text that means nothing in HTML: with `HttpProtocolOptions Unsafe` a client may call the
/// server what it likes, and CGI programs have always been able to show the name as it is.
fn escape_html(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.iter().any(|byte| b"<>&\"".contains(byte)) {
        return text.into();
    }
    let mut escaped = Vec::with_capacity(text.len() + 16);
    for byte in text {
        match byte {
            b'<' => escaped.extend_from_slice(b"&lt;"),
            b'>' => escaped.extend_from_slice(b"&gt;"),
            b'&' => escaped.extend_from_slice(b"&amp;"),
            b'"' => escaped.extend_from_slice(b"&quot;"),
            other => escaped.push(*other),
        }
    }
    escaped.into()
}

/// One slash where there are several.
pub fn collapse_slashes(path: &[u8]) -> Cow<'_, [u8]> {
    if !path.windows(2).any(|pair| pair == b"//") {
        return path.into();
    }
    let mut last = 0;
    let single = |byte: &&u8| {
        let keep = !(**byte == b'/' && last == b'/');
        last = **byte;
        keep
    };
    path.iter().filter(single).copied().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn names_with_one_tag_are_told_apart() {
        let (one, other) = (b"HTTP_ABC_X".as_slice(), b"HTTP_ACA_X".as_slice());
        assert_eq!(tag(one), tag(b"HTTQ_ABC_X"));
        let mut environ = Environ::default();
        environ.set(one, b"1".as_slice());
        environ.set(b"HTTQ_ABC_X".as_slice(), b"2".as_slice());
        environ.set(one, b"3".as_slice());
        assert_eq!(environ.get(one), Some(b"3".as_slice()));
        assert_eq!(environ.get(b"HTTQ_ABC_X"), Some(b"2".as_slice()));
        assert_eq!(environ.get(other), None);
    }

    pub(super) fn facts() -> RequestFacts<'static> {
        RequestFacts {
            request_line: b"GET /app%20x//y?a=1 HTTP/1.1",
            method: b"GET",
            protocol: b"HTTP/1.1",
            uri: b"/app x//y",
            path_info: b"//y",
            query: Some(b"a=1"),
            server_software: b"Apache",
            server_name: b"localhost",
            server_address: b"127.0.0.1",
            server_port: 8000,
            server_admin: None,
            remote_address: b"127.0.0.2",
            remote_port: 5,
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
            head_as_get: true,
            trust: None,
        }
    }

    fn built(
        facts: &RequestFacts<'static>,
        environment: &[(&'static str, &'static str)],
        headers: &[(&'static str, &'static str)],
    ) -> HashMap<String, String> {
        let bytes =
            |(name, value): &(&'static str, &'static str)| (name.as_bytes(), value.as_bytes());
        let environ =
            Environ::build(facts, environment.iter().map(bytes), headers.iter().map(bytes));
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        environ.iter().map(|(name, value)| (text(name), text(value))).collect()
    }

    #[test]
    fn paths() {
        let environ = built(&facts(), &[], &[]);
        assert_eq!(environ["REQUEST_URI"], "/app%20x//y?a=1");
        assert_eq!(environ["SCRIPT_NAME"], "/app x");
        assert_eq!(environ["PATH_INFO"], "/y");
        assert_eq!(environ["mod_wsgi.path_info"], "/y");
        assert_eq!(environ["QUERY_STRING"], "a=1");
        assert_eq!(environ["SERVER_PORT"], "8000");
        assert!(!environ.contains_key("HTTPS"));
    }

    #[test]
    fn headers_become_variables() {
        let headers = [
            ("Host", "localhost"),
            ("X-Two", "1"),
            ("x-two", "2"),
            ("Cookie", "a=1"),
            ("Cookie", "b=2"),
            ("Content-Type", "text/plain"),
            ("Content-Length", "3"),
            ("Proxy", "evil:1"),
            ("Under_score", "x"),
            ("Authorization", "Basic x"),
            ("Proxy-Authorization", "Basic y"),
        ];
        let environ = built(&facts(), &[], &headers);
        assert_eq!(environ["HTTP_HOST"], "localhost");
        assert_eq!(environ["HTTP_X_TWO"], "1, 2");
        assert_eq!(environ["HTTP_COOKIE"], "a=1; b=2");
        assert_eq!(environ["CONTENT_TYPE"], "text/plain");
        assert_eq!(environ["CONTENT_LENGTH"], "3");
        for hidden in ["HTTP_PROXY", "HTTP_UNDER_SCORE", "HTTP_AUTHORIZATION"] {
            assert!(!environ.contains_key(hidden), "{hidden}");
        }
        let passing = RequestFacts { credentials: HttpCredentials::Authorization, ..facts() };
        let environ = built(&passing, &[], &headers);
        assert_eq!(environ["HTTP_AUTHORIZATION"], "Basic x");
        assert!(!environ.contains_key("HTTP_PROXY_AUTHORIZATION"));
        let passing = RequestFacts { credentials: HttpCredentials::All, ..facts() };
        let environ = built(&passing, &[], &headers);
        assert_eq!(environ["HTTP_AUTHORIZATION"], "Basic x");
        assert_eq!(environ["HTTP_PROXY_AUTHORIZATION"], "Basic y");
    }

    #[test]
    fn the_environment_shows_but_does_not_override() {
        let environment =
            [("MINE", "1"), ("PATH", "/bin"), ("REQUEST_METHOD", "X"), ("HTTP_PROXY", "evil")];
        let environ = built(&facts(), &environment, &[]);
        assert_eq!(environ["MINE"], "1");
        assert_eq!(environ["REQUEST_METHOD"], "GET");
        assert!(!environ.contains_key("PATH"));
        assert!(!environ.contains_key("HTTP_PROXY"));
    }

    #[test]
    fn redirects_users_and_heads() {
        let from = RedirectedFrom { uri: b"/old", query: Some(b"q"), user: Some(b"ann") };
        let redirected = RequestFacts {
            redirected_from: Some(from),
            method: b"HEAD",
            tls: true,
            head_as_get: true,
            ..facts()
        };
        let environ = built(&redirected, &[], &[]);
        assert_eq!(environ["REDIRECT_URL"], "/old");
        assert_eq!(environ["REDIRECT_QUERY_STRING"], "q");
        assert_eq!(environ["REDIRECT_REMOTE_USER"], "ann");
        assert_eq!(environ["REQUEST_METHOD"], "GET");
        assert_eq!(environ["HTTPS"], "1");
        let from = RedirectedFrom { query: None, ..from };
        let user = RequestFacts {
            user: Some(b"bob"),
            head_as_get: false,
            redirected_from: Some(from),
            ..redirected
        };
        let environ = built(&user, &[], &[]);
        assert_eq!(environ["REMOTE_USER"], "bob");
        assert_eq!(environ["REQUEST_METHOD"], "HEAD");
        assert_eq!(environ["REDIRECT_QUERY_STRING"], "", "it had none");
        assert!(!environ.contains_key("REDIRECT_REMOTE_USER"));
    }

    #[test]
    fn the_servers_name_is_escaped() {
        let odd = RequestFacts { server_name: b"a<b>&\"c", ..facts() };
        assert_eq!(built(&odd, &[], &[])["SERVER_NAME"], "a&lt;b&gt;&amp;&quot;c");
    }

    #[test]
    fn slashes_collapse() {
        assert_eq!(&*collapse_slashes(b"//a///b/"), b"/a/b/");
        assert_eq!(&*collapse_slashes(b"/a/b"), b"/a/b");
        assert_eq!(script_name(b"/a/b", b"/b"), b"/a");
        assert_eq!(script_name(b"/a/b", b"/c"), b"/a/b");
        assert_eq!(script_name(b"/a//b///c/", b"/a/b/c/"), b"");
        assert_eq!(script_name(b"/app//x", b"//x"), b"/app");
        assert_eq!(script_name(b"/app", b""), b"/app");
        assert_eq!(script_name(b"/", b"/x"), b"/");
    }
}
