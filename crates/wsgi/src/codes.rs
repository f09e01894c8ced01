//! Every message at warning or above that Dormouse itself writes, each with its number `WSGInnnn`.
//!
//! An entry of the catalogue is a function: it takes the values that its text names and gives a
//! [`Message`]. The logs of all crates take nothing else at these levels. The number is that of
//! mod_wsgi 6 where the meaning is the same; from 211 on they are Dormouse's own. Meaning and
//! remedy are in the entry, too, for the page that is made of them all ([`page()`]); nothing else
//! refers to them, so the served binaries have the texts alone. Lines of applications are written
//! as they come.

use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};

use crate::level::Level;

mod applications;
mod configuration;
mod groups;
mod hooks;
mod internal;
mod ownership;
mod page;
mod requests;
mod workers;

pub use applications::*;
pub use configuration::*;
pub use groups::*;
pub use hooks::*;
pub use internal::*;
pub use ownership::*;
pub use page::page;
pub use requests::*;
pub use workers::*;

/// A message for an error log, with its number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    number: u16,
    level: Level,
    text: String,
}

impl Message {
    #[cold]
    #[inline(never)]
    fn new(number: u16, level: Level, text: fmt::Arguments<'_>) -> Self {
        Self { number, level, text: text.to_string() }
    }

    /// How serious it is.
    pub fn level(&self) -> Level {
        self.level
    }

    /// The same, with what it is about in front: a process group, a directive with its place.
    #[must_use]
    pub fn within(self, context: &dyn Display) -> Self {
        Self { text: format!("{context}: {}", self.text), ..self }
    }

    /// The same, with the script that it is about at the end.
    #[must_use]
    pub fn in_script(self, script: &str) -> Self {
        Self { text: format!("{}, in {script}", self.text), ..self }
    }

    /// Another line of this message, such as one of a stack.
    #[must_use]
    pub fn line(&self, text: &str) -> Self {
        Self { number: self.number, level: self.level, text: text.to_owned() }
    }

    /// The text without the code, for a message about what this one has led to.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The message as it is logged, a line of its text at a time; each has the code.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.text.split('\n').map(|line| self.line(line).to_string())
    }

    /// The same at a level that is less serious, for what a user has asked for.
    #[must_use]
    pub fn lowered_to(self, level: Level) -> Self {
        Self { level: self.level.max(level), ..self }
    }
}

/// The line as it is logged: `WSGI0143: embedded mode is disabled ...`.
impl Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WSGI{:04}: {}", self.number, self.text)
    }
}

/// A message's number, level and texts, for its page.
#[derive(Clone, Copy, Debug)]
struct Entry {
    number: u16,
    /// The most serious level that it is logged at.
    level: Level,
    /// The text, as the format that the message is made with.
    text: &'static str,
    meaning: &'static str,
    remedy: &'static str,
    /// The response that the client of the request saw, if there is one.
    client: &'static str,
}

/// The messages about one thing.
struct Area {
    title: &'static str,
    entries: &'static [Entry],
}

const AREAS: [Area; 8] = [
    Area { title: "Requests", entries: requests::ENTRIES },
    Area { title: "Applications", entries: applications::ENTRIES },
    Area { title: "Access, users and dispatching", entries: hooks::ENTRIES },
    Area { title: "Owners of scripts", entries: ownership::ENTRIES },
    Area { title: "Process groups", entries: groups::ENTRIES },
    Area { title: "Workers and templates", entries: workers::ENTRIES },
    Area { title: "Configuration", entries: configuration::ENTRIES },
    Area { title: "Dormouse itself", entries: internal::ENTRIES },
];

/// The number of a code as it is written, such as `WSGI0143`.
const fn number(code: &str) -> u16 {
    let (code, mut number, mut place) = (code.as_bytes(), 0, "WSGI".len());
    assert!(code.len() == "WSGI0143".len(), "a code has four digits");
    while place < code.len() {
        assert!(code[place].is_ascii_digit(), "a code has four digits");
        number = number * 10 + (code[place] - b'0') as u16;
        place += 1;
    }
    number
}

/// Makes a function of each entry, and their list.
macro_rules! catalogue {
    ($($code:ident $level:ident $name:ident($($argument:ident: $type:ty),*) {
        text: $text:literal,
        meaning: $meaning:literal,
        remedy: $remedy:literal,
        client: $client:literal,
    })*) => {
        pub(super) const ENTRIES: &[$crate::codes::Entry] = &[$($crate::codes::Entry {
            number: $crate::codes::number(stringify!($code)),
            level: $crate::level::Level::$level,
            text: $text,
            meaning: $meaning,
            remedy: $remedy,
            client: $client,
        }),*];

        $(
            #[doc = $meaning]
            #[must_use]
            pub fn $name($($argument: $type),*) -> $crate::codes::Message {
                const NUMBER: u16 = $crate::codes::number(stringify!($code));
                let level = $crate::level::Level::$level;
                $crate::codes::Message::new(NUMBER, level, format_args!($text))
            }
        )*
    };
}
use catalogue;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn entries() -> impl Iterator<Item = &'static Entry> {
        AREAS.iter().flat_map(|area| area.entries)
    }

    #[test]
    fn each_number_is_there_once_and_in_its_order() {
        let mut seen = BTreeSet::new();
        for area in &AREAS {
            let numbers: Vec<u16> = area.entries.iter().map(|entry| entry.number).collect();
            assert!(numbers.is_sorted(), "{}: {numbers:?}", area.title);
        }
        for entry in entries() {
            assert!(seen.insert(entry.number), "WSGI{:04} is there twice", entry.number);
        }
    }

    #[test]
    fn each_entry_says_everything() {
        for entry in entries() {
            let Entry { number, text, meaning, remedy, client, .. } = entry;
            assert!(entry.level <= Level::Warning, "WSGI{number:04} needs no number");
            for part in [text, meaning, remedy, client] {
                assert!(!part.is_empty() && part.is_ascii(), "WSGI{number:04}: {part:?}");
                assert!(!part.contains("  "), "WSGI{number:04}: {part:?}");
            }
            assert!(!text.ends_with(['.', ' ']), "WSGI{number:04}: {text:?}");
            for part in [meaning, remedy, client] {
                assert!(part.ends_with('.'), "WSGI{number:04}: {part:?}");
            }
        }
    }

    #[test]
    fn a_message_is_one_line() {
        let message = unknown_group("shop").within(&"WSGIProcessGroup \"shop\"");
        assert_eq!(message.level(), Level::Error);
        let text = "WSGI0151: WSGIProcessGroup \"shop\": there is no process group \"shop\"; \
                    define it with WSGIDaemonProcess \"shop\"";
        assert_eq!(message.to_string(), text);
        let below = message.line("above\nbelow");
        assert_eq!(below.lines().collect::<Vec<_>>(), ["WSGI0151: above", "WSGI0151: below"]);
        assert_eq!(message.clone().lowered_to(Level::Info).level(), Level::Info);
        assert_eq!(message.lowered_to(Level::Alert).level(), Level::Error);
    }
}
