//! The one list of directives: name, where allowed, arguments, documentation, parser.
//!
//! httpd's command table, the error messages and the reference page are made from it.

use std::ffi::CStr;

use crate::alias::{Alias, AliasOptions};
use crate::argument::{ArgumentError, flag, nearest};
use crate::daemon::{GroupSpec, python_home, split_path};
use crate::environ::is_header_name;
use crate::proxy::{ProxyHeader, Subnet, known_header};
use crate::settings::{DefinedGroup, DirSettings, MapHead, ServerSettings};
use crate::words::{NotAPair, Pair, next_pair, next_word, words};

/// Where a directive may stand besides the main server's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// Inside `<VirtualHost>`.
    pub virtual_host: bool,
    /// Inside `<Directory>`, `<Location>` and `<Files>`.
    pub directory: bool,
    /// In `.htaccess`, with `AllowOverride FileInfo`.
    pub htaccess: bool,
}

const MAIN: Allowed = Allowed { virtual_host: false, directory: false, htaccess: false };
const SERVERS: Allowed = Allowed { virtual_host: true, ..MAIN };
const SECTIONS: Allowed = Allowed { directory: true, ..SERVERS };
const HTACCESS: Allowed = Allowed { htaccess: true, ..SECTIONS };

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

/// All directives, by name.
pub const DIRECTIVES: &[Directive] = &[
    Directive {
        name: c"WSGIApplicationGroup",
        allowed: SECTIONS,
        arguments: c"name | %{GLOBAL} | %{SERVER} | %{HOST} | %{RESOURCE} | %{ENV:variable}",
        documentation: "The interpreter that applications run in: `%{GLOBAL}` is the main one, any \
                        other name a sub-interpreter. Not set, it is `%{RESOURCE}`: one for each \
                        script; but a script that is the only one of its process group runs in the \
                        main interpreter.",
        apply: |arguments, scope| {
            scope.dir.application_group = Some(one(arguments, "a name")?.into());
            Ok(())
        },
    },
    Directive {
        name: c"WSGICallableObject",
        allowed: HTACCESS,
        arguments: c"name | %{ENV:variable}",
        documentation: "The name of the application object in its script (`application`).",
        apply: |arguments, scope| {
            scope.dir.callable = Some(one(arguments, "a name")?.into());
            Ok(())
        },
    },
    Directive {
        name: c"WSGIDaemonProcess",
        allowed: SERVERS,
        arguments: c"name [option=value ...]",
        documentation: "Defines a process group: processes that run applications outside of httpd.",
        apply: |arguments, scope| {
            let spec = GroupSpec::parse(arguments)?;
            scope.server.groups.push(DefinedGroup { spec, place: scope.place.clone() });
            Ok(())
        },
    },
    Directive {
        name: c"WSGILazyInitialization",
        allowed: MAIN,
        arguments: c"On | Off",
        documentation: "When Python is started for embedded mode: by each of httpd's children at its \
                        first request that needs it, or (`Off`) by httpd's parent, once, as the user \
                        that it runs as, for all children to inherit. The parent keeps that Python \
                        until httpd is stopped. With `WSGIRestrictEmbedded On` there is none either \
                        way (`On`).",
        apply: |arguments, scope| {
            scope.server.global.lazy_initialization = Some(on_or_off(arguments)?);
            Ok(())
        },
    },
    Directive {
        name: c"WSGIMapHEADToGET",
        allowed: HTACCESS,
        arguments: c"On | Off | Auto",
        documentation: "Whether a HEAD request is shown to applications as GET: always, never, or \
                        when an output filter wants to see the body (`Auto`).",
        apply: |arguments, scope| {
            const ALLOWED: &str = "On, Off or Auto";
            let value = one(arguments, ALLOWED)?;
            let map = match flag(&value) {
                Some(true) => MapHead::Always,
                Some(false) => MapHead::Never,
                None if value.eq_ignore_ascii_case("auto") => MapHead::Auto,
                None => return Err(ArgumentError::Value { value, allowed: ALLOWED }),
            };
            scope.dir.map_head = Some(map);
            Ok(())
        },
    },
    Directive {
        name: c"WSGIPassApacheRequest",
        allowed: SECTIONS,
        arguments: c"On | Off",
        documentation: "Whether applications in embedded mode find httpd's `request_rec` in their \
                        environ, as the capsule `apache.request_rec` for C code (`Off`).",
        apply: |arguments, scope| {
            scope.dir.pass_apache_request = Some(on_or_off(arguments)?);
            Ok(())
        },
    },
    Directive {
        name: c"WSGIPassAuthorization",
        allowed: HTACCESS,
        arguments: c"On | Off",
        documentation: "Whether applications see the `Authorization` header (`Off`).",
        apply: |arguments, scope| {
            scope.dir.pass_authorization = Some(on_or_off(arguments)?);
            Ok(())
        },
    },
    Directive {
        name: c"WSGIPerInterpreterGIL",
        allowed: MAIN,
        arguments: c"On | Off",
        documentation: "From Python 3.12 on, whether sub-interpreters have a GIL of their own, so that \
                        they run at the same time (`Off`). Extension modules that were not made for \
                        that cannot be imported there, and the error names them.",
        apply: |arguments, scope| {
            scope.server.global.interpreters.own_gil = on_or_off(arguments)?;
            Ok(())
        },
    },
    Directive {
        name: c"WSGIProcessGroup",
        allowed: SECTIONS,
        arguments: c"name | %{GLOBAL} | %{SERVER} | %{HOST} | %{RESOURCE} | %{ENV:variable}",
        documentation: "The process group that applications run in; `%{GLOBAL}` (and not set) is \
                        embedded mode, in httpd's own children.",
        apply: |arguments, scope| {
            scope.dir.process_group = Some(one(arguments, "a name")?.into());
            Ok(())
        },
    },
    Directive {
        name: c"WSGIPythonHome",
        allowed: MAIN,
        arguments: c"directory",
        documentation: "Where Python is (a virtual environment or an installation) for embedded \
                        mode and for process groups without `python-home` (the system's python3).",
        apply: |arguments, scope| {
            const ALLOWED: &str = "an absolute path of a directory";
            let value = one(arguments, ALLOWED)?;
            let home = python_home(&value);
            let home = home.ok_or(ArgumentError::Value { value, allowed: ALLOWED })?;
            scope.server.global.python_home = Some(home);
            Ok(())
        },
    },
    Directive {
        name: c"WSGIPythonPath",
        allowed: MAIN,
        arguments: c"directory[:directory ...]",
        documentation: "Directories that are put in front of `sys.path` in embedded mode; their \
                        `.pth` files are honoured. Process groups have `python-path`.",
        apply: |arguments, scope| {
            let value = one(arguments, "directories with a colon between")?;
            scope.server.global.python_path = split_path(&value);
            Ok(())
        },
    },
    Directive {
        name: c"WSGIRestrictEmbedded",
        allowed: MAIN,
        arguments: c"On | Off",
        documentation: "`On` refuses requests in embedded mode: each gets status 500 and a line in \
                        the error log that says what to set (`Off`).",
        apply: |arguments, scope| {
            scope.server.global.restrict_embedded = Some(on_or_off(arguments)?);
            Ok(())
        },
    },
    Directive {
        name: c"WSGIRestrictSignal",
        allowed: MAIN,
        arguments: c"On | Off",
        documentation: "Whether `signal.signal` installs nothing and says so in the log, so that \
                        applications do not take over the signals of their process (`On`).",
        apply: |arguments, scope| {
            scope.server.global.interpreters.restrict_signal = on_or_off(arguments)?;
            Ok(())
        },
    },
    Directive {
        name: c"WSGIRestrictStdin",
        allowed: MAIN,
        arguments: c"On | Off",
        documentation: "`On` makes every use of `sys.stdin` an `OSError` (`Off`).",
        apply: |arguments, scope| {
            scope.server.global.interpreters.restrict_stdin = on_or_off(arguments)?;
            Ok(())
        },
    },
    Directive {
        name: c"WSGIRestrictStdout",
        allowed: MAIN,
        arguments: c"On | Off",
        documentation: "`On` makes every use of `sys.stdout` an `OSError`; `Off` sends what is \
                        printed to the error log (`Off`).",
        apply: |arguments, scope| {
            scope.server.global.interpreters.restrict_stdout = on_or_off(arguments)?;
            Ok(())
        },
    },
    Directive {
        name: c"WSGIScriptAlias",
        allowed: SERVERS,
        arguments: c"url-path file-or-directory [option=value ...]",
        documentation: "Leads a URL path to a script, or to the scripts of a directory. The first \
                        alias that matches wins. Options: `process-group`, `application-group`, \
                        `callable-object`, `pass-authorization`.",
        apply: |arguments, scope| alias(arguments, scope, AliasKind::Plain),
    },
    Directive {
        name: c"WSGIScriptAliasMatch",
        allowed: SERVERS,
        arguments: c"regex file-or-directory [option=value ...]",
        documentation: "As `WSGIScriptAlias` with a regular expression; `$0` to `$9` in the target \
                        are replaced by what it matched.",
        apply: |arguments, scope| alias(arguments, scope, AliasKind::Pattern),
    },
    Directive {
        name: c"WSGIScriptReloading",
        allowed: HTACCESS,
        arguments: c"On | Off",
        documentation: "Whether a script that was changed is loaded anew: in embedded mode the \
                        script, in a process group the process (`On`).",
        apply: |arguments, scope| {
            scope.dir.script_reloading = Some(on_or_off(arguments)?);
            Ok(())
        },
    },
    Directive {
        name: c"WSGIServerMetrics",
        allowed: MAIN,
        arguments: c"On | Off",
        documentation: "Whether `mod_wsgi.server_metrics()` shows applications in embedded mode what \
                        all of httpd's threads do (`Off`). Process groups have `server-metrics`.",
        apply: |arguments, scope| {
            scope.server.global.server_metrics = on_or_off(arguments)?;
            Ok(())
        },
    },
    Directive {
        name: c"WSGISocketPrefix",
        allowed: MAIN,
        arguments: c"path-prefix",
        documentation: "Beginning of the names of the process groups' sockets, relative to \
                        `ServerRoot` (`wsgi` in `DefaultRuntimeDir`).",
        apply: |arguments, scope| {
            let value = one(arguments, "the beginning of a path")?;
            scope.server.global.socket_prefix = Some(value);
            Ok(())
        },
    },
    Directive {
        name: c"WSGITrustedProxies",
        allowed: HTACCESS,
        arguments: c"address | address/length | address/mask ...",
        documentation: "The proxies whose headers are believed; not set, those of every peer. Given \
                        several times in one place, the lists add up.",
        apply: |arguments, scope| {
            const ALLOWED: &str = "IP addresses, each alone or with /length or /mask";
            let mut proxies: Vec<Subnet> =
                scope.dir.trusted_proxies.as_deref().unwrap_or_default().to_vec();
            for value in some(arguments, ALLOWED)? {
                let subnet = Subnet::parse(&value);
                proxies.push(subnet.ok_or(ArgumentError::Value { value, allowed: ALLOWED })?);
            }
            scope.dir.trusted_proxies = Some(proxies.into());
            Ok(())
        },
    },
    Directive {
        name: c"WSGITrustedProxyHeaders",
        allowed: HTACCESS,
        arguments: c"header ...",
        documentation: "Headers with which a proxy tells about client, host, port, scheme and mount \
                        point, such as `X-Forwarded-For`, and which are applied to the environ. \
                        Others that tell the same are removed. Given several times in one place, \
                        the lists add up.",
        apply: |arguments, scope| {
            const ALLOWED: &str = "names of headers, of letters, digits and -";
            let mut headers: Vec<&'static ProxyHeader> =
                scope.dir.trusted_headers.as_deref().unwrap_or_default().to_vec();
            for value in some(arguments, ALLOWED)? {
                if !is_header_name(value.as_bytes()) {
                    return Err(ArgumentError::Value { value, allowed: ALLOWED });
                }
                // Others mean nothing here; mod_wsgi passes over them, too.
                headers.extend(known_header(&value));
            }
            scope.dir.trusted_headers = Some(headers.into());
            Ok(())
        },
    },
];

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

#[derive(Clone, Copy, PartialEq, Eq)]
enum AliasKind {
    Plain,
    Pattern,
}

fn alias(mut arguments: &str, scope: &mut Scope<'_>, kind: AliasKind) -> Result<(), ArgumentError> {
    let (is_pattern, what) = match kind {
        AliasKind::Plain => (false, "the URL path"),
        AliasKind::Pattern => (true, "the regular expression"),
    };
    let mut word = |what| {
        let word = next_word(&mut arguments).filter(|word| !word.is_empty());
        word.map(std::borrow::Cow::into_owned).ok_or(ArgumentError::Missing(what))
    };
    let (url, target) = (word(what)?, word("the script's path")?);
    let options = alias_options(arguments)?;
    scope.server.aliases.push(Alias { url, is_pattern, target, options });
    Ok(())
}

fn alias_options(mut arguments: &str) -> Result<AliasOptions, ArgumentError> {
    const NAMES: [&str; 4] =
        ["process-group", "application-group", "callable-object", "pass-authorization"];
    let mut options = AliasOptions::default();
    while let Some(pair) = next_pair(&mut arguments) {
        let Pair { name, value } = pair.map_err(|NotAPair(word)| ArgumentError::NotAPair(word))?;
        let Some(known) = NAMES.into_iter().find(|known| *known == name) else {
            return Err(ArgumentError::UnknownOption { nearest: nearest(&name, NAMES), name });
        };
        if value.is_empty() {
            return Err(ArgumentError::option(known, &value, "a name"));
        }
        match known {
            "process-group" => options.process_group = Some(value),
            "application-group" => options.application_group = Some(value),
            "callable-object" => options.callable = Some(value),
            _ => {
                let on = flag(&value);
                let on = on.ok_or(ArgumentError::option(known, &value, "On or Off"))?;
                options.pass_authorization = Some(on);
            }
        }
    }
    Ok(options)
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
        let names: Vec<_> = DIRECTIVES.iter().map(|directive| directive.name).collect();
        assert!(names.is_sorted_by(|a, b| a < b));
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
