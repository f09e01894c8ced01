//! The parts of a configuration that `wsgid` and the engine need.

use std::path::Path;

use httpd::{ErrorLog, Server};
use wsgi::process::plan::{Account, Findings, MappedScript, Plan, PlannedGroup, ServerFacts};

use crate::Wsgi;
use crate::config::imports;
use crate::config::mappings::{ScriptMapping, mappings};
use crate::config::preload::applications;
use crate::config::scripts::scripts;
use crate::config::servers::definitions;
use crate::config::store::ServerConfig;
use crate::sys;

/// The plan of this configuration for `wsgid`.
pub(crate) fn plan(main: Server<'_>) -> Plan {
    let config = main.config::<Wsgi>();
    let children = httpd::children_identity();
    let root = nix::unistd::geteuid().is_root();
    let children = if root {
        Account { uid: children.uid, gid: children.gid, user: children.user }
    } else {
        let (uid, gid) = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
        Account { uid, gid, user: format!("#{uid}") }
    };
    let first = wsgi::process::plan::supervisor_descriptor::GROUPS;
    let definitions = definitions(main);
    let mut next_log = first.saturating_add(descriptor(definitions.len()));
    let scripts = scripts(main).unwrap_or_default();
    let mappings = mappings(main);
    let groups = definitions
        .into_iter()
        .enumerate()
        .map(|(place, group)| PlannedGroup {
            // Errors in them were reported when the configuration was checked.
            applications: applications(group.spec, scripts.get(&group.spec.name))
                .unwrap_or_default(),
            imports: imports::of_group(main, &group.spec.name),
            scripts: mapped_scripts(&mappings, &group.spec.name),
            spec: group.spec.clone(),
            place: group.place,
            queue: first.saturating_add(descriptor(place)),
            log: own_log(group.server).map(|_| {
                next_log += 1;
                next_log - 1
            }),
        })
        .collect();
    Plan {
        server: server_facts(config),
        log_level: main.log_level(sys::record().index()),
        socket_timeout: main.timeout(),
        children,
        python_home: config.settings.global.python_home.clone(),
        groups,
        embedded: config.settings.global.allows_embedded(),
        scripts: mapped_scripts(&mappings, ""),
        findings: Findings::default(),
        answer_limit: None,
    }
}

/// A count as a number of descriptors.
fn descriptor(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// The scripts that run in a process group, or embedded for the empty name, each once.
fn mapped_scripts(mappings: &[ScriptMapping<'_>], group: &str) -> Vec<MappedScript> {
    let mut scripts: Vec<MappedScript> = Vec::new();
    for mapping in mappings.iter().filter(|one| one.group() == Some(group)) {
        let Some(script) = &mapping.script else { continue };
        let script = Path::new(&script.path);
        if scripts.iter().all(|known| known.script != script) {
            let (file, line) = &mapping.alias.place;
            let directive = format!("WSGIScriptAlias {:?} ({file}:{line})", mapping.alias.url);
            scripts.push(MappedScript { script: script.to_owned(), directive });
        }
    }
    scripts
}

/// The error log of a virtual host that has one of its own: its groups write there.
pub(crate) fn own_log(server: Server<'_>) -> Option<std::os::fd::BorrowedFd<'_>> {
    if server.is_virtual() { server.error_log() } else { None }
}

/// Facts about httpd for applications.
pub(crate) fn server_facts(config: &ServerConfig) -> ServerFacts {
    let (version, mpm) = (httpd::server_version(), httpd::mpm());
    ServerFacts {
        version: version.number,
        description: version.description,
        build_date: version.built,
        mpm: mpm.name,
        threads: mpm.threads,
        children: mpm.children,
        interpreters: config.settings.global.interpreters.clone(),
        python: config.settings.global.python.clone(),
        case_insensitive: config.settings.global.case_insensitive,
        keep_interpreters: config.settings.global.keep_interpreters,
        slow_requests: config.settings.global.slow_requests,
    }
}
