//! Directives that say where a request runs.

use std::borrow::Cow;

use super::{Directive, DirectiveScope, FILE_INFO, MAIN, SECTIONS, SERVERS, on_or_off, one, some};
use crate::config::alias::{Alias, AliasOptions};
use crate::config::argument::{ArgumentError, flag, nearest};
use crate::config::script_path::tidied;
use crate::config::settings::{HandlerScript, Import};
use crate::config::tokens::{NotAPair, Pair, next_pair, next_word};

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
        name: c"WSGICaseSensitivity",
        allowed: MAIN,
        arguments: c"On | Off",
        documentation: "`Off` says that the names of files in upper and lower case are alike, so \
                        that `%{RESOURCE}` and the modules of scripts are, too (`On`).",
        apply: |arguments, scope| {
            scope.server.global.case_insensitive = !on_or_off(arguments)?;
            Ok(())
        },
    },
    Directive {
        name: c"WSGIHandlerScript",
        allowed: SECTIONS,
        arguments: c"name script [option=value ...]",
        documentation: "Makes a handler for `SetHandler`, `AddHandler` and the like: requests go \
                        to `handle_request` of the script, whatever file they are for. Options: \
                        `process-group`, `application-group`, `pass-authorization`.",
        apply: handler_script,
    },
    Directive {
        name: c"WSGIImportScript",
        allowed: SERVERS,
        arguments: c"script process-group=name application-group=name",
        documentation: "Imports a script when processes of a group start, before they take \
                        requests; `process-group=%{GLOBAL}` when children of httpd start, which \
                        then have Python from the beginning.",
        apply: import_script,
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
        name: c"WSGIRestrictProcess",
        allowed: SECTIONS,
        arguments: c"name | %{GLOBAL} ...",
        documentation: "The process groups that applications may run in; `%{GLOBAL}` is embedded \
                        mode. Other requests get status 500.",
        apply: |arguments, scope| {
            let names = some(arguments, "names of process groups")?;
            scope.dir.restrict_process = Some(names.iter().map(|name| global(name)).collect());
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

fn alias(
    mut arguments: &str,
    scope: &mut DirectiveScope<'_>,
    kind: AliasKind,
) -> Result<(), ArgumentError> {
    let (is_pattern, what) = match kind {
        AliasKind::Plain => (false, "the URL path"),
        AliasKind::Pattern => (true, "the regular expression"),
    };
    let url = word(&mut arguments, what)?;
    let target = word(&mut arguments, "the script's path")?;
    let mut options = AliasOptions::default();
    read_options(arguments, &ALIAS_OPTIONS, |name, value| {
        match name {
            "process-group" => options.process_group = Some(value),
            "application-group" => options.application_group = Some(value),
            "callable-object" => options.callable = Some(value),
            _ => options.pass_authorization = Some(flag_of(name, &value)?),
        }
        Ok(())
    })?;
    let place = scope.place.clone();
    scope.server.aliases.push(Alias { url, is_pattern, target, options, place });
    Ok(())
}

const ALIAS_OPTIONS: [&str; 4] =
    ["process-group", "application-group", "callable-object", "pass-authorization"];

const HANDLER_OPTIONS: [&str; 3] = ["process-group", "application-group", "pass-authorization"];

fn handler_script(
    mut arguments: &str,
    scope: &mut DirectiveScope<'_>,
) -> Result<(), ArgumentError> {
    let mut script = HandlerScript {
        name: word(&mut arguments, "the name of the handler")?,
        script: tidied(&word(&mut arguments, "the script's path")?),
        process_group: None,
        application_group: None,
        pass_authorization: None,
    };
    read_options(arguments, &HANDLER_OPTIONS, |name, value| {
        match name {
            "process-group" => script.process_group = Some(value),
            "application-group" => script.application_group = Some(value),
            _ => script.pass_authorization = Some(flag_of(name, &value)?),
        }
        Ok(())
    })?;
    let before = scope.dir.handler_scripts.as_deref().unwrap_or_default();
    scope.dir.handler_scripts = Some(before.iter().cloned().chain([script]).collect());
    Ok(())
}

fn import_script(mut arguments: &str, scope: &mut DirectiveScope<'_>) -> Result<(), ArgumentError> {
    let script = word(&mut arguments, "the script's path")?;
    let (mut process_group, mut application_group) = (None, None);
    read_options(arguments, &["process-group", "application-group"], |name, value| {
        let group = global(&value);
        *(if name == "process-group" { &mut process_group } else { &mut application_group }) =
            Some(group);
        Ok(())
    })?;
    let process_group = process_group.ok_or(ArgumentError::Missing("process-group="))?;
    let application_group =
        application_group.ok_or(ArgumentError::Missing("application-group="))?;
    let place = scope.place.clone();
    let script = tidied(&script).into();
    scope.server.imports.push(Import { script, process_group, application_group, place });
    Ok(())
}

/// The name of a group; that of `%{GLOBAL}` is empty.
fn global(name: &str) -> String {
    if name == "%{GLOBAL}" { String::new() } else { name.to_owned() }
}

fn word(arguments: &mut &str, what: &'static str) -> Result<String, ArgumentError> {
    let word = next_word(arguments).filter(|word| !word.is_empty());
    word.map(Cow::into_owned).ok_or(ArgumentError::Missing(what))
}

/// Reads options, which must be among `names`; `take` gets name and value.
fn read_options(
    mut arguments: &str,
    names: &[&'static str],
    mut take: impl FnMut(&'static str, String) -> Result<(), ArgumentError>,
) -> Result<(), ArgumentError> {
    while let Some(pair) = next_pair(&mut arguments) {
        let Pair { name, value } = pair.map_err(|NotAPair(word)| ArgumentError::NotAPair(word))?;
        let Some(known) = names.iter().copied().find(|known| *known == name) else {
            let nearest = nearest(&name, names.iter().copied());
            return Err(ArgumentError::UnknownOption { nearest, name });
        };
        if value.is_empty() {
            return Err(ArgumentError::option(known, &value, "a name"));
        }
        take(known, value)?;
    }
    Ok(())
}

fn flag_of(name: &'static str, value: &str) -> Result<bool, ArgumentError> {
    flag(value).ok_or_else(|| ArgumentError::option(name, value, "On or Off"))
}
