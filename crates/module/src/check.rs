//! What is wrong with a configuration, found when it was read, also by `apachectl -t`.

use std::collections::HashMap;

use httpd::{Log, RunMode, Server, StartKind};
use wsgi::level::Level;
use wsgi::plan::{Account, Plan, PlannedGroup, ServerFacts};

use crate::config::ServerConfig;
use crate::preload::applications;
use crate::routing::{Definition, definitions, server_name};
use crate::scripts::scripts;
use crate::{Wsgi, log, supervisor, sys};

/// Looks for mistakes; each comes with what to do about it.
pub(crate) fn check(main: Server<'_>) -> Result<(), Vec<String>> {
    let definitions = definitions(main);
    let mut problems = duplicates(&definitions);
    problems.extend(unknown_groups(main, &definitions));
    problems.extend(not_preloadable(main, &definitions));
    if !problems.is_empty() {
        return Err(problems);
    }
    let config = main.config::<Wsgi>();
    let plan = plan(main);
    if plan.groups.is_empty() && !plan.embedded {
        return Ok(());
    }
    match supervisor::check(&plan) {
        Ok(report) => {
            let mut problems = report.problems;
            if let Some(embedded) = report.embedded {
                if let Err(problem) = &embedded {
                    let text = format!("embedded mode will not work: {problem}");
                    let global = &config.settings.global;
                    // One that the configuration names is among the problems already.
                    if global.starts_early() && global.python_home.is_none() {
                        problems.push(format!("WSGILazyInitialization Off: {text}"));
                    } else {
                        log(&main, Level::Info, &text);
                    }
                }
                // A second check of one configuration finds nothing else.
                let _ = config.runtime.embedded.set(embedded);
            }
            decide(main, problems)
        }
        Err(error) => decide(main, vec![error.to_string()]),
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

fn duplicates(definitions: &[Definition<'_>]) -> Vec<String> {
    let mut seen = HashMap::new();
    let duplicate = |group: &Definition<'_>| {
        let name = group.spec.name.clone();
        let first = seen.insert(name.clone(), group.place.clone())?;
        Some(format!(
            "WSGIDaemonProcess {name} ({}): the process group {name} is already defined at {first}; \
             give one of them another name",
            group.place
        ))
    };
    definitions.iter().filter_map(duplicate).collect()
}

/// Groups that requests would be sent to and that nobody defines.
fn unknown_groups(main: Server<'_>, definitions: &[Definition<'_>]) -> Vec<String> {
    let mut problems = Vec::new();
    for server in main.and_following() {
        let config = server.config::<Wsgi>();
        let of_server = server.dir_defaults::<Wsgi>().process_group.as_deref();
        let named = of_server.map(|group| ("WSGIProcessGroup", group)).into_iter();
        let of_sections =
            config.section_groups.iter().map(|(_, group)| ("WSGIProcessGroup", group.as_str()));
        let of_aliases = config.settings.aliases.iter().filter_map(|alias| {
            Some(("WSGIScriptAlias … process-group", alias.options.process_group.as_deref()?))
        });
        for (directive, group) in named.chain(of_sections).chain(of_aliases) {
            let known = group.starts_with('%')
                || definitions.iter().any(|definition| definition.spec.name == group);
            if !known {
                let server = server_name(server);
                problems.push(format!(
                    "{directive} {group} (server {server}): there is no process group {group}; \
                     define it with WSGIDaemonProcess {group}"
                ));
            }
        }
    }
    problems.dedup();
    problems
}

/// Groups whose template would have nothing to load.
fn not_preloadable(main: Server<'_>, definitions: &[Definition<'_>]) -> Vec<String> {
    let scripts = scripts(main).unwrap_or_default();
    let problem = |group: &Definition<'_>| {
        let error = applications(group.spec, scripts.get(&group.spec.name)).err()?;
        Some(format!("WSGIDaemonProcess {} ({}): {error}", group.spec.name, group.place))
    };
    definitions.iter().filter_map(problem).collect()
}

/// What `wsgid` has to know of this configuration.
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
    let prefix = socket_prefix(config);
    let mut next_log = wsgi::plan::supervisor_descriptor::LOGS;
    let scripts = scripts(main).unwrap_or_default();
    let groups = definitions(main)
        .into_iter()
        .enumerate()
        .map(|(place, group)| PlannedGroup {
            // What is wrong with them has been said when the configuration was checked.
            applications: applications(group.spec, scripts.get(&group.spec.name))
                .unwrap_or_default(),
            spec: group.spec.clone(),
            place: group.place,
            socket: format!("{prefix}.{}.sock", place + 1).into(),
            log: own_log(group.server).map(|_| {
                next_log += 1;
                next_log - 1
            }),
        })
        .collect();
    Plan {
        server: server_facts(config),
        log_level: main.log_level(sys::record().index()),
        socket_timeout: u64::try_from(main.timeout().as_millis()).unwrap_or(u64::MAX),
        children,
        python_home: config.settings.global.python_home.clone(),
        groups,
        embedded: config.settings.global.allows_embedded(),
    }
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
        interpreters: config.settings.global.interpreters,
    }
}

/// The beginning of the sockets' paths: the same for one configuration of one httpd, and for no other.
fn socket_prefix(config: &ServerConfig) -> String {
    let prefix = config.settings.global.socket_prefix.as_deref();
    let path = httpd::with_scratch_pool(|pool| match prefix {
        Some(prefix) => httpd::server_root_path(pool, prefix),
        None => httpd::runtime_path(pool, "wsgi"),
    });
    let path = path.unwrap_or_else(|| prefix.unwrap_or("wsgi").to_owned());
    format!("{path}.{}.{}", std::process::id(), httpd::config_generation())
}
