//! A process that was started and may not have executed its program yet: how far it is, and why it
//! failed.
//!
//! `wsgid` does not wait for it. Its words are read when they matter: when it has ended, and when
//! it takes long. The files that it looks up may lie in a file system that does not answer, and
//! then it may hang in the kernel, where not even SIGKILL ends it.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nix::errno::Errno;

use crate::start::obstacle::{Obstacle, Want};
use crate::start::word::{Step, WORD, Word, way};

/// A process until it has executed its program.
#[derive(Debug)]
pub(crate) struct Birth {
    words: File,
    /// The pipe has come to its end: the program was executed, or the process has ended.
    is_over: bool,
    step: Step,
    versions: Vec<Option<SystemTime>>,
    failure: Option<Word>,
    obstacle: Option<Word>,
    programs: Vec<PathBuf>,
    directory: Option<PathBuf>,
}

/// Why a program was not executed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// None of the programs is there; the first of these directories that is missing.
    NoProgram(Option<PathBuf>),
    Obstacle(PathBuf, Obstacle),
    Program(PathBuf, std::io::Error),
    Directory(PathBuf, std::io::Error),
    Other(std::io::Error),
}

impl Birth {
    /// The birth of a process that speaks over `words`, and that may execute these programs in this
    /// directory.
    pub(crate) fn new(words: OwnedFd, programs: &[PathBuf], directory: Option<&Path>) -> Self {
        Self {
            words: words.into(),
            is_over: false,
            step: Step::Change,
            versions: Vec::new(),
            failure: None,
            obstacle: None,
            programs: programs.to_vec(),
            directory: directory.map(Path::to_owned),
        }
    }

    /// Takes in what was said; true once there is no more to come.
    pub(crate) fn look(&mut self) -> bool {
        let mut bytes = [0; WORD];
        while !self.is_over {
            match self.words.read(&mut bytes) {
                Ok(WORD) => self.take(Word::decode(&bytes)),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                // Words are written and read as a whole.
                Ok(_) | Err(_) => self.is_over = true,
            }
        }
        self.is_over
    }

    /// Whether it is known that there is no more to come.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    fn take(&mut self, word: Option<Word>) {
        match word {
            Some(Word::Begins(step)) => self.step = step,
            Some(Word::Changed { seconds, nanoseconds }) => {
                let since = u64::try_from(seconds).ok().zip(u32::try_from(nanoseconds).ok());
                let moment = since.and_then(|(seconds, nanoseconds)| {
                    SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, nanoseconds))
                });
                self.versions.push(moment);
            }
            Some(Word::NotFound) => self.versions.push(None),
            Some(failure @ (Word::Failed(_) | Word::NoProgram | Word::NotExecuted { .. })) => {
                self.failure = Some(failure);
            }
            Some(obstacle @ Word::Obstacle { .. }) => self.obstacle = Some(obstacle),
            None => {}
        }
    }

    /// When the scripts that it was asked for were changed last, as far as it has said so.
    pub(crate) fn versions(&self) -> &[Option<SystemTime>] {
        &self.versions
    }

    /// Why it has not executed its program, if it has said so.
    pub(crate) fn failure(&mut self) -> Option<Failure> {
        self.look();
        let failure = self.failure?;
        let obstacle = match self.obstacle {
            Some(Word::Obstacle { step, error }) => {
                way(&self.programs).into_iter().nth(step).map(|directory| (directory, error))
            }
            _ => None,
        };
        Some(match failure {
            Word::NoProgram => Failure::NoProgram(obstacle.map(|(directory, _)| directory)),
            Word::NotExecuted { program, error } => {
                let program = self.programs.get(program).cloned().unwrap_or_default();
                match (obstacle, Errno::from_raw(error)) {
                    (Some((directory, error)), _) => Failure::Obstacle(
                        program,
                        match Errno::from_raw(error) {
                            Errno::ENOENT | Errno::ENOTDIR => Obstacle::Missing(directory),
                            _ => Obstacle::Closed(directory),
                        },
                    ),
                    (None, Errno::EACCES) => Failure::Obstacle(
                        program.clone(),
                        Obstacle::Refused(program, Want::Execute),
                    ),
                    (None, error) => Failure::Program(program, error.into()),
                }
            }
            Word::Failed(error) => {
                let error = std::io::Error::from_raw_os_error(error);
                match (&self.directory, self.step) {
                    (Some(directory), Step::Directory) => {
                        Failure::Directory(directory.clone(), error)
                    }
                    _ => Failure::Other(error),
                }
            }
            _ => return None,
        })
    }

    /// The step that it is at, in words that name the path it is looking up, if it has neither
    /// executed its program nor failed.
    pub(crate) fn unborn(&mut self) -> Option<String> {
        (!self.look()).then(|| match (self.step, &self.directory, self.programs.first()) {
            (Step::Directory, Some(directory), _) => {
                format!("entering its directory {directory:?}")
            }
            (Step::Program, _, Some(program)) => {
                format!("executing {program:?} or the interpreter that its first line names")
            }
            (Step::Scripts, ..) => "looking at its scripts".to_owned(),
            _ => "changing to its user".to_owned(),
        })
    }
}

impl AsFd for Birth {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.words.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::start::credentials::Credentials;
    use crate::sys::{Change, Directory, Task, begin, raised};
    use nix::sys::wait::waitpid;
    use nix::unistd::Pid;

    fn born(programs: &[&str], directory: Option<&str>) -> Birth {
        let scripts = vec!["/etc/passwd".into(), "/no/script".into()];
        born_with(scripts, programs, directory)
    }

    fn born_with(scripts: Vec<PathBuf>, programs: &[&str], directory: Option<&str>) -> Birth {
        let credentials = Credentials::own();
        let nothing = raised(&File::open("/dev/null").unwrap().into()).unwrap();
        let directory = directory.map(Path::new);
        let change = Change {
            credentials: &credentials,
            standard: [&nothing; 3],
            descriptors: Vec::new(),
            umask: None,
            priority: None,
            root: None,
            directory: directory.map(|path| Directory { path, may_be_missing: false }),
        };
        let task = Task {
            scripts,
            programs: programs.iter().map(PathBuf::from).collect(),
            ..Task::default()
        };
        let (pid, words) = begin(&change, &task).unwrap();
        waitpid(Pid::from_raw(pid), None).unwrap();
        Birth::new(words, &task.programs, directory)
    }

    #[test]
    fn a_process_says_why_it_has_not_executed_its_program() {
        let mut birth = born(&["/no/python", "/bin/true"], Some("/"));
        assert!(birth.failure().is_none(), "the second one is there");
        let changed = Path::new("/etc/passwd").metadata().unwrap().modified().unwrap();
        assert_eq!(birth.versions(), [Some(changed), None]);
        assert_eq!(birth.unborn(), None);
        let failure = |programs: &[&str], directory| born(programs, directory).failure().unwrap();
        let missing = failure(&["/no/python", "/no/python3"], None);
        assert!(matches!(missing, Failure::NoProgram(Some(path)) if path == Path::new("/no")));
        assert!(matches!(failure(&["/etc/no-python"], None), Failure::NoProgram(None)));
        let refused = failure(&["/etc/passwd"], None);
        assert!(matches!(refused, Failure::Obstacle(_, Obstacle::Refused(..))), "{refused:?}");
        let nowhere = failure(&["/bin/true"], Some("/no"));
        assert!(matches!(nowhere, Failure::Directory(path, _) if path == Path::new("/no")));
    }

    #[test]
    fn many_scripts_are_looked_at_before_anything_is_read() {
        let scripts = vec![PathBuf::from("/etc/passwd"); 5000];
        let mut birth = born_with(scripts, &["/bin/true"], None);
        assert!(birth.look() && birth.versions().len() == 5000);
    }
}
