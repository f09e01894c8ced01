//! Which scripts are imported before there is a request for them.

use httpd::Server;
use wsgi::config::script_path::resolved;
use wsgi::process::plan::ImportedScript;

use crate::Wsgi;
use crate::config::mappings::mappings;
use crate::config::servers::servers_with_own_config;

/// The scripts that the processes of a group import: those that `WSGIImportScript` names, and those
/// whose alias names both groups, so that it is known beforehand where they run.
pub(crate) fn of_group(main: Server<'_>, group: &str) -> Vec<ImportedScript> {
    let mut imports = named(main, group);
    for mapping in mappings(main) {
        let options = &mapping.alias.options;
        let Some(application_group) = options.application_group.as_deref() else { continue };
        let application_group =
            if application_group == "%{GLOBAL}" { "" } else { application_group };
        let known = options.process_group.as_deref() == Some(group)
            && !application_group.starts_with('%')
            && !mapping.alias.target.contains('$');
        let script = match &mapping.script {
            Some(script) => script.path.clone(),
            None => resolved(&mapping.alias.target),
        };
        if known && !mapping.is_directory {
            add(
                &mut imports,
                ImportedScript {
                    script: script.into(),
                    application_group: application_group.to_owned(),
                },
            );
        }
    }
    imports
}

/// The scripts that httpd's children import: only those that `WSGIImportScript` names. An alias
/// alone brings Python into a child with its first request, not before.
pub(crate) fn of_embedded(main: Server<'_>) -> Vec<ImportedScript> {
    named(main, "")
}

fn named(main: Server<'_>, group: &str) -> Vec<ImportedScript> {
    let mut imports = Vec::new();
    for server in servers_with_own_config(main) {
        for import in &server.config::<Wsgi>().settings.imports {
            if import.process_group == group {
                add(
                    &mut imports,
                    ImportedScript {
                        script: import.script.clone(),
                        application_group: import.application_group.clone(),
                    },
                );
            }
        }
    }
    imports
}

fn add(imports: &mut Vec<ImportedScript>, import: ImportedScript) {
    if !imports.contains(&import) {
        imports.push(import);
    }
}
