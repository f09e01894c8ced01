//! Text of others in a log: nothing in it may act upon the terminal that shows it, or pass for
//! another line.

use std::borrow::Cow;

/// The text with control characters as httpd has them in its own lines: `\x1b`. Those of `kept`
/// stay.
///
/// Control characters are also those above ASCII (U+0080 to U+009F), which terminals obey whether
/// they come in UTF-8 or as one byte. Other characters stay as they are, and so do bytes that are
/// no UTF-8.
#[must_use]
pub fn printable<'t>(text: &'t [u8], kept: &[char]) -> Cow<'t, [u8]> {
    let is_control = |character: char| character.is_control() && !kept.contains(&character);
    let is_fine = |byte: &u8| *byte < 0x80 && !is_control(char::from(*byte));
    if text.iter().all(is_fine) {
        return Cow::Borrowed(text);
    }
    let mut shown = Vec::with_capacity(text.len() + 16);
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            let mut place = [0; 4];
            let bytes = character.encode_utf8(&mut place).as_bytes();
            if is_control(character) {
                for byte in bytes {
                    escape(&mut shown, *byte);
                }
            } else {
                shown.extend_from_slice(bytes);
            }
        }
        for byte in chunk.invalid() {
            if is_control(char::from(*byte)) {
                escape(&mut shown, *byte);
            } else {
                shown.push(*byte);
            }
        }
    }
    Cow::Owned(shown)
}

fn escape(shown: &mut Vec<u8>, byte: u8) {
    shown.extend_from_slice(format!("\\x{byte:02x}").as_bytes());
}

/// How many bytes of a text come before a character whose end is missing; all of them, if none is.
#[must_use]
pub fn whole_characters(text: &[u8]) -> usize {
    let mut last = text.iter().rev().take(LONGEST - 1);
    match last.position(|byte| *byte >= FIRST) {
        Some(place) if needs_more(&text[text.len() - place - 1..]) => text.len() - place - 1,
        _ => text.len(),
    }
}

/// The first byte of a character of several bytes is at least this.
const FIRST: u8 = 0xc0;
/// The length of the longest character in bytes.
const LONGEST: usize = 4;

/// Whether a character begins here that lacks its end.
fn needs_more(text: &[u8]) -> bool {
    str::from_utf8(text).is_err_and(|error| error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn control_characters_are_shown() {
        let shown = |text: &[u8]| printable(text, &['\n']).into_owned();
        assert_eq!(shown(b"a\x1b[2J\n\t\x7f"), b"a\\x1b[2J\n\\x09\\x7f");
        assert_eq!(shown("\u{9b}31m \u{85}".as_bytes()), b"\\xc2\\x9b31m \\xc2\\x85");
        assert_eq!(shown(b"raw \x9b31m, cut \xc2"), b"raw \\x9b31m, cut \xc2");
        // The longer way to write U+009B, which is none.
        assert_eq!(shown(b"\xe0\x82\x9b"), b"\xe0\\x82\\x9b");
    }

    #[test]
    fn text_stays_as_it_is() {
        // Their bytes are also those of control characters: 0x80 to 0x9f.
        let text = "caf\u{e9} \u{201c}\u{5b57}\u{201d} \u{1f400} \u{a0}\u{c0}";
        assert_eq!(&*printable(text.as_bytes(), &[]), text.as_bytes());
        assert_eq!(&*printable(b"latin \xe9\xa0", &[]), b"latin \xe9\xa0");
    }

    #[test]
    fn characters_are_not_cut() {
        let text = "x\u{1f400}".as_bytes();
        assert_eq!([1, 2, 3, 4, 5].map(|end| whole_characters(&text[..end])), [1, 1, 1, 1, 5]);
        let text = "ab\u{201c}".as_bytes();
        assert_eq!([2, 3, 4, 5].map(|end| whole_characters(&text[..end])), [2, 2, 2, 5]);
        assert_eq!([&b""[..], b"\xff", b"\x80\x80\x80\x80"].map(whole_characters), [0, 1, 4]);
    }

    proptest! {
        #[test]
        fn no_control_character_is_left(text: Vec<u8>) {
            let shown = printable(&text, &[]);
            prop_assert!(!String::from_utf8_lossy(&shown).chars().any(char::is_control));
            prop_assert!(whole_characters(&text) <= text.len());
        }

        #[test]
        fn cut_text_is_whole_up_to_the_cut(text: String, cut: usize) {
            let end = if text.is_empty() { 0 } else { cut % text.len() };
            let whole = whole_characters(&text.as_bytes()[..end]);
            prop_assert_eq!(whole, text.floor_char_boundary(end));
        }
    }
}
