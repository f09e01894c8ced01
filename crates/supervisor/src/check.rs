//! `wsgid check`: what is wrong with a plan, found before anything is started.
//!
//! httpd's parent asks this whenever it has read a configuration, also for `apachectl -t`.

mod children;

use std::path::Path;
use std::process::ExitCode;

use nix::unistd::Uid;
use wsgi::codes::{self, Message};
use wsgi::config::daemon_process::GroupSpec;
use wsgi::process::plan::{GroupReport, MappedScript, Plan, PlannedGroup, PythonQuestion, Report};

use crate::start::credentials::{AccountError, Credentials};
use crate::start::obstacle::{Obstacle, Want, obstacle};
use crate::start::program;
use crate::start::pythons::{PythonProbe, Pythons};
use crate::sys;

use children::Children;

/// How messages name the option.
const PYTHON_HOME: &str = "python-home";

/// Writes a [`Report`] on the plan to standard output.
pub(crate) fn run(plan: &Plan) -> ExitCode {
    let report = examine(plan);
    match serde_json::to_writer(std::io::stdout(), &report) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", codes::wsgid_report_lost(&error));
            ExitCode::FAILURE
        }
    }
}

fn examine(plan: &Plan) -> Report {
    let mut report = Report::default();
    let groups: Vec<_> = plan.groups.iter().map(|group| Prepared::new(plan, group)).collect();
    let children = Children::new(plan);
    let embedded = children.as_ref().map(|children| children.question.clone()).ok();
    let of_groups = groups.iter().filter_map(|prepared| prepared.question.clone());
    let questions: Vec<PythonProbe> = of_groups.chain(embedded).collect();
    let known = &plan.findings.pythons;
    let pythons = Pythons::ask(questions.clone(), known, plan.answer_limit);
    for (group, prepared) in plan.groups.iter().zip(groups) {
        let (name, place) = (&group.spec.name, &group.place);
        report.findings.accounts.extend(prepared.credentials.as_ref().ok().map(|credentials| {
            // As the user database has it now.
            credentials.to_known(&group.spec)
        }));
        let examined = Examined::new(plan, group, &prepared, &pythons);
        let context = format_args!("WSGIDaemonProcess {name:?} ({place})");
        report.problems.extend(examined.problem.map(|problem| problem.within(&context)));
        report.warnings.extend(examined.warnings);
        report.notes.extend(examined.note);
        report.groups.push(examined.report);
    }
    report.embedded = match children {
        Ok(children) => children.facts(&pythons, known, &mut report.notes),
        Err(problem) => Some(Err(problem)),
    };
    if let (Some(Err(problem)), Some(_)) = (&report.embedded, &plan.python_home) {
        report.problems.push(codes::python_unusable("WSGIPythonHome", problem));
    }
    if let (true, Ok(credentials)) = (plan.embedded, Credentials::of_children(&plan.children)) {
        report.warnings.extend(unreadable(&plan.scripts, &credentials));
    }
    report.findings.pythons = pythons.into_known(known, &questions);
    report
}

/// The facts about a group before its Python is asked.
struct Prepared {
    credentials: Result<Credentials, AccountError>,
    question: Option<PythonProbe>,
    /// The problem that keeps it from being asked.
    problem: Option<Message>,
}

impl Prepared {
    fn new(plan: &Plan, group: &PlannedGroup) -> Self {
        // As the user database has it now.
        let credentials = Credentials::of_group(&group.spec, &plan.children);
        let mut prepared = Self { credentials, question: None, problem: None };
        match prepared.question(plan, group) {
            Ok(question) => prepared.question = Some(question),
            Err(problem) => prepared.problem = Some(problem),
        }
        prepared
    }

    fn question(&self, plan: &Plan, group: &PlannedGroup) -> Result<PythonProbe, Message> {
        let spec = &group.spec;
        let root = spec.chroot.as_deref();
        let credentials =
            self.credentials.clone().map_err(|error| codes::group_has_no_user(&error))?;
        privileges(spec)?;
        let home = spec.python_home.as_deref().or(plan.python_home.as_deref());
        let program = program::python(home, root)
            .map_err(|error| codes::python_unusable(PYTHON_HOME, &error))?;
        let kind = PythonQuestion::Version;
        Ok(PythonProbe { program, credentials, root: root.map(Path::to_owned), kind })
    }
}

/// The findings about a group.
#[derive(Default)]
struct Examined {
    /// The first thing that keeps it from working.
    problem: Option<Message>,
    warnings: Vec<Message>,
    /// Its Python was not waited for.
    note: Option<String>,
    report: GroupReport,
}

impl Examined {
    fn new(plan: &Plan, group: &PlannedGroup, prepared: &Prepared, pythons: &Pythons) -> Self {
        let mut examined = Self::default();
        if let Ok(credentials) = &prepared.credentials {
            examined.report.user.clone_from(&credentials.name);
        }
        examined.problem = match &prepared.question {
            Some(question) => examined.look(plan, group, question, pythons).err(),
            None => prepared.problem.clone(),
        };
        examined
    }

    fn look(
        &mut self,
        plan: &Plan,
        group: &PlannedGroup,
        question: &PythonProbe,
        pythons: &Pythons,
    ) -> Result<(), Message> {
        let PythonProbe { program, credentials, root, .. } = question;
        self.report.program.clone_from(program);
        if let Some(answer) = pythons.answer(question) {
            let answer = answer.map_err(|problem| codes::python_unusable(PYTHON_HOME, &problem))?;
            answer.text.trim().clone_into(&mut self.report.version);
        } else {
            let name = &group.spec.name;
            self.note = Some(format!(
                "process group {name:?}: {program:?} has not said its version at once and is not \
                 waited for; the group is started with it"
            ));
        }
        let problem = engine_problem(credentials, root.as_deref())
            .map(|problem| codes::engine_unusable(&problem))
            .or_else(|| home_problem(group, credentials));
        self.warnings.extend(missing_locales(group));
        self.warnings.extend(unreadable(&group.scripts, credentials));
        self.warnings.extend(out_of_reach(&group.scripts, plan, credentials));
        self.warnings.extend(group.imports.iter().filter_map(|import| {
            let obstacle = obstacle(&import.script, credentials, Want::Read)?;
            let script = import.script.to_string_lossy();
            let message = codes::script_unreadable(&script, &credentials.name, &obstacle);
            Some(message.within(&"import when the processes start"))
        }));
        problem.map_or(Ok(()), Err)
    }
}

/// Refuses options that only a server that was started as root can apply.
fn privileges(spec: &GroupSpec) -> Result<(), Message> {
    if Uid::effective().is_root() {
        return match &spec.chroot {
            Some(root) if !root.is_dir() => Err(codes::chroot_missing(&root.to_string_lossy())),
            _ => Ok(()),
        };
    }
    if let Some(root) = &spec.chroot {
        return Err(codes::needs_root(&format!("chroot={root:?}"), "take it away"));
    }
    match spec.limits.cpu_priority {
        Some(nice) if nice < 0 => {
            Err(codes::needs_root(&format!("cpu-priority={nice}"), "a number from 0 does not"))
        }
        _ => Ok(()),
    }
}

/// Locales that are not installed: the processes speak C instead. Those of another root directory
/// are not looked for.
fn missing_locales(group: &PlannedGroup) -> Vec<Message> {
    let (spec, place) = (&group.spec, &group.place);
    let named = [("lang", &spec.lang), ("locale", &spec.locale)];
    let values = named.into_iter().filter_map(|(option, value)| Some((option, value.as_ref()?)));
    values
        .filter(|(_, value)| spec.chroot.is_none() && !sys::has_locale(value))
        .map(|(option, value)| {
            let context = format_args!("WSGIDaemonProcess {:?} ({place})", spec.name);
            codes::locale_missing(option, value).within(&context)
        })
        .collect()
}

/// Scripts whose directories are closed to httpd's children: they look for the script before they
/// ask a process group, and answer 403.
fn out_of_reach(scripts: &[MappedScript], plan: &Plan, of_group: &Credentials) -> Vec<Message> {
    let children = Credentials::of_children(&plan.children);
    // Where that is the group's user, it was said that it cannot read them.
    let Some(children) = children.ok().filter(|children| children.uid != of_group.uid) else {
        return Vec::new();
    };
    let warning = |one: &MappedScript| {
        let obstacle = obstacle(&one.script, &children, Want::Find)?;
        if matches!(obstacle, Obstacle::Missing(_)) {
            // The group's user has been looked at for that.
            return None;
        }
        let script = one.script.to_string_lossy();
        let message = codes::script_out_of_reach(&script, &children.name, &obstacle);
        Some(message.within(&one.directive))
    };
    scripts.iter().filter_map(warning).collect()
}

/// Scripts that a user cannot read; requests for them will fail.
fn unreadable(scripts: &[MappedScript], credentials: &Credentials) -> Vec<Message> {
    let warning = |one: &MappedScript| {
        let obstacle = obstacle(&one.script, credentials, Want::Read)?;
        let script = one.script.to_string_lossy();
        let message = codes::script_unreadable(&script, &credentials.name, &obstacle);
        Some(message.within(&one.directive))
    };
    scripts.iter().filter_map(warning).collect()
}

/// Why the engine cannot be loaded.
fn engine_problem(credentials: &Credentials, root: Option<&Path>) -> Option<String> {
    let engine = match program::engine() {
        Ok(engine) => engine,
        Err(error) => return Some(format!("it cannot be found: {error}")),
    };
    if let Some(root) = root {
        let inside = program::below(Some(root), &engine);
        return (!inside.is_file()).then(|| {
            format!("chroot={root:?}: it has to lie below that, too, and {inside:?} does not exist")
        });
    }
    let obstacle = obstacle(&engine, credentials, Want::Read)?;
    let user = &credentials.name;
    Some(format!("for user {user:?}, {obstacle}; install Dormouse where all users can read it"))
}

fn home_problem(group: &PlannedGroup, credentials: &Credentials) -> Option<Message> {
    let home = group.spec.home.as_deref().filter(|_| group.spec.chroot.is_none())?;
    let shown = home.to_string_lossy();
    if home.exists() && !home.is_dir() {
        return Some(codes::home_unusable(&shown, &"it is not a directory"));
    }
    let obstacle = obstacle(home, credentials, Want::Execute)?;
    let problem = format!("user {:?} cannot work there: {obstacle}", credentials.name);
    Some(codes::home_unusable(&shown, &problem))
}
