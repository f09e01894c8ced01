//! Python in httpd's parent: what `WSGILazyInitialization Off` asks for, and what other modules do.
//!
//! It is started once in the life of the parent and never ended, so restarts leak nothing, and
//! children share its pages. The parent's only thread is never attached between two hooks: httpd
//! may fork at any time, and a child finds every lock of Python's free. Engines belong to children
//! (`embedded`).

use std::sync::OnceLock;

use httpd::{Server, StartKind};
use wsgi::codes::{self, Message};
use wsgi::process::plan::{PythonFacts, PythonStart};

use crate::Wsgi;
use crate::config::store::ServerConfig;
use crate::embedded;
use crate::sys::{self, LoadedEngine};
use crate::{info, log};

/// Python of this process, or of the parent that this process was forked from. It belongs to the
/// process: configurations come and go, and each is told if it wanted another one.
static STARTED: OnceLock<Started> = OnceLock::new();

struct Started {
    python: PythonFacts,
    engine: LoadedEngine,
    /// The process that started it.
    process: u32,
}

/// The engine and the Python that the parent has started, if it has.
pub(crate) fn started() -> Option<(LoadedEngine, PythonFacts)> {
    STARTED.get().map(|started| (started.engine, started.python.clone()))
}

/// Starts Python if a configuration that comes into use wants that, and says what it cannot have.
/// Where Python cannot be started, httpd does not start either, but a server that runs goes on.
pub(crate) fn begin(main: Server<'_>) -> Result<(), Message> {
    match start(main) {
        Err(message) if httpd::start_kind() == StartKind::Cold => Err(message),
        Err(message) => {
            log(&main, &message);
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

fn start(main: Server<'_>) -> Result<(), Message> {
    let config = main.config::<Wsgi>();
    let global = &config.settings.global;
    if global.lazy_initialization == Some(false) && !global.allows_embedded() {
        let text = "WSGILazyInitialization Off has no effect: WSGIRestrictEmbedded On keeps Python \
                    out of httpd's processes";
        info(&main, text);
    }
    if let Some(started) = STARTED.get() {
        if let Some(message) = difference(&started.python, config) {
            log(&main, &message);
        }
        return Ok(());
    }
    if sys::python_runs() {
        log(&main, &codes::another_python("httpd's parent process"));
        // A configuration comes into use once.
        let _ = config.runtime.python_in_parent.set(());
        return Ok(());
    }
    if !global.starts_early() {
        return Ok(());
    }
    // If there is none, that was said when the configuration was checked.
    let Some(Ok(python)) = config.runtime.embedded.get() else { return Ok(()) };
    let load = || {
        let engine = embedded::load_engine(python)?;
        let options = global.python.clone();
        let start = PythonStart { python: python.clone(), options };
        let text = serde_json::to_vec(&start).map_err(|error| error.to_string())?;
        // Other programs that httpd starts must not find them.
        let started = sys::with_variables(&python_variables(config), || engine.initialize(&text));
        started.map(|()| engine)
    };
    let engine = load().map_err(|error: String| codes::python_not_started(&error))?;
    let process = std::process::id();
    STARTED.get_or_init(|| Started { python: python.clone(), engine, process });
    Ok(())
}

/// A difference that only a full restart can apply: this configuration wants another Python than
/// the one that runs, or none.
fn difference(running: &PythonFacts, config: &ServerConfig) -> Option<Message> {
    let wanted = config.runtime.embedded.get().and_then(|found| found.as_ref().ok());
    let other = wanted.filter(|wanted| *wanted != running);
    let none = !config.settings.global.starts_early();
    let other_python = match (other, none) {
        (None, false) => return None,
        (None, true) => String::new(),
        (Some(other), _) => format!(", and {} has no effect until then", name(other)),
    };
    Some(codes::python_stays(&name(running), &other_python))
}

fn name(python: &PythonFacts) -> String {
    let version = python.version.split(' ').next().unwrap_or_default();
    format!("Python {version} ({})", python.executable.display())
}

/// The variables of options that Python takes from the environment only.
fn python_variables(config: &ServerConfig) -> Vec<(&'static str, String)> {
    let options = &config.settings.global.python;
    let warnings = (!options.warnings.is_empty()).then(|| options.warnings.join(","));
    [("PYTHONHASHSEED", options.hash_seed.clone()), ("PYTHONWARNINGS", warnings)]
        .into_iter()
        .chain([("LC_CTYPE", utf8_locale())])
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
}

/// The locale that the `python` program would change to, were it started in this environment (PEP
/// 538). CPython sets the variable by itself when it finds the C locale, but that is when a child
/// has threads.
fn utf8_locale() -> Option<String> {
    const C_UTF_8: [&core::ffi::CStr; 3] = [c"C.UTF-8", c"C.utf8", c"UTF-8"];
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let is_unwanted = variable("LC_ALL").is_some()
        || variable("PYTHONCOERCECLOCALE").is_some_and(|value| value == "0");
    if is_unwanted || !sys::speaks_c(variable("LC_CTYPE").or_else(|| variable("LANG"))) {
        return None;
    }
    let found = C_UTF_8.into_iter().find(|name| sys::has_locale(name))?;
    Some(found.to_string_lossy().into_owned())
}

/// Called in each new child of httpd, by its only thread.
pub(crate) fn enter_child(main: Server<'_>) {
    // Python may be started later, when there are other threads.
    sys::remove_variables(&["PYTHONOPTIMIZE"]);
    sys::set_variables(&python_variables(main.config::<Wsgi>()));

    if let Some(started) = STARTED.get()
        && started.process != std::process::id()
    {
        started.engine.after_fork();
    }
}
