//! The one list of directives: name, where allowed, arguments, documentation, parser.
//!
//! httpd's command table, the error messages and the reference page are made from it.

use std::ffi::CStr;

use crate::argument::{ArgumentError, flag};
use crate::settings::{DirSettings, ServerSettings};
use crate::words::{next_word, words};

mod daemon;
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
}

/// A class of directives that `AllowOverride` may allow in `.htaccess`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Override {
    /// `AllowOverride FileInfo`.
    FileInfo,
    /// `AllowOverride AuthConfig`.
    AuthConfig,
}

const MAIN: Allowed = Allowed { virtual_host: false, directory: false, htaccess: None };
const SERVERS: Allowed = Allowed { virtual_host: true, ..MAIN };
const SECTIONS: Allowed = Allowed { directory: true, ..SERVERS };
const FILE_INFO: Allowed = Allowed { htaccess: Some(Override::FileInfo), ..SECTIONS };

/// What a directive changes, and where it stands.
#[derive(Debug)]
pub struct Scope<'s> {
    /// The server that it stands in.
    pub server: &'s mut ServerSettings,
    /// The section that it stands in, or the server's defaults for its sections.
    pub dir: &'s mut DirSettings,
    /// File and line.
    pub place: (String, u32),
}

/// A directive.
#[derive(Clone, Copy, Debug)]
pub struct Directive {
    /// Its name.
    pub name: &'static CStr,
    /// Where it may stand.
    pub allowed: Allowed,
    /// Its arguments, in the notation of httpd's documentation.
    pub arguments: &'static CStr,
    /// What it does.
    pub documentation: &'static str,
    /// Reads the arguments and applies them.
    pub apply: fn(&str, &mut Scope<'_>) -> Result<(), ArgumentError>,
}

/// The categories, in the order of the reference page, and what they are called there.
pub const CATEGORIES: &[(&str, &[Directive])] = &[
    ("Where requests go", routing::ROUTING),
    ("How requests are shown", request::REQUEST),
    ("Python", python::PYTHON),
    ("Process groups", daemon::DAEMON),
];

const COUNT: usize = {
    let (mut count, mut category) = (0, 0);
    while category < CATEGORIES.len() {
        count += CATEGORIES[category].1.len();
        category += 1;
    }
    count
};

/// All directives, category by category.
pub const DIRECTIVES: &[Directive; COUNT] = &{
    let mut all = [CATEGORIES[0].1[0]; COUNT];
    let (mut place, mut category) = (0, 0);
    while category < CATEGORIES.len() {
        let directives = CATEGORIES[category].1;
        let mut one = 0;
        while one < directives.len() {
            all[place] = directives[one];
            place += 1;
            one += 1;
        }
        category += 1;
    }
    all
};

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
        let mut scope = Scope { server: &mut server, dir: &mut dir, place };
        let directive = DIRECTIVES.iter().find(|entry| entry.name.to_str() == Ok(name)).unwrap();
        (directive.apply)(arguments, &mut scope).map_err(|error| error.to_string())?;
        Ok((server, dir))
    }

    #[test]
    fn names_are_sorted_and_unique() {
        for (category, directives) in CATEGORIES {
            let names: Vec<_> = directives.iter().map(|directive| directive.name).collect();
            assert!(names.is_sorted_by(|a, b| a < b), "{category}");
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
}
