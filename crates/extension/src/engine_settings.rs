//! The settings of the engine, made from what `wsgid` or httpd's module has sent.

use std::sync::Arc;

use engine::{ApacheFacts, Settings};
use wsgi::process::plan::{ServerFacts, WorkerSpec};

use crate::log::ProcessLog;

/// The settings for a process of a group.
pub(crate) fn settings(spec: &WorkerSpec, log: Arc<ProcessLog>) -> Settings {
    let group = &spec.group;
    Settings {
        process_group: group.name.clone(),
        python_path: group.python_path.clone(),
        home: group.home.clone(),
        python_eggs: group.python_eggs.clone(),
        threads: group.threads,
        multithread: group.threads != 1,
        multiprocess: group.processes.is_some(),
        run_once: group.threads == 1 && group.limits.maximum_requests == 1,
        maximum_processes: group.pool().most,
        apache: apache_facts(&spec.server),
        daemon: true,
        interpreters: spec.server.interpreters.clone(),
        switch_interval: group.switch_interval,
        case_insensitive: spec.server.case_insensitive,
        keep_interpreters: spec.server.keep_interpreters,
        slow_requests: spec.server.slow_requests,
        single_process: false,
        scoreboard: None,
        log,
    }
}

/// Facts about httpd in the engine's words.
pub(crate) fn apache_facts(server: &ServerFacts) -> ApacheFacts {
    ApacheFacts {
        version: server.version,
        description: server.description.clone(),
        mpm_name: server.mpm.clone(),
        build_date: server.build_date.clone(),
        maximum_processes: server.children,
        threads_per_process: server.threads,
    }
}
