//! `httpd -t -D DUMP_WSGI`: what would run where, before anything is started.

use std::fmt::Write as _;

use httpd::Server;
use wsgi::process::plan::{GroupReport, Plan, Report};

use crate::Wsgi;
use crate::check;
use crate::config::imports;
use crate::config::mappings::{ScriptMapping, of_server};
use crate::config::plan::plan;
use crate::config::scripts::{Scripts, scripts};
use crate::config::servers::{GroupDefinition, definitions, server_name, server_with_port};

/// The name that `-D` has to define.
const DEFINE: &core::ffi::CStr = c"DUMP_WSGI";

/// Called when httpd tests a configuration that is good.
pub(crate) fn test(main: Server<'_>) {
    if httpd::is_defined(DEFINE) {
        print!("{}", text(main));
    }
}

fn text(main: Server<'_>) -> String {
    let plan = plan(main);
    let none = Report::default();
    let report = main.config::<Wsgi>().runtime.report.get().unwrap_or(&none);
    let definitions = definitions(main);
    let groups = Groups { definitions, plan: &plan, report };
    let mut text = "WSGI configuration:\n".to_owned();
    groups.write(&mut text);
    for server in main.and_following() {
        let mappings = of_server(server, main);
        if !mappings.is_empty() {
            let _ = writeln!(text, "* server {}", server_with_port(server, server.port()));
        }
        for mapping in &mappings {
            groups.write_mapping(main, mapping, &mut text);
        }
    }
    write_verdict(main, report, &mut text);
    text
}

/// The process groups, with what was found out about them.
struct Groups<'s> {
    definitions: Vec<GroupDefinition<'s>>,
    plan: &'s Plan,
    report: &'s Report,
}

impl Groups<'_> {
    fn report(&self, index: usize) -> GroupReport {
        self.report.groups.get(index).cloned().unwrap_or_default()
    }

    fn index(&self, name: &str) -> Option<usize> {
        self.definitions.iter().position(|definition| definition.spec.name == name)
    }

    /// Python, user and number of processes of a group.
    fn summary(&self, index: usize) -> String {
        let spec = self.definitions[index].spec;
        let GroupReport { user, program, version } = self.report(index);
        let pool = spec.pool();
        let processes = match (pool.least, pool.most) {
            (least, most) if least == most => most.to_string(),
            (least, most) => format!("{least}..{most}"),
        };
        let threads = if spec.is_service() {
            "no request threads (service)".to_owned()
        } else {
            format!("{} threads", spec.threads)
        };
        let program = program.display();
        format!("Python {version} ({program}), user {user}, {processes} processes x {threads}")
    }

    fn write(&self, text: &mut String) {
        for (index, definition) in self.definitions.iter().enumerate() {
            let name = &definition.spec.name;
            let _ = writeln!(text, "* process group {name:?} ({})", definition.place);
            let _ = writeln!(text, "    {}", self.summary(index));
            let Some(planned) = self.plan.groups.get(index) else { continue };
            for import in &planned.imports {
                let group = interpreter(&import.application_group);
                let _ = writeln!(text, "    imports {} ({group})", import.script.display());
            }
        }
    }

    fn write_mapping(&self, main: Server<'_>, mapping: &ScriptMapping<'_>, text: &mut String) {
        let alias = mapping.alias;
        let what = if alias.is_pattern { "WSGIScriptAliasMatch" } else { "WSGIScriptAlias" };
        let (file, line) = &alias.place;
        let _ = writeln!(text, "    {what} {} ({file}:{line})", alias.url);
        let script = mapping.script.as_ref().map_or(&alias.target, |script| &script.path);
        let _ = writeln!(text, "        script             {script}");
        let (runs_in, python) = match mapping.group() {
            Some("") if main.config::<Wsgi>().settings.global.allows_embedded() => {
                let python = match &self.report.embedded {
                    Some(Ok(facts)) => {
                        let version = facts.version.split(' ').next().unwrap_or_default();
                        let library = facts.library.display();
                        format!("Python {version} ({library}), in each of httpd's children")
                    }
                    Some(Err(problem)) => format!("none: {problem}"),
                    None => "unknown".to_owned(),
                };
                ("embedded, in httpd's children".to_owned(), python)
            }
            Some("") => {
                let why = "nowhere: embedded mode is disabled (WSGIRestrictEmbedded On), requests \
                           get 500";
                (why.to_owned(), "none".to_owned())
            }
            Some(group) => {
                let known = self.index(group).map(|index| self.summary(index));
                (format!("process group {group:?}"), known.unwrap_or_default())
            }
            None => {
                let written = mapping.process_group.unwrap_or_default();
                (format!("process group {written}, decided by each request"), "its own".to_owned())
            }
        };
        let _ = writeln!(text, "        runs in            {runs_in}");
        let _ = writeln!(text, "        with               {python}");
        let _ = writeln!(text, "        application group  {}", application_group(main, mapping));
    }
}

/// The application group of an alias, and which interpreter that is.
fn application_group(main: Server<'_>, mapping: &ScriptMapping<'_>) -> String {
    let alone = || {
        let scripts = scripts(main)?;
        let only = scripts.get(mapping.group()?).and_then(Scripts::only)?.to_owned();
        Some(mapping.script.as_ref()?.path == only)
    };
    match mapping.application_group {
        Some("%{GLOBAL}") => interpreter(""),
        Some(name) => format!("{name} (a sub-interpreter)"),
        None if alone() == Some(true) => {
            "%{RESOURCE} (the main interpreter: the script is alone in its process group)"
                .to_owned()
        }
        None => "%{RESOURCE} (a sub-interpreter for each script)".to_owned(),
    }
}

fn interpreter(name: &str) -> String {
    if name.is_empty() { "%{GLOBAL} (the main interpreter)".to_owned() } else { name.to_owned() }
}

/// Whether httpd's children will load Python, and why.
fn write_verdict(main: Server<'_>, report: &Report, text: &mut String) {
    let global = &main.config::<Wsgi>().settings.global;
    let mut reasons = Vec::new();
    if global.starts_early() {
        reasons.push("WSGILazyInitialization Off: httpd's parent starts it".to_owned());
    }
    for import in imports::of_embedded(main) {
        reasons.push(format!("WSGIImportScript {}: when they start", import.script.display()));
    }
    reasons.extend(
        check::hooks::in_children(main).map(|hook| format!("{hook}: when it is first asked")),
    );
    if global.allows_embedded() {
        for server in main.and_following() {
            let name = server_name(server);
            for mapping in of_server(server, main) {
                let url = &mapping.alias.url;
                match mapping.group() {
                    Some("") => reasons.push(format!(
                        "WSGIScriptAlias {url} of the server {name} is not in a process group: at \
                         the first request for it"
                    )),
                    Some(_) => {}
                    None => reasons.push(format!(
                        "WSGIScriptAlias {url} of the server {name}: if a request decides for \
                         embedded mode"
                    )),
                }
            }
        }
    }
    if reasons.is_empty() {
        let why = if global.allows_embedded() {
            "no, as long as no handler leads to a script outside of a process group \
             (WSGIRestrictEmbedded On refuses that), and no .htaccess names a hook without one"
        } else {
            "no (WSGIRestrictEmbedded On), as long as no .htaccess names a hook without a process \
             group"
        };
        let _ = writeln!(text, "* httpd's children load Python: {why}");
        return;
    }
    let _ = writeln!(text, "* httpd's children load Python: yes");
    for reason in reasons {
        let _ = writeln!(text, "    {reason}");
    }
    if let Some(Err(problem)) = &report.embedded {
        let _ = writeln!(text, "    which will fail: {problem}");
    }
}
