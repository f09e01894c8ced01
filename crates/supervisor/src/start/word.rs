//! The words that a new process says until it executes its program, as bytes on a pipe.

use std::path::{Path, PathBuf};

/// A step of a process before it executes its program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It changes its attributes in the kernel: its session, its user.
    Change,
    Directory,
    Scripts,
    Program,
}

impl Step {
    const ALL: [Self; 4] = [Self::Change, Self::Directory, Self::Scripts, Self::Program];
}

/// A word of a new process about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    Begins(Step),
    /// When the next script was changed last.
    Changed {
        seconds: i64,
        nanoseconds: i64,
    },
    /// The next script cannot be found.
    NotFound,
    /// The step has failed with this error number.
    Failed(i32),
    /// None of the programs is there.
    NoProgram,
    NotExecuted {
        program: usize,
        error: i32,
    },
    /// This directory on the way to the first program is missing or closed.
    Obstacle {
        step: usize,
        error: i32,
    },
}

/// The length of a word in bytes: small enough that a pipe takes it as a whole.
pub(crate) const WORD: usize = 24;

impl Word {
    /// The word as bytes. Allocates nothing, for it is said between fork and exec.
    pub(crate) fn encode(self) -> [u8; WORD] {
        let index = |index| i64::try_from(index).unwrap_or(i64::MAX);
        let (kind, one, two) = match self {
            Self::Begins(step) => (0, step as i64, 0),
            Self::Changed { seconds, nanoseconds } => (1, seconds, nanoseconds),
            Self::NotFound => (2, 0, 0),
            Self::Failed(error) => (3, error.into(), 0),
            Self::NoProgram => (4, 0, 0),
            Self::NotExecuted { program, error } => (5, index(program), error.into()),
            Self::Obstacle { step, error } => (6, index(step), error.into()),
        };
        let mut bytes = [0; WORD];
        let (places, _) = bytes.as_chunks_mut::<8>();
        for (place, number) in places.iter_mut().zip([kind, one, two]) {
            *place = i64::to_ne_bytes(number);
        }
        bytes
    }

    /// The meaning of bytes; `None` if that is nothing.
    pub(crate) fn decode(bytes: &[u8; WORD]) -> Option<Self> {
        let (numbers, _) = bytes.as_chunks::<8>();
        let [kind, one, two] = [0, 1, 2].map(|place: usize| i64::from_ne_bytes(numbers[place]));
        let index = usize::try_from(one).ok();
        let number = |number: i64| i32::try_from(number).ok();
        Some(match kind {
            0 => Self::Begins(*Step::ALL.get(index?)?),
            1 => Self::Changed { seconds: one, nanoseconds: two },
            2 => Self::NotFound,
            3 => Self::Failed(number(one)?),
            4 => Self::NoProgram,
            5 => Self::NotExecuted { program: index?, error: number(two)? },
            6 => Self::Obstacle { step: index?, error: number(two)? },
            _ => return None,
        })
    }
}

/// The directories on the way to the first of these programs, from the root on.
pub(crate) fn way(programs: &[PathBuf]) -> Vec<PathBuf> {
    let Some(program) = programs.first() else { return Vec::new() };
    let mut way: Vec<PathBuf> = program.ancestors().skip(1).map(Path::to_owned).collect();
    way.reverse();
    way.retain(|directory| !directory.as_os_str().is_empty());
    way
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_the_way() {
        let words = [
            Word::Begins(Step::Program),
            Word::Changed { seconds: -1, nanoseconds: 7 },
            Word::NotFound,
            Word::Failed(13),
            Word::NoProgram,
            Word::NotExecuted { program: 1, error: 2 },
            Word::Obstacle { step: 3, error: 13 },
        ];
        for word in words {
            assert_eq!(Word::decode(&word.encode()), Some(word));
        }
        assert_eq!(Word::decode(&[0xff; WORD]), None);
    }
}
