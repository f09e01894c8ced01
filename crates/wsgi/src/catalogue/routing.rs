//! Directives that say where a request runs.

use super::{Directive, FILE_INFO, SECTIONS, SERVERS, Scope, on_or_off, one};
use crate::alias::{Alias, AliasOptions};
use crate::argument::{ArgumentError, flag, nearest};
use crate::words::{NotAPair, Pair, next_pair, next_word};

pub(super) const ROUTING: &[Directive] = &[
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
        allowed: FILE_INFO,
        arguments: c"name | %{ENV:variable}",
        documentation: "The name of the application object in its script (`application`).",
        apply: |arguments, scope| {
            scope.dir.callable = Some(one(arguments, "a name")?.into());
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
        allowed: FILE_INFO,
        arguments: c"On | Off",
        documentation: "Whether a script that was changed is loaded anew: in embedded mode the \
                        script, in a process group the process (`On`).",
        apply: |arguments, scope| {
            scope.dir.script_reloading = Some(on_or_off(arguments)?);
            Ok(())
        },
    },
];

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
