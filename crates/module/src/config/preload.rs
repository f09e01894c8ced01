//! The applications that the template of a process group loads (`preload=application`), worked out
//! from the configuration alone.

use httpd::Server;
use wsgi::codes::{self, Message};
use wsgi::config::daemon_process::{GroupSpec, Preload};
use wsgi::config::group_name::{self, NameFacts};
use wsgi::environ::script_name;
use wsgi::process::plan::Application;

use crate::Wsgi;
use crate::config::mappings::{ScriptMapping, ScriptPattern};
use crate::config::scripts::Scripts;
use crate::config::servers::{server_name, server_with_port};

/// The applications of a group, or why they cannot be preloaded.
pub(crate) fn applications(
    spec: &GroupSpec,
    scripts: Option<&Scripts<'_>>,
) -> Result<Vec<Application>, Message> {
    if spec.preload != Preload::Application {
        return Ok(Vec::new());
    }
    let name = &spec.name;
    let scripts = scripts
        .filter(|scripts| !scripts.mapped.is_empty())
        .ok_or_else(|| codes::nothing_to_preload(name))?;
    let only = scripts.only().is_some();
    let mut applications: Vec<Application> = Vec::new();
    for mapped in &scripts.mapped {
        let application = application(mapped, only)?;
        let known = |one: &Application| {
            (&one.script, &one.mount, &one.host)
                == (&application.script, &application.mount, &application.host)
        };
        if !applications.iter().any(known) {
            applications.push(application);
        }
    }
    Ok(applications)
}

fn application(mapped: &ScriptMapping<'_>, only: bool) -> Result<Application, Message> {
    let ScriptMapping { alias, server, application_group: written, .. } = *mapped;
    let ScriptPattern { path, path_info } = mapped
        .script
        .clone()
        .unwrap_or_else(|| ScriptPattern { path: alias.target.clone(), path_info: String::new() });
    let dir = server.dir_defaults::<Wsgi>();
    let url = alias.url.trim_end_matches('/');
    // As httpd finds it in a request for that very path.
    let name = script_name(url.as_bytes(), path_info.trim_end_matches('/').as_bytes());
    let mount = url[..name.len()].to_owned();
    let names = ConfigNames { server, mount: &mount };
    let application_group = group_name::application_group(written, &names).into_owned();
    let main = application_group.is_empty() || (written.is_none() && only);
    if !main {
        return Err(codes::sub_interpreter_preloaded(&path, &application_group));
    }
    let callable = alias.options.callable.as_deref().or(dir.callable.as_deref());
    Ok(Application {
        script: path.into(),
        callable: group_name::callable(callable, &names).into_owned(),
        application_group,
        host: server_name(server),
        port: if server.port() == 0 { 80 } else { server.port() },
        mount,
    })
}

/// The parts that names of groups are made of, as far as it is known before there is a request.
struct ConfigNames<'n> {
    server: Server<'n>,
    mount: &'n str,
}

impl NameFacts for ConfigNames<'_> {
    fn server(&self) -> String {
        server_with_port(self.server, self.server.port())
    }

    fn host(&self) -> String {
        self.server()
    }

    fn script_name(&self) -> String {
        self.mount.to_owned()
    }

    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}
