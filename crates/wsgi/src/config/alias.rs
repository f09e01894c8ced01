//! `WSGIScriptAlias`: which URIs lead to which script.

/// The options of an alias, which override what directories and servers say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AliasOptions {
    /// Value of `process-group=`.
    pub process_group: Option<String>,
    /// Value of `application-group=`.
    pub application_group: Option<String>,
    /// Value of `callable-object=`.
    pub callable: Option<String>,
    /// Value of `pass-authorization=`.
    pub pass_authorization: Option<bool>,
}

/// A mapping from URIs to a script, or to the scripts of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// URL path, or pattern for `WSGIScriptAliasMatch`.
    pub url: String,
    /// Whether `url` is a pattern.
    pub is_pattern: bool,
    /// File or directory, with `$0`…`$9` for a pattern.
    pub target: String,
    /// The options that the directive gives beyond that.
    pub options: AliasOptions,
    /// File and line of the directive.
    pub place: (String, u32),
}

/// How many bytes of `uri` are covered by the URL path `alias`, by mod_alias's rules: runs of
/// slashes are alike, and unless the alias ends in a slash the match ends at one or at the URI's
/// end.
pub fn matched_length(uri: &[u8], alias: &[u8]) -> Option<usize> {
    let (mut at, mut index) = (0, 0);
    while index < alias.len() {
        if alias[index] == b'/' {
            if uri.get(at) != Some(&b'/') {
                return None;
            }
            index += run_of_slashes(&alias[index..]);
            at += run_of_slashes(&uri[at..]);
        } else {
            if uri.get(at) != Some(&alias[index]) {
                return None;
            }
            index += 1;
            at += 1;
        }
    }
    let whole = alias.ends_with(b"/") || at == uri.len() || uri[at] == b'/';
    (whole && at > 0).then_some(at)
}

fn run_of_slashes(text: &[u8]) -> usize {
    text.iter().take_while(|byte| **byte == b'/').count()
}

impl Alias {
    /// The file that a URI maps to; `None` where a plain alias does not match (patterns are
    /// searched by httpd, see [`Alias::substitute`]).
    pub fn map(&self, uri: &[u8]) -> Option<Vec<u8>> {
        if self.is_pattern {
            return None;
        }
        let matched = matched_length(uri, self.url.as_bytes())?;
        let rest = if self.url == "/" { uri } else { &uri[matched..] };
        Some([self.target.as_bytes(), rest].concat())
    }

    /// The file for a pattern that matched `groups` of `uri`: the target with `$0`…`$9` replaced,
    /// followed by what comes behind the match. An empty match at the beginning counts for nothing.
    pub fn substitute(
        &self,
        uri: &[u8],
        groups: &[Option<std::ops::Range<usize>>],
    ) -> Option<Vec<u8>> {
        let whole = groups.first()?.clone()?;
        if whole == (0..0) {
            return None;
        }
        let mut path = Vec::with_capacity(self.target.len() + uri.len());
        let mut bytes = self.target.bytes().peekable();
        while let Some(byte) = bytes.next() {
            match (byte, bytes.peek().copied()) {
                (b'\\', Some(next @ (b'$' | b'\\'))) => {
                    bytes.next();
                    path.push(next);
                }
                (b'$', Some(digit @ b'0'..=b'9')) => {
                    bytes.next();
                    let range = groups.get(usize::from(digit - b'0')).cloned().flatten();
                    path.extend_from_slice(
                        range.and_then(|range| uri.get(range)).unwrap_or_default(),
                    );
                }
                _ => path.push(byte),
            }
        }
        path.extend_from_slice(uri.get(whole.end..).unwrap_or_default());
        Some(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn alias(url: &str, target: &str) -> Alias {
        Alias {
            url: url.into(),
            is_pattern: false,
            target: target.into(),
            options: AliasOptions::default(),
            place: (String::new(), 0),
        }
    }

    fn mapped(url: &str, target: &str, uri: &str) -> Option<String> {
        alias(url, target).map(uri.as_bytes()).map(|path| String::from_utf8(path).unwrap())
    }

    #[test]
    fn plain_aliases() {
        assert_eq!(mapped("/", "/srv/a.wsgi", "/x/y").as_deref(), Some("/srv/a.wsgi/x/y"));
        assert_eq!(mapped("/app", "/srv/a.wsgi", "/app").as_deref(), Some("/srv/a.wsgi"));
        assert_eq!(mapped("/app", "/srv/a.wsgi", "/app/x").as_deref(), Some("/srv/a.wsgi/x"));
        assert_eq!(mapped("/app", "/srv/a.wsgi", "//app//x").as_deref(), Some("/srv/a.wsgi//x"));
        assert_eq!(mapped("/app", "/srv/a.wsgi", "/apple"), None);
        assert_eq!(mapped("/app", "/srv/a.wsgi", "/ap"), None);
        assert_eq!(mapped("/dir/", "/srv/d/", "/dir/x.wsgi").as_deref(), Some("/srv/d/x.wsgi"));
        assert_eq!(mapped("/dir/", "/srv/d/", "/dir"), None);
    }

    #[test]
    fn patterns_substitute() {
        let alias = Alias { is_pattern: true, ..alias("", "/srv/$1/$0\\$x$9") };
        let path = alias.substitute(b"/a/b/c", &[Some(0..4), Some(1..2)]).unwrap();
        assert_eq!(path, b"/srv/a//a/b$x/c");
        assert_eq!(alias.substitute(b"/a", &[Some(0..0)]), None);
        assert_eq!(alias.substitute(b"/a", &[]), None);
    }

    proptest! {
        #[test]
        fn mapping_never_panics(uri: Vec<u8>, url: String, target: String, end in 0usize..20) {
            let mut alias = alias(&url, &target);
            let _ = alias.map(&uri);
            alias.is_pattern = true;
            let _ = alias.substitute(&uri, &[Some(0..end), Some(end..usize::MAX)]);
        }
    }
}
