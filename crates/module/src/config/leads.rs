//! Where the paths of a configuration lead. httpd's parent looks at none of them itself: one that
//! lies in a file system which does not answer would stop the whole server.
//!
//! A process of its own looks (`wsgid leads`), once for a configuration. A path that it has not
//! reported in time counts as it did for the configuration before, or as if it were to come later.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use wsgi::lock::lock;

use httpd::{RunMode, Server, StartKind, StartPass};
use wsgi::codes::{self, Message};
use wsgi::config::alias::Alias;
use wsgi::config::script_path::resolved;
use wsgi::process::lead::Lead;
use wsgi::process::plan::Plan;

use crate::Wsgi;
use crate::config::servers::{definitions, servers_with_own_config};
use crate::wsgid::client;

/// How long all paths together may keep a server that runs from going on with a new configuration.
const LIMIT: Duration = Duration::from_millis(500);
/// The same while no client is served: an automounter may have to do its work first.
const FIRST_LIMIT: Duration = Duration::from_secs(5);

/// The leads of the last configuration.
static BEFORE: Mutex<Option<Arc<Leads>>> = Mutex::new(None);

/// Where paths lead.
#[derive(Debug, Default)]
pub(crate) struct Leads(BTreeMap<String, KnownLead>);

/// The lead of a path.
#[derive(Clone, Copy, Debug)]
struct KnownLead {
    lead: Lead,
    /// It has not been said in time.
    is_silent: bool,
}

/// The consequences of a file system that does not answer.
#[derive(Debug, Default)]
pub(crate) struct Silent {
    /// About paths that the check of the configuration has to do without.
    pub(crate) left_out: Vec<Message>,
    /// About paths without which nothing can be checked.
    pub(crate) needed: Vec<Message>,
}

/// A path that the configuration names.
struct Named {
    path: String,
    directive: String,
    /// Nothing can be checked without it.
    is_needed: bool,
}

/// Where the paths of a configuration lead.
pub(crate) fn leads(main: Server<'_>) -> &Leads {
    main.config::<Wsgi>().runtime.leads.get_or_init(|| {
        // Nothing that panics is done under the lock.
        let mut before = lock(&BEFORE);
        let found = Arc::new(look(main, before.as_deref().unwrap_or(&Leads::default())));
        *before = Some(Arc::clone(&found));
        found
    })
}

/// Whether it can be told beforehand where the target of an alias leads.
fn is_settled(alias: &Alias) -> bool {
    !alias.is_pattern || !alias.target.contains('$')
}

impl Leads {
    /// Where the target of an alias leads; `None` if only requests can tell.
    pub(crate) fn of(&self, alias: &Alias) -> Option<Lead> {
        let known = || self.0.get(&resolved(&alias.target)).map(|known| known.lead);
        is_settled(alias).then(|| known().unwrap_or(Lead::Nothing))
    }

    /// The parts of the configuration in file systems that do not answer.
    pub(crate) fn silent(&self, main: Server<'_>) -> Silent {
        let mut silent = Silent::default();
        for Named { path, directive, is_needed } in named(main) {
            if self.0.get(&path).is_none_or(|known| !known.is_silent) {
                continue;
            }
            let (messages, message) = if is_needed {
                (&mut silent.needed, codes::path_silent(&path, limit()))
            } else {
                (&mut silent.left_out, codes::path_left_out(&path, limit()))
            };
            let message = message.within(&directive);
            if !messages.contains(&message) {
                messages.push(message);
            }
        }
        silent
    }

    /// Takes out of a plan that is to be checked what the check would look at in vain.
    pub(crate) fn take_silent_from(&self, plan: &mut Plan) {
        let silent: Vec<&str> =
            self.0.iter().filter(|(_, known)| known.is_silent).flat_map(names).collect();
        let is_silent = |path: &Path| path.to_str().is_some_and(|path| silent.contains(&path));
        plan.scripts.retain(|one| !is_silent(&one.script));
        for group in &mut plan.groups {
            group.scripts.retain(|one| !is_silent(&one.script));
            group.imports.retain(|one| !is_silent(&one.script));
            group.spec.home.take_if(|home| is_silent(home));
        }
    }
}

/// The path, and the file in it.
fn names<'p>((path, known): (&'p String, &KnownLead)) -> impl Iterator<Item = &'p str> {
    let file = match known.lead {
        Lead::File(end) => path.get(..end),
        _ => None,
    };
    [path.as_str()].into_iter().chain(file)
}

fn limit() -> Duration {
    let is_first = httpd::start_kind() == StartKind::Cold
        && (httpd::start_pass() == StartPass::Check || httpd::run_mode() == RunMode::Test);
    if is_first { FIRST_LIMIT } else { LIMIT }
}

/// Has the paths looked at; `before` is what was known of them.
fn look(main: Server<'_>, before: &Leads) -> Leads {
    let unknown = KnownLead { lead: Lead::Nothing, is_silent: false };
    let mut leads: BTreeMap<String, KnownLead> =
        named(main).into_iter().map(|named| (named.path, unknown)).collect();
    let paths: Vec<&str> = leads.keys().map(String::as_str).collect();
    if paths.is_empty() {
        return Leads::default();
    }
    // That `wsgid` cannot be started is said when it is to check the plan.
    let Ok(answers) = client::leads(main, &paths, limit()) else { return Leads(leads) };
    for ((path, known), answer) in leads.iter_mut().zip(answers) {
        *known = if let Some(lead) = answer {
            KnownLead { lead, is_silent: false }
        } else {
            let lead = before.0.get(path).map_or(Lead::Nothing, |known| known.lead);
            KnownLead { lead, is_silent: true }
        };
    }
    Leads(leads)
}

/// The paths of a configuration that are looked at before there are requests.
fn named(main: Server<'_>) -> Vec<Named> {
    let mut all = Vec::new();
    let mut add = |path: &Path, directive: String, is_needed: bool| {
        // httpd hands on nothing but text.
        let path = path.to_string_lossy().into_owned();
        all.push(Named { path, directive, is_needed });
    };
    for server in servers_with_own_config(main) {
        let settings = &server.config::<Wsgi>().settings;
        for alias in settings.aliases.iter().filter(|alias| is_settled(alias)) {
            let (file, line) = &alias.place;
            let directive = format!("WSGIScriptAlias {:?} ({file}:{line})", alias.url);
            add(Path::new(&resolved(&alias.target)), directive, false);
        }
        for import in &settings.imports {
            let (file, line) = &import.place;
            add(&import.script, format!("WSGIImportScript ({file}:{line})"), false);
        }
    }
    for group in definitions(main) {
        let directive = format!("WSGIDaemonProcess {:?} ({})", group.spec.name, group.place);
        if let Some(root) = &group.spec.chroot {
            // All its other paths lie below that.
            add(root, format!("{directive}: chroot"), true);
            continue;
        }
        if let Some(home) = &group.spec.python_home {
            add(home, format!("{directive}: python-home"), true);
        }
        if let Some(home) = &group.spec.home {
            add(home, format!("{directive}: home"), false);
        }
    }
    if let Some(home) = &main.config::<Wsgi>().settings.global.python_home {
        add(home, "WSGIPythonHome".to_owned(), true);
    }
    all
}
