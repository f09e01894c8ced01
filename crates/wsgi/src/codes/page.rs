//! The page about all messages, made of the catalogue.

use std::fmt::Write as _;

use super::{AREAS, Entry};

const INTRODUCTION: &str = "\
# Messages

<!-- Made from the catalogue by `cargo xtask reference`; a test fails where it is stale. -->

Every line of the error log at the level `warn` or above that Dormouse itself writes has a code:
`WSGI` and four digits. It stands behind what httpd puts in front of each line, and behind
`[script ...]`, the path of the script, if a worker or the engine writes about a request. It is
followed by the subject, such as `process group \"shop\":`, and the text. The number is that of
mod_wsgi 6 where the meaning is the same; from WSGI0211 on they are Dormouse's own. Lines without
a code come from applications: output to `sys.stderr` and `wsgi.errors`, records of `logging`, and
the lines of a traceback, which follow the line with its code.

`<name>` stands for a value, and the level is the most serious one that the message has.
";

/// The page, as Markdown.
#[must_use]
pub fn page() -> String {
    let mut text = INTRODUCTION.to_owned();
    for area in &AREAS {
        let _ = writeln!(text, "\n## {}", area.title);
        area.entries.iter().for_each(|entry| write_entry(entry, &mut text));
    }
    text
}

fn write_entry(entry: &Entry, text: &mut String) {
    let Entry { number, level, meaning, remedy, client, .. } = entry;
    let template = shown(entry.text);
    let _ = writeln!(text, "\n### WSGI{number:04}\n\n```\n[{}] {template}\n```\n", level.name());
    let _ = writeln!(text, "{meaning}\n\n- **What to do:** {remedy}\n- **Client:** {client}");
}

/// A format with `<name>` for each of its arguments, and `[<name>]` for one that may be empty.
fn shown(format: &str) -> String {
    let mut text = String::with_capacity(format.len());
    let mut rest = format;
    while let Some(place) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(place);
        text.push_str(before);
        if from.starts_with("{{") || from.starts_with("}}") {
            text.push_str(&from[..1]);
            rest = &from[2..];
            continue;
        }
        let end = from.find('}').unwrap_or(from.len() - 1);
        let (name, format) = from[1..end].split_once(':').unwrap_or((&from[1..end], ""));
        let name = name.replace('_', " ");
        let quote = if format == "?" { "\"" } else { "" };
        // An optional part brings its own blank or comma.
        if text.ends_with(char::is_alphanumeric) || text.ends_with(')') {
            let _ = write!(text, "[<{name}>]");
        } else {
            let _ = write!(text, "{quote}<{name}>{quote}");
        }
        rest = &from[end + 1..];
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_shown_by_their_names() {
        let format = "the file {file_name:?} has {{{count}}} lines in {time:.1?}";
        assert_eq!(shown("ended{next}"), "ended[<next>]");
        assert_eq!(shown(format), "the file \"<file name>\" has {<count>} lines in <time>");
    }

    #[test]
    fn the_page_in_the_documentation_is_this_one() {
        let kept = include_str!("../../../../docs/errors.md");
        assert!(kept == page(), "docs/errors.md is stale: run `cargo xtask reference`");
    }
}
