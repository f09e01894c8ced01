//! The words of a directive, split as httpd splits them.
//!
//! A word ends at white space; one that begins with a single or double quote ends at the same quote
//! and may hold white space. Inside, a backslash before the quote or another backslash makes it
//! plain.

/// Takes the first word off `text`; `None` when only white space is left.
pub fn next_word<'t>(text: &mut &'t str) -> Option<std::borrow::Cow<'t, str>> {
    let rest = text.trim_ascii_start();
    let quote = match rest.chars().next() {
        None => {
            *text = rest;
            return None;
        }
        Some(quote @ ('"' | '\'')) => quote,
        Some(_) => {
            let end = rest.find(|c: char| c.is_ascii_whitespace()).unwrap_or(rest.len());
            let (word, behind) = rest.split_at(end);
            *text = behind;
            return Some(word.into());
        }
    };
    let body = &rest[1..];
    let mut escaped = false;
    let end = body.char_indices().find_map(|(index, c)| {
        if escaped {
            escaped = false;
            return None;
        }
        escaped = c == '\\';
        (c == quote).then_some(index)
    });
    let (word, behind) = match end {
        Some(end) => (&body[..end], &body[end + 1..]),
        None => (body, ""),
    };
    *text = behind;
    Some(unescape(word, quote))
}

fn unescape(word: &str, quote: char) -> std::borrow::Cow<'_, str> {
    if !word.contains('\\') {
        return word.into();
    }
    let mut plain = String::with_capacity(word.len());
    let mut characters = word.chars().peekable();
    while let Some(c) = characters.next() {
        let may_be_escaped = |next: &char| *next == '\\' || *next == quote;
        match characters.next_if(|next| c == '\\' && may_be_escaped(next)) {
            Some(escaped) => plain.push(escaped),
            None => plain.push(c),
        }
    }
    plain.into()
}

/// All words of `text`.
pub fn words(mut text: &str) -> Vec<String> {
    std::iter::from_fn(|| next_word(&mut text).map(std::borrow::Cow::into_owned)).collect()
}

/// An option of the form `name=value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The text before the `=`.
    pub name: String,
    /// The text behind it, without quotes.
    pub value: String,
}

/// A word that is no `name=value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAPair(pub String);

/// Takes the first option off `text`; `None` when only white space is left. The value may be quoted
/// (`home="/a b"`), and so may the whole option (`"home=/a b"`).
pub fn next_pair(text: &mut &str) -> Option<Result<Pair, NotAPair>> {
    let rest = text.trim_ascii_start();
    let name_end =
        rest.find(|c: char| c == '=' || c.is_ascii_whitespace() || c == '"' || c == '\'');
    if let Some(end) = name_end.filter(|end| *end > 0 && rest.as_bytes()[*end] == b'=') {
        let name = rest[..end].to_owned();
        let mut behind = &rest[end + 1..];
        let blank = behind.is_empty() || behind.starts_with(|c: char| c.is_ascii_whitespace());
        let value =
            if blank { String::new() } else { next_word(&mut behind).unwrap_or_default().into() };
        *text = behind;
        return Some(Ok(Pair { name, value }));
    }
    let word = next_word(text)?.into_owned();
    Some(match word.split_once('=') {
        Some((name, value)) if !name.is_empty() => {
            Ok(Pair { name: name.to_owned(), value: value.to_owned() })
        }
        _ => Err(NotAPair(word)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_split_as_httpd_does() {
        assert_eq!(words(r#" a  "b c" 'd "e' "f\"g" h\i "#), ["a", "b c", "d \"e", "f\"g", r"h\i"]);
        assert_eq!(words(r#""unfinished word"#), ["unfinished word"]);
        assert_eq!(words("  ").len(), 0);
        assert_eq!(words(r#""back\\slash""#), [r"back\slash"]);
    }

    #[test]
    fn pairs_keep_quoted_values() {
        let mut text = r#"home="/a b" user=www 'lang=de DE' threads= x"#;
        let mut pairs = Vec::new();
        while let Some(pair) = next_pair(&mut text) {
            pairs.push(pair.map(|Pair { name, value }| format!("{name}|{value}")));
        }
        let expected: [Result<String, NotAPair>; 5] = [
            Ok("home|/a b".into()),
            Ok("user|www".into()),
            Ok("lang|de DE".into()),
            Ok("threads|".into()),
            Err(NotAPair("x".into())),
        ];
        assert_eq!(pairs, expected);
    }

    proptest! {
        #[test]
        fn any_text_is_used_up(text: String) {
            let mut rest = text.as_str();
            let mut rounds = 0;
            while next_pair(&mut rest).is_some() {
                rounds += 1;
                prop_assert!(rounds <= text.len() + 1);
            }
            prop_assert!(rest.is_empty());
        }
    }
}
