//! All the Pythons of a plan, asked side by side, each question once.
//!
//! A question that was answered before is not asked again while the files that decide it are as
//! they were. Failures are not kept: the cause that makes a Python fail may lie anywhere.

use std::collections::VecDeque;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use wsgi::process::plan::{FileStamp, PythonAnswer, PythonFiles, PythonQuestion};

use crate::start::credentials::Credentials;
use crate::start::probe::{Probe, ProbeError};

/// So many are asked at a time.
const MOST: usize = 16;
/// How often the end of one is looked for that has said everything.
const PAUSE: Duration = Duration::from_millis(2);

/// A question to a Python, and the user that the Python runs as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PythonProbe {
    pub(crate) program: PathBuf,
    pub(crate) credentials: Credentials,
    pub(crate) root: Option<PathBuf>,
    pub(crate) kind: PythonQuestion,
}

impl PythonProbe {
    /// Whether this answers it, whenever it was given.
    fn is_answered_by(&self, answer: &PythonAnswer) -> bool {
        answer.program == self.program
            && answer.root == self.root
            && answer.uid == self.credentials.uid.as_raw()
            && answer.question == self.kind
    }

    fn start(&self) -> Result<Probe<'_>, ProbeError> {
        Probe::start(&self.program, &self.credentials, self.root.as_deref(), self.kind)
    }

    fn answer(&self, files: Option<PythonFiles>, text: String) -> PythonAnswer {
        PythonAnswer {
            program: self.program.clone(),
            root: self.root.clone(),
            uid: self.credentials.uid.as_raw(),
            question: self.kind,
            files,
            text,
        }
    }
}

/// The answers of Pythons.
#[derive(Debug, Default)]
pub(crate) struct Pythons {
    answers: Vec<(PythonProbe, Result<PythonAnswer, String>)>,
}

impl Pythons {
    /// Asks all questions, unless `known` has their answers. `limit` holds for all of them
    /// together, if it is given; what has not answered by then has no answer.
    pub(crate) fn ask(
        questions: Vec<PythonProbe>,
        known: &[PythonAnswer],
        limit: Option<Duration>,
    ) -> Self {
        let deadline = limit.map(|limit| Instant::now() + limit);
        let (mut pythons, mut open) = (Self::default(), Vec::<PythonProbe>::new());
        for question in questions {
            if open.contains(&question) || pythons.answer(&question).is_some() {
                continue;
            }
            let files = files(&question);
            let same = |one: &&PythonAnswer| question.is_answered_by(one) && one.files == files;
            match known.iter().find(same).filter(|_| files.is_some()) {
                Some(answer) => pythons.answers.push((question, Ok(answer.clone()))),
                None => open.push(question),
            }
        }
        let mut waiting: VecDeque<&PythonProbe> = open.iter().collect();
        let mut running: Vec<(&PythonProbe, Option<PythonFiles>, Probe<'_>)> = Vec::new();
        let mut decided = Vec::new();
        while !waiting.is_empty() || !running.is_empty() {
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                break;
            }
            while running.len() < MOST
                && let Some(question) = waiting.pop_front()
            {
                // As they are before it reads them.
                let files = files(question);
                match question.start() {
                    Ok(probe) => running.push((question, files, probe)),
                    Err(error) => decided.push((question, Err(error.to_string()))),
                }
            }
            running.retain_mut(|(question, files, probe)| match probe.look() {
                None => true,
                Some(Ok(text)) => {
                    decided.push((*question, Ok(question.answer(files.take(), text))));
                    false
                }
                Some(Err(error)) => {
                    decided.push((*question, Err(error.to_string())));
                    false
                }
            });
            wait(running.iter().map(|(_, _, probe)| probe), deadline);
        }
        drop(running);
        let decided = decided.into_iter().map(|(question, answer)| (question.clone(), answer));
        pythons.answers.extend(decided);
        pythons
    }

    /// The answer to a question, or why there is none; `None` if there was no time for one.
    pub(crate) fn answer(&self, question: &PythonProbe) -> Option<Result<&PythonAnswer, String>> {
        let (_, answer) = self.answers.iter().find(|(asked, _)| asked == question)?;
        Some(answer.as_ref().map_err(String::clone))
    }

    /// The answers, to be known from now on; those of `before` stay to whose questions there was no
    /// time for an answer.
    pub(crate) fn into_known(
        self,
        before: &[PythonAnswer],
        questions: &[PythonProbe],
    ) -> Vec<PythonAnswer> {
        let unanswered = |answer: &&PythonAnswer| {
            let mut open = questions.iter().filter(|question| self.answer(question).is_none());
            open.any(|question| question.is_answered_by(answer))
        };
        let kept: Vec<PythonAnswer> = before.iter().filter(unanswered).cloned().collect();
        self.answers.into_iter().filter_map(|(_, answer)| answer.ok()).chain(kept).collect()
    }
}

/// The earlier answer, when the files may have been others.
pub(crate) fn outdated<'k>(known: &'k [PythonAnswer], question: &PythonProbe) -> Option<&'k str> {
    known.iter().find(|answer| question.is_answered_by(answer)).map(|answer| answer.text.as_str())
}

/// Waits until one of them may have said something, or has taken too long.
fn wait<'p>(probes: impl Iterator<Item = &'p Probe<'p>> + Clone, deadline: Option<Instant>) {
    let ends = probes.clone().any(|probe| probe.listens().is_none());
    let pause = ends.then(|| Instant::now() + PAUSE);
    let moments = probes.clone().map(Probe::deadline).chain(deadline).chain(pause);
    let Some(moment) = moments.min().filter(|_| probes.clone().next().is_some()) else { return };
    let outputs = probes.filter_map(Probe::listens);
    let mut descriptors: Vec<PollFd<'_>> =
        outputs.map(|output| PollFd::new(output, PollFlags::POLLIN)).collect();
    let left = moment.saturating_duration_since(Instant::now());
    // Rounded up, so that the moment has come when it returns; interrupted, all are looked at as
    // well.
    let timeout = PollTimeout::try_from(left + Duration::from_millis(1));
    let _ = poll(&mut descriptors, timeout.unwrap_or(PollTimeout::ZERO));
}

/// The files that decide the answer; `None` if that is not known. What links lead to below another
/// root is not.
fn files(question: &PythonProbe) -> Option<PythonFiles> {
    if question.root.is_some() {
        return None;
    }
    let program = stamp(&question.program.metadata().ok()?);
    // `pyvenv.cfg` lies beside `bin`.
    let home = question.program.parent().and_then(Path::parent)?;
    let environment = home.join("pyvenv.cfg").metadata().ok().map(|data| stamp(&data));
    Some(PythonFiles { program, environment })
}

fn stamp(data: &Metadata) -> FileStamp {
    FileStamp {
        device: data.dev(),
        inode: data.ino(),
        size: data.size(),
        modified: (data.mtime(), data.mtime_nsec()),
        changed: (data.ctime(), data.ctime_nsec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::unistd::{Gid, Uid};
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn question(program: impl Into<PathBuf>) -> PythonProbe {
        let credentials = Credentials {
            name: "me".into(),
            uid: Uid::effective(),
            gid: Gid::effective(),
            groups: vec![Gid::effective()],
            home: None,
            change: false,
        };
        let kind = PythonQuestion::Version;
        PythonProbe { program: program.into(), credentials, root: None, kind }
    }

    /// A folder with programs, which is removed in the end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("wsgid-{name}-{}", std::process::id()));
            fs::create_dir_all(path.join("bin")).unwrap();
            Self(path)
        }

        fn program(&self, name: &str, script: &str) -> PythonProbe {
            let path = self.0.join("bin").join(name);
            // By another process: a test that forks meanwhile must not hold it open for writing,
            // for then it cannot be executed.
            let text = path.with_extension("text");
            fs::write(&text, format!("#!/bin/sh\n{script}\n")).unwrap();
            let copied = std::process::Command::new("cp").arg(&text).arg(&path).status();
            assert!(copied.unwrap().success());
            fs::remove_file(text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            question(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn text(pythons: &Pythons, question: &PythonProbe) -> Option<Result<String, String>> {
        pythons.answer(question).map(|answer| answer.map(|answer| answer.text.clone()))
    }

    #[test]
    fn what_is_no_python_is_told() {
        let questions = ["/bin/false", "/no/python", "/etc/passwd"].map(question);
        let pythons = Pythons::ask(questions.to_vec(), &[], None);
        let error = |index: usize| text(&pythons, &questions[index]).unwrap().unwrap_err();
        assert!(error(0).starts_with("\"/bin/false\" is not a Python that works"), "{}", error(0));
        assert_eq!(error(1), "\"/no/python\" cannot be run as user \"me\": \"/no\" does not exist");
        assert!(error(2).starts_with("\"/etc/passwd\" cannot be run as user"), "{}", error(2));
        assert_eq!(pythons.into_known(&[], &questions), [], "failures are not kept");
    }

    #[test]
    fn the_systems_python_says_what_it_is() {
        let one = question(crate::start::program::python(None, None).unwrap());
        let pythons = Pythons::ask(vec![one.clone(), one.clone()], &[], None);
        assert!(text(&pythons, &one).unwrap().unwrap().starts_with("3."));
        assert_eq!(pythons.answers.len(), 1, "asked once");
    }

    #[test]
    fn answers_are_known_until_a_file_changes() {
        let folder = Folder::new("known");
        let one = folder.program("one", "echo asked >> \"${0%/*}/log\"; echo 3.11");
        let asked = || fs::read_to_string(folder.0.join("bin/log")).unwrap().lines().count();
        let mut known = Vec::new();
        let mut ask = || {
            let questions = vec![one.clone()];
            let pythons = Pythons::ask(questions.clone(), &known, None);
            assert_eq!(text(&pythons, &one), Some(Ok("3.11\n".into())));
            known = pythons.into_known(&known, &questions);
            assert_eq!(known.len(), 1);
        };
        ask();
        ask();
        assert_eq!(asked(), 1, "nothing has changed");
        fs::write(folder.0.join("pyvenv.cfg"), "home = /usr/bin\n").unwrap();
        ask();
        ask();
        assert_eq!(asked(), 2, "the environment has changed");
        folder.program("one", "echo asked >> \"${0%/*}/log\"; echo 3.11 # again");
        ask();
        assert_eq!(asked(), 3, "the program has changed");
    }

    #[test]
    fn many_answer_side_by_side_and_those_that_hang_are_left() {
        // Each waits for all the others, and one hangs: one after the other none would answer.
        let folder = Folder::new("many");
        let meet = "touch \"$0.here\"; until [ $(ls \"${0%/*}\" | grep -c here) = 10 ]; do sleep \
                    0.01; done";
        let questions: Vec<PythonProbe> = (0..10)
            .map(|number| folder.program(&format!("p{number}"), &format!("{meet}; echo 3.11")))
            .collect();
        let pythons = Pythons::ask(questions.clone(), &[], None);
        for one in &questions {
            assert_eq!(text(&pythons, one), Some(Ok("3.11\n".into())), "{one:?}");
        }
        let hangs = folder.program("hangs", "sleep 1000");
        let limit = Some(Duration::from_millis(20));
        let pythons = Pythons::ask(vec![hangs.clone()], &[], limit);
        assert_eq!(text(&pythons, &hangs), None);
        let before = hangs.answer(None, "3.10".into());
        assert_eq!(outdated(std::slice::from_ref(&before), &hangs), Some("3.10"));
        let known = pythons.into_known(std::slice::from_ref(&before), &[hangs]);
        assert_eq!(known, [before]);
    }
}
