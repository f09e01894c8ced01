//! `wsgid check`: what is wrong with a plan, found before anything is started.
//!
//! httpd's parent asks this whenever it has read a configuration, also for `apachectl -t`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use wsgi::plan::{Plan, PlannedGroup, Report};

use crate::account::Identity;
use crate::probe;
use crate::program;
use crate::reach::{Want, obstacle};

/// The longest path of a Unix socket on Linux, in bytes.
const LONGEST_SOCKET_PATH: usize = 107;

/// Writes a [`Report`] on the plan to standard output.
pub(crate) fn run(plan: &Plan) -> ExitCode {
    let report = examine(plan);
    match serde_json::to_writer(std::io::stdout(), &report) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("wsgid: the report cannot be written: {error}");
            ExitCode::FAILURE
        }
    }
}

fn examine(plan: &Plan) -> Report {
    let mut problems = Vec::new();
    let mut asked = BTreeMap::new();
    for group in &plan.groups {
        let found = examine_group(plan, group, &mut asked);
        let name = &group.spec.name;
        problems.extend(found.map(|problem| {
            format!("WSGIDaemonProcess {name} ({place}): {problem}", place = group.place)
        }));
    }
    let embedded = plan.embedded.then(|| embedded(plan));
    if let (Some(Err(problem)), Some(_)) = (&embedded, &plan.python_home) {
        problems.push(format!("WSGIPythonHome: {problem}"));
    }
    Report { problems, embedded }
}

/// Answers that were already had, by program and user: groups tend to share them.
type Asked = BTreeMap<(PathBuf, u32), Option<String>>;

/// The first thing that keeps a group from working.
fn examine_group(plan: &Plan, group: &PlannedGroup, asked: &mut Asked) -> Option<String> {
    let spec = &group.spec;
    let identity = match Identity::of_group(spec, &plan.children) {
        Ok(identity) => identity,
        Err(error) => return Some(error.to_string()),
    };
    let program = match program::python(spec.python_home.as_deref().or(plan.python_home.as_deref()))
    {
        Ok(program) => program,
        Err(error) => return Some(format!("python-home: {error}")),
    };
    let key = (program, identity.uid.as_raw());
    if !asked.contains_key(&key) {
        let problem = probe::is_python(&key.0, &identity).err().map(|error| error.to_string());
        asked.insert(key.clone(), problem);
    }
    asked[&key]
        .as_ref()
        .map(|problem| format!("python-home: {problem}"))
        .or_else(|| engine_problem(&identity))
        .or_else(|| home_problem(group, &identity))
        .or_else(|| socket_problem(group, plan))
}

fn engine_problem(identity: &Identity) -> Option<String> {
    let engine = match program::engine() {
        Ok(engine) => engine,
        Err(error) => return Some(format!("the engine cannot be found: {error}")),
    };
    let obstacle = obstacle(&engine, identity, Want::Read)?;
    let user = &identity.name;
    Some(format!(
        "user {user} cannot load the engine {}: {obstacle}; install Dormouse where everybody can \
         read it",
        engine.display()
    ))
}

fn home_problem(group: &PlannedGroup, identity: &Identity) -> Option<String> {
    let home = group.spec.home.as_deref()?;
    if home.exists() && !home.is_dir() {
        return Some(format!("home={} is not a directory", home.display()));
    }
    let obstacle = obstacle(home, identity, Want::Execute)?;
    let user = &identity.name;
    Some(format!("home={}: user {user} cannot work there: {obstacle}", home.display()))
}

fn socket_problem(group: &PlannedGroup, plan: &Plan) -> Option<String> {
    let path = group.socket.as_os_str();
    if path.len() > LONGEST_SOCKET_PATH {
        return Some(format!(
            "the path of its socket, {}, is longer than the {LONGEST_SOCKET_PATH} bytes that Unix \
             allows; set WSGISocketPrefix to a shorter one",
            group.socket.display()
        ));
    }
    let directory = group.socket.parent()?;
    if !directory.is_dir() {
        return Some(format!(
            "its socket cannot be made: the directory {} does not exist; create it, or set \
             WSGISocketPrefix",
            directory.display()
        ));
    }
    let children = Identity::of_children(&plan.children).ok()?;
    let obstacle = obstacle(&group.socket, &children, Want::Execute).filter(|obstacle| {
        // The socket itself is not there yet.
        matches!(obstacle, crate::reach::Obstacle::Closed(_))
    })?;
    let user = &children.name;
    Some(format!(
        "httpd's children (user {user}) cannot reach its socket {}: {obstacle}; set WSGISocketPrefix",
        group.socket.display()
    ))
}

/// The Python that httpd's children would load.
fn embedded(plan: &Plan) -> Result<wsgi::plan::PythonFacts, String> {
    let identity = Identity::of_children(&plan.children).map_err(|error| error.to_string())?;
    let program =
        program::python(plan.python_home.as_deref()).map_err(|error| error.to_string())?;
    if let Some(problem) = engine_problem(&identity) {
        return Err(problem);
    }
    probe::facts(&program, &identity).map_err(|error| error.to_string())
}
