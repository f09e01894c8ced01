//! The one list of directives: name, where allowed, arguments, documentation, parser.
//!
//! httpd's command table, the error messages and the reference page are made from it.

use std::ffi::CStr;

use crate::codes::Message;
use crate::config::argument::{ArgumentError, flag};
use crate::config::category::{Category, count, join};
use crate::config::settings::{DirSettings, ServerSettings};
use crate::config::tokens::{next_word, words};

mod daemon;
mod hooks;
mod legacy;
mod python;
mod request;
mod routing;

/// Where a directive may stand besides the main server's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// Inside `<VirtualHost>`.
    pub virtual_host: bool,
    /// Inside `<Directory>`, `<Location>` and `<Files>`.
    pub directory: bool,
    /// In `.htaccess`, where `AllowOverride` names this class.
    pub htaccess: Option<Override>,
    /// Inside `<WSGIInterpreterOptions>`.
    pub interpreter_options: bool,
}

/// A class of directives that `AllowOverride` may allow in `.htaccess`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Override {
    /// `AllowOverride FileInfo`.
    FileInfo,
    /// `AllowOverride AuthConfig`.
    AuthConfig,
}

const MAIN: Allowed =
    Allowed { virtual_host: false, directory: false, htaccess: None, interpreter_options: false };
const MAIN_OR_BLOCK: Allowed = Allowed { interpreter_options: true, ..MAIN };
const SERVERS: Allowed = Allowed { virtual_host: true, ..MAIN };
const SECTIONS: Allowed = Allowed { directory: true, ..SERVERS };
const FILE_INFO: Allowed = Allowed { htaccess: Some(Override::FileInfo), ..SECTIONS };
const AUTH_CONFIG: Allowed = Allowed { htaccess: Some(Override::AuthConfig), ..SECTIONS };

/// The settings that a directive changes, and where it stands.
#[derive(Debug)]
pub struct DirectiveScope<'s> {
    /// The server that it stands in.
    pub server: &'s mut ServerSettings,
    /// The section that it stands in, or the server's defaults for its sections.
    pub dir: &'s mut DirSettings,
    /// File and line.
    pub place: (String, u32),
    /// Whether it stands in `.htaccess`.
    pub in_htaccess: bool,
}

impl DirectiveScope<'_> {
    /// Has something said about the directive that is no mistake.
    fn note(&mut self, message: Message) {
        let (file, line) = &self.place;
        self.server.notes.push(message.within(&format_args!("{file}:{line}")));
    }
}

/// A directive.
#[derive(Clone, Copy, Debug)]
pub struct Directive {
    /// Its name; that of a section begins with `<`.
    pub name: &'static CStr,
    /// Where it may stand.
    pub allowed: Allowed,
    /// Its arguments, in the notation of httpd's documentation.
    pub arguments: &'static CStr,
    /// Its effect.
    pub documentation: &'static str,
    /// Reads the arguments and applies them.
    pub apply: fn(&str, &mut DirectiveScope<'_>) -> Result<(), ArgumentError>,
}

impl Directive {
    /// Whether other directives stand in it, up to its closing tag.
    #[must_use]
    pub const fn is_section(&self) -> bool {
        self.name.to_bytes()[0] == b'<'
    }
}

/// The categories, in the order of the reference page.
pub const CATEGORIES: &[Category<Directive>] = &[
    Category { title: "Where requests go", entries: routing::ROUTING },
    Category { title: "How requests are shown and answered", entries: request::REQUEST },
    Category { title: "Who may have what, and where it runs", entries: hooks::HOOKS },
    Category { title: "Python", entries: python::PYTHON },
    Category { title: "Process groups", entries: daemon::DAEMON },
    Category { title: "Accepted for older configurations", entries: legacy::LEGACY },
];

/// All directives, category by category.
pub const DIRECTIVES: &[Directive; count(CATEGORIES)] = &join(CATEGORIES);

/// The words of the arguments, of which there must be one at least.
fn some(arguments: &str, allowed: &'static str) -> Result<Vec<String>, ArgumentError> {
    let words = words(arguments);
    if words.is_empty() { Err(ArgumentError::Missing(allowed)) } else { Ok(words) }
}

/// The one word that the arguments must be.
fn one(mut arguments: &str, allowed: &'static str) -> Result<String, ArgumentError> {
    let word = next_word(&mut arguments).unwrap_or_default().into_owned();
    if word.is_empty() {
        return Err(ArgumentError::Missing(allowed));
    }
    match next_word(&mut arguments) {
        Some(more) => Err(ArgumentError::TooMany(more.into_owned())),
        None => Ok(word),
    }
}

/// The one word that the arguments must be; `None` if it is written and empty, which leaves unset
/// what the directive sets.
fn one_or_unset(arguments: &str, allowed: &'static str) -> Result<Option<String>, ArgumentError> {
    if matches!(arguments.trim(), "''" | "\"\"") {
        Ok(None)
    } else {
        one(arguments, allowed).map(Some)
    }
}

fn on_or_off(arguments: &str) -> Result<bool, ArgumentError> {
    const ALLOWED: &str = "On or Off";
    let value = one(arguments, ALLOWED)?;
    flag(&value).ok_or(ArgumentError::Value { value, allowed: ALLOWED })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(name: &str, arguments: &str) -> Result<(ServerSettings, DirSettings), String> {
        let (mut server, mut dir) = (ServerSettings::default(), DirSettings::default());
        let place = ("httpd.conf".to_owned(), 1);
        let mut scope =
            DirectiveScope { server: &mut server, dir: &mut dir, place, in_htaccess: false };
        let directive = DIRECTIVES.iter().find(|entry| entry.name.to_str() == Ok(name)).unwrap();
        (directive.apply)(arguments, &mut scope).map_err(|error| error.to_string())?;
        Ok((server, dir))
    }

    #[test]
    fn names_are_sorted_and_unique() {
        for Category { title, entries } in CATEGORIES {
            let names: Vec<_> = entries.iter().map(|directive| directive.name).collect();
            assert!(names.is_sorted_by(|a, b| a < b), "{title}");
        }
        let names: std::collections::BTreeSet<_> =
            DIRECTIVES.iter().map(|directive| directive.name).collect();
        assert_eq!(names.len(), DIRECTIVES.len());
    }

    #[test]
    fn flags() {
        for (text, value) in [("On", true), ("oFF", false), ("\"on\"", true)] {
            let (_, dir) = apply("WSGIPassAuthorization", text).unwrap();
            assert_eq!(dir.pass_authorization, Some(value));
        }
        let (server, _) = apply("WSGILazyInitialization", "Off").unwrap();
        assert!(server.global.starts_early() && !ServerSettings::default().global.starts_early());
        assert_eq!(
            apply("WSGIScriptReloading", "maybe").unwrap_err(),
            "\"maybe\" is not allowed here: the value must be On or Off"
        );
        assert_eq!(apply("WSGIScriptReloading", "").unwrap_err(), "On or Off is missing");
        assert_eq!(
            apply("WSGIRestrictEmbedded", "On now").unwrap_err(),
            "there is an argument too many: \"now\""
        );
    }

    #[test]
    fn aliases() {
        let arguments = "/app '/srv/my app.wsgi' process-group=site application-group=%{GLOBAL} \
                         callable-object=app pass-authorization=On";
        let (server, _) = apply("WSGIScriptAlias", arguments).unwrap();
        let [alias] = &server.aliases[..] else { panic!("one alias") };
        assert_eq!((alias.url.as_str(), alias.target.as_str()), ("/app", "/srv/my app.wsgi"));
        assert_eq!(alias.options.process_group.as_deref(), Some("site"));
        assert_eq!(alias.options.application_group.as_deref(), Some("%{GLOBAL}"));
        assert_eq!(alias.options.callable.as_deref(), Some("app"));
        assert_eq!(alias.options.pass_authorization, Some(true));
        assert_eq!(apply("WSGIScriptAlias", "/").unwrap_err(), "the script's path is missing");
        assert_eq!(
            apply("WSGIScriptAlias", "/ /x process_group=y").unwrap_err(),
            "there is no option \"process_group\"; did you mean \"process-group\"?"
        );
        assert_eq!(
            apply("WSGIScriptAlias", "/ /x pass-authorization=1").unwrap_err(),
            "pass-authorization=1: the value must be On or Off"
        );
    }

    #[test]
    fn python_homes_must_be_absolute() {
        let (server, _) = apply("WSGIPythonHome", "/usr:/usr").unwrap();
        assert_eq!(server.global.python_home, Some("/usr".into()));
        let error = apply("WSGIPythonHome", "venv").unwrap_err();
        assert!(error.contains("absolute path"), "{error}");
    }

    #[test]
    fn what_has_no_effect_is_said_once() {
        for (name, good, bad) in [
            ("WSGITelemetryService", "unix:/run/t interval=2", "udp:1.2.3.4"),
            ("WSGITelemetryService", "unix:/run/t", "unix:/run/t interval=0.1"),
            ("WSGITelemetryOptions", "+CaptureUserAgent", "+CaptureUserAgent CaptureUserAgent"),
            ("WSGITelemetryOptions", "None", "-All"),
            ("WSGIPy3kWarningFlag", "On", "1"),
            ("WSGINewRelicConfigFile", "/etc/newrelic.ini", ""),
        ] {
            let (server, _) = apply(name, good).unwrap();
            let [note] = &server.notes[..] else { panic!("{name}: one note") };
            let text = format!("WSGI0298: httpd.conf:1: {name} has no effect");
            assert!(note.to_string().starts_with(&text));
            apply(name, bad).unwrap_err();
        }
        assert!(apply("WSGIAcceptMutex", "Flock").unwrap().0.notes.is_empty());
        let error = apply("WSGIAcceptMutex", "spin").unwrap_err();
        assert!(error.contains("flock, fcntl"), "{error}");
    }

    #[test]
    fn imports_need_both_groups() {
        let (server, _) =
            apply("WSGIImportScript", "/a.py process-group=x application-group=%{GLOBAL}").unwrap();
        let [import] = &server.imports[..] else { panic!("one import") };
        assert_eq!((import.process_group.as_str(), import.application_group.as_str()), ("x", ""));
        let missing = |arguments| apply("WSGIImportScript", arguments).unwrap_err();
        assert_eq!(missing("/a.py application-group=x"), "process-group= is missing");
        assert_eq!(missing("/a.py process-group=x"), "application-group= is missing");
    }

    #[test]
    fn handlers_are_read_and_overlaid() {
        let (_, outer) = apply("WSGIHandlerScript", "one /a.py process-group=x").unwrap();
        let (_, inner) = apply("WSGIHandlerScript", "one /b.py").unwrap();
        let merged = inner.over(&outer);
        assert_eq!(merged.handler_script(b"one").map(|one| one.script.as_str()), Some("/b.py"));
        assert_eq!(merged.handler_script(b"two"), None);
        assert_eq!(apply("WSGIHandlerScript", "one").unwrap_err(), "the script's path is missing");
    }

    #[test]
    fn process_groups_may_be_restricted() {
        let (_, dir) = apply("WSGIRestrictProcess", "Site %{GLOBAL}").unwrap();
        assert!(dir.allows_process("site") && dir.allows_process(""));
        assert!(!dir.allows_process("other") && DirSettings::default().allows_process("other"));
    }

    #[test]
    fn values_of_python_are_strict() {
        for (name, bad) in [
            ("WSGIPythonOptimize", "3"),
            ("WSGIPythonHashSeed", "4294967296"),
            ("WSGISwitchInterval", "0"),
            ("WSGISwitchInterval", "1x"),
            ("WSGISlowRequests", "-1"),
        ] {
            let error = apply(name, bad).unwrap_err();
            assert!(error.contains(bad) && error.contains("must be"), "{error}");
        }
        let (server, _) = apply("WSGISlowRequests", "0").unwrap();
        assert_eq!(server.global.slow_requests, None);
        let (server, _) = apply("WSGIPythonHashSeed", "random").unwrap();
        assert_eq!(server.global.python.hash_seed.as_deref(), Some("random"));
    }

    #[test]
    fn sections_name_what_they_are_for() {
        let name = "<WSGIInterpreterOptions";
        let (server, _) = apply(name, "Process-Group=site application-group=%{GLOBAL}>").unwrap();
        let [block] = &server.global.interpreters.blocks[..] else { panic!("one section") };
        assert_eq!(block.process_group.as_deref(), Some("site"));
        assert_eq!(block.application_group.as_deref(), Some(""));
        assert!(server.global.in_block);
        assert_eq!(apply(name, "process-group=x").unwrap_err(), "the closing > is missing");
        let error = apply(name, "process-group=x process-group=y>").unwrap_err();
        assert_eq!(error, "process-group is given twice; give it once");
        let error = apply(name, "group=x>").unwrap_err();
        assert!(error.starts_with("there is no option \"group\""), "{error}");
    }
}
