//! What is wrong with a configuration, found when it was read, also by `apachectl -t`.

mod groups;
pub(crate) mod hooks;

use std::collections::HashMap;
use std::path::Path;

use httpd::{RunMode, Server, StartKind, StartPass};
use wsgi::config::access_sections::{Node, closed_by};
use wsgi::config::settings::Import;
use wsgi::level::Level;

use crate::Wsgi;
use crate::config::leads::leads;
use crate::config::mappings::mappings;
use crate::config::plan::plan;
use crate::config::preload::applications;
use crate::config::script_owner::Owner;
use crate::config::scripts::scripts;
use crate::config::servers::{GroupDefinition, definitions, servers_with_own_config};
use crate::log;
use crate::wsgid::findings;

/// Looks for mistakes; each comes with what to do about it.
pub(crate) fn check(main: Server<'_>) -> Result<(), Vec<String>> {
    let definitions = definitions(main);
    let mut problems = duplicates(&definitions);
    problems.extend(groups::unreachable(main, &definitions));
    problems.extend(imports_in_vain(main));
    problems.extend(unknown_owners(&definitions));
    problems.extend(not_preloadable(main, &definitions));
    problems.extend(hooks::problems(main, &definitions));
    if !problems.is_empty() {
        return Err(problems);
    }
    let config = main.config::<Wsgi>();
    let notes = servers_with_own_config(main).flat_map(|one| &one.config::<Wsgi>().settings.notes);
    say(main, notes.map(|note| (note.level, note.text.as_str())));
    let closed = closed_scripts(main);
    say(main, closed.iter().map(|text| (Level::Warning, text.as_str())));
    let (leads, mut plan) = (leads(main), plan(main));
    let silent = leads.silent(main);
    say(main, silent.left_out.iter().map(|text| (Level::Warning, text.as_str())));
    if !silent.needed.is_empty() {
        return decide(main, silent.needed);
    }
    leads.take_silent_from(&mut plan);
    match findings::check(main, plan) {
        Ok(None) => Ok(()),
        Ok(Some(report)) => {
            let mut problems = report.problems.clone();
            let warnings = report.warnings.iter().map(|text| (Level::Warning, text.as_str()));
            let notes = report.notes.iter().map(|text| (Level::Info, text.as_str()));
            say(main, warnings.chain(notes));
            // A second check of one configuration finds nothing else.
            let _ = config.runtime.report.set(report.clone());
            if let Some(embedded) = report.embedded {
                if let Err(problem) = &embedded {
                    let text = format!("embedded mode will not work: {problem}");
                    let global = &config.settings.global;
                    // One that the configuration names is among the problems already.
                    if global.starts_early() && global.python_home.is_none() {
                        problems.push(format!("WSGILazyInitialization Off: {text}"));
                    } else {
                        // Without embedded mode only a hook in .htaccess could miss it.
                        let level = match global.allows_embedded() {
                            true if uses_embedded(main) => Level::Warning,
                            true => Level::Info,
                            false => Level::Debug,
                        };
                        say(main, [(level, text.as_str())].into_iter());
                    }
                    problems.extend(hooks::need_python(main, problem));
                }
                let _ = config.runtime.embedded.set(embedded);
            }
            decide(main, problems)
        }
        Err(error) => decide(main, vec![error.to_string()]),
    }
}

/// Scripts that the configuration lets nobody have: each request for them will get status 403.
fn closed_scripts(main: Server<'_>) -> Vec<String> {
    let mut make = |name, arguments, inside| Node { name, arguments, inside };
    let tree = httpd::config_tree(main, &mut make);
    let mut warnings = Vec::new();
    for mapping in mappings(main) {
        let Some(script) = &mapping.script else { continue };
        let (alias, path) = (mapping.alias, &script.path);
        let Some(section) = closed_by(&tree, path, &alias.url) else { continue };
        let ((file, line), url, folder) = (&alias.place, &alias.url, Path::new(path).parent());
        let (section, folder) = (section.trim_end_matches('>'), folder.unwrap_or(Path::new("/")));
        let text = format!(
            "WSGIScriptAlias {url:?} ({file}:{line}): requests for {path:?} get status 403, since \
             <Directory {section}> says Require all denied; put Require all granted into <Directory {folder:?}>"
        );
        if !warnings.contains(&text) {
            warnings.push(text);
        }
    }
    warnings
}

/// Whether an alias leads to embedded mode for certain.
fn uses_embedded(main: Server<'_>) -> bool {
    mappings(main).iter().any(|mapping| mapping.group() == Some(""))
}

/// Says what is no mistake. httpd reads its configuration twice when it starts, and hears it once.
fn say<'t>(main: Server<'_>, lines: impl Iterator<Item = (Level, &'t str)>) {
    if httpd::start_pass() == StartPass::Check && httpd::run_mode() == RunMode::Serve {
        return;
    }
    for (level, text) in lines {
        log(&main, level, text);
    }
}

/// What is wrong around the configuration keeps httpd from starting. A server that runs goes on
/// without the groups concerned: a directory that has disappeared must not end everything else.
fn decide(main: Server<'_>, problems: Vec<String>) -> Result<(), Vec<String>> {
    let goes_on = httpd::run_mode() == RunMode::Serve && httpd::start_kind() == StartKind::Restart;
    if !goes_on && !problems.is_empty() {
        return Err(problems);
    }
    for problem in problems {
        log(&main, Level::Error, &problem);
    }
    Ok(())
}

fn duplicates(definitions: &[GroupDefinition<'_>]) -> Vec<String> {
    let mut seen = HashMap::new();
    let duplicate = |group: &GroupDefinition<'_>| {
        let name = group.spec.name.clone();
        let first = seen.insert(name.clone(), group.place.clone())?;
        Some(format!(
            "WSGIDaemonProcess {name:?} ({}): the process group {name:?} is already defined at {first}; \
             give one of them another name",
            group.place
        ))
    };
    definitions.iter().filter_map(duplicate).collect()
}

/// Imports into httpd's children, which the configuration keeps without Python.
fn imports_in_vain(main: Server<'_>) -> Vec<String> {
    if main.config::<Wsgi>().settings.global.allows_embedded() {
        return Vec::new();
    }
    let imports =
        servers_with_own_config(main).flat_map(|one| &one.config::<Wsgi>().settings.imports);
    let problem = |import: &Import| {
        let (file, line) = &import.place;
        format!(
            "WSGIImportScript {:?} ({file}:{line}): process-group=%{{GLOBAL}} is embedded mode, which \
             WSGIRestrictEmbedded On disables; name a process group, or take one of the two away",
            import.script.display()
        )
    };
    imports.filter(|import| import.process_group.is_empty()).map(problem).collect()
}

/// Owners of scripts that do not exist.
fn unknown_owners(definitions: &[GroupDefinition<'_>]) -> Vec<String> {
    let problem = |group: &GroupDefinition<'_>| match Owner::of(group.spec) {
        Some(Owner::Invalid(text)) => {
            Some(format!("WSGIDaemonProcess {:?} ({}): {text}", group.spec.name, group.place))
        }
        _ => None,
    };
    definitions.iter().filter_map(problem).collect()
}

/// Groups whose template would have nothing to load.
fn not_preloadable(main: Server<'_>, definitions: &[GroupDefinition<'_>]) -> Vec<String> {
    let scripts = scripts(main).unwrap_or_default();
    let problem = |group: &GroupDefinition<'_>| {
        let error = applications(group.spec, scripts.get(&group.spec.name)).err()?;
        Some(format!("WSGIDaemonProcess {:?} ({}): {error}", group.spec.name, group.place))
    };
    definitions.iter().filter_map(problem).collect()
}
