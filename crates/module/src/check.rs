//! The problems of a configuration, found when it was read, also by `apachectl -t`.

mod groups;
pub(crate) mod hooks;

use std::collections::HashMap;
use std::path::Path;

use httpd::{RunMode, Server, StartKind, StartPass, Unusable};
use wsgi::codes::{self, Message};
use wsgi::config::access_sections::{Node, closed_by};
use wsgi::config::settings::Import;
use wsgi::level::Level;

use crate::config::leads::leads;
use crate::config::mappings::mappings;
use crate::config::plan::plan;
use crate::config::preload::applications;
use crate::config::script_owner::Owner;
use crate::config::scripts::scripts;
use crate::config::servers::{GroupDefinition, definitions, servers_with_own_config};
use crate::wsgid::findings;
use crate::{Wsgi, info, log, log_at_startup};

/// Looks for mistakes; each comes with what to do about it.
pub(crate) fn check(main: Server<'_>) -> Result<(), Unusable> {
    let definitions = definitions(main);
    let mut problems = duplicates(&definitions);
    problems.extend(groups::unreachable(main, &definitions));
    problems.extend(imports_in_vain(main));
    problems.extend(unknown_owners(&definitions));
    problems.extend(not_preloadable(main, &definitions));
    problems.extend(hooks::problems(main, &definitions));
    if !problems.is_empty() {
        return refuse(main, &problems);
    }
    let config = main.config::<Wsgi>();
    let notes = servers_with_own_config(main).flat_map(|one| &one.config::<Wsgi>().settings.notes);
    say(main, notes);
    say(main, &closed_scripts(main));
    let (leads, mut plan) = (leads(main), plan(main));
    let silent = leads.silent(main);
    say(main, &silent.left_out);
    if !silent.needed.is_empty() {
        return decide(main, &silent.needed);
    }
    leads.take_silent_from(&mut plan);
    match findings::check(main, plan) {
        Ok(None) => Ok(()),
        Ok(Some(report)) => {
            let mut problems = report.problems.clone();
            say(main, &report.warnings);
            if is_heard() {
                report.notes.iter().for_each(|note| info(&main, note));
            }
            // A second check of one configuration finds nothing else.
            let _ = config.runtime.report.set(report.clone());
            if let Some(embedded) = report.embedded {
                if let Err(problem) = &embedded {
                    let message = codes::embedded_mode_lost(problem);
                    let global = &config.settings.global;
                    // One that the configuration names is among the problems already.
                    if global.starts_early() && global.python_home.is_none() {
                        problems.push(codes::python_not_started(problem));
                    } else {
                        // Without embedded mode only a hook in .htaccess could miss it.
                        let message = match global.allows_embedded() {
                            true if uses_embedded(main) => message,
                            true => message.lowered_to(Level::Info),
                            false => message.lowered_to(Level::Debug),
                        };
                        say(main, [&message]);
                    }
                    problems.extend(hooks::need_python(main, problem));
                }
                let _ = config.runtime.embedded.set(embedded);
            }
            decide(main, &problems)
        }
        Err(error) => decide(main, &[codes::not_checked(&error)]),
    }
}

/// Scripts that the configuration refuses to every client: each request for them will get status
/// 403.
fn closed_scripts(main: Server<'_>) -> Vec<Message> {
    let mut make = |name, arguments, inside| Node { name, arguments, inside };
    let tree = httpd::config_tree(main, &mut make);
    let mut warnings = Vec::new();
    for mapping in mappings(main) {
        let Some(script) = &mapping.script else { continue };
        let (alias, path) = (mapping.alias, &script.path);
        let Some(section) = closed_by(&tree, path, &alias.url) else { continue };
        let ((file, line), url, folder) = (&alias.place, &alias.url, Path::new(path).parent());
        let (section, folder) = (section.trim_end_matches('>'), folder.unwrap_or(Path::new("/")));
        let message = codes::script_closed(path, section, &folder.display())
            .within(&format_args!("WSGIScriptAlias {url:?} ({file}:{line})"));
        if !warnings.contains(&message) {
            warnings.push(message);
        }
    }
    warnings
}

/// Whether an alias leads to embedded mode for certain.
fn uses_embedded(main: Server<'_>) -> bool {
    mappings(main).iter().any(|mapping| mapping.group() == Some(""))
}

/// Whether messages that are no mistakes are logged now: httpd reads its configuration twice when
/// it starts, and has each said once.
fn is_heard() -> bool {
    httpd::start_pass() != StartPass::Check || httpd::run_mode() != RunMode::Serve
}

/// Logs messages that are no mistakes.
fn say<'m>(main: Server<'_>, messages: impl IntoIterator<Item = &'m Message>) {
    if is_heard() {
        messages.into_iter().for_each(|message| log(&main, message));
    }
}

/// Refuses the configuration for these mistakes.
fn refuse(main: Server<'_>, problems: &[Message]) -> Result<(), Unusable> {
    for problem in problems {
        log_at_startup(main, problem);
    }
    Err(Unusable)
}

/// A problem around the configuration keeps httpd from starting. A server that runs goes on without
/// the groups concerned: a directory that has disappeared must not end everything else.
fn decide(main: Server<'_>, problems: &[Message]) -> Result<(), Unusable> {
    let goes_on = httpd::run_mode() == RunMode::Serve && httpd::start_kind() == StartKind::Restart;
    if !goes_on && !problems.is_empty() {
        return refuse(main, problems);
    }
    for problem in problems {
        log(&main, problem);
    }
    Ok(())
}

/// How messages name the definition of a group.
fn directive(group: &GroupDefinition<'_>) -> String {
    format!("WSGIDaemonProcess {:?} ({})", group.spec.name, group.place)
}

fn duplicates(definitions: &[GroupDefinition<'_>]) -> Vec<Message> {
    let mut seen = HashMap::new();
    let duplicate = |group: &GroupDefinition<'_>| {
        let name = group.spec.name.clone();
        let first = seen.insert(name.clone(), group.place.clone())?;
        Some(codes::group_defined_twice(&name, &first).within(&directive(group)))
    };
    definitions.iter().filter_map(duplicate).collect()
}

/// Imports into httpd's children, which the configuration keeps without Python.
fn imports_in_vain(main: Server<'_>) -> Vec<Message> {
    if main.config::<Wsgi>().settings.global.allows_embedded() {
        return Vec::new();
    }
    let imports =
        servers_with_own_config(main).flat_map(|one| &one.config::<Wsgi>().settings.imports);
    let problem = |import: &Import| {
        let (file, line) = &import.place;
        let context = format_args!("WSGIImportScript {:?} ({file}:{line})", import.script);
        codes::import_restricted().within(&context)
    };
    imports.filter(|import| import.process_group.is_empty()).map(problem).collect()
}

/// Owners of scripts that do not exist.
fn unknown_owners(definitions: &[GroupDefinition<'_>]) -> Vec<Message> {
    let problem = |group: &GroupDefinition<'_>| match Owner::of(group.spec) {
        Some(Owner::Invalid(message)) => Some(message.within(&directive(group))),
        _ => None,
    };
    definitions.iter().filter_map(problem).collect()
}

/// Groups whose template would have nothing to load.
fn not_preloadable(main: Server<'_>, definitions: &[GroupDefinition<'_>]) -> Vec<Message> {
    let scripts = scripts(main).unwrap_or_default();
    let problem = |group: &GroupDefinition<'_>| {
        let message = applications(group.spec, scripts.get(&group.spec.name)).err()?;
        Some(message.within(&directive(group)))
    };
    definitions.iter().filter_map(problem).collect()
}
