//! The configuration of interpreters: for all of them, and in `<WSGIInterpreterOptions>` for those
//! of a process group, of an application group, or of both.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The options of an interpreter; `None` where the configuration gives none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterpreterOptions {
    /// `WSGIPerInterpreterGIL`.
    pub own_gil: Option<bool>,
    /// `WSGIFreeThreading`.
    pub free_threading: Option<bool>,
    /// `WSGIRestrictStdin`.
    pub restrict_stdin: Option<bool>,
    /// `WSGIRestrictStdout`.
    pub restrict_stdout: Option<bool>,
    /// `WSGIRestrictSignal`.
    pub restrict_signal: Option<bool>,
    /// `WSGISwitchInterval`.
    pub switch_interval: Option<Duration>,
    /// `WSGIPythonPath`.
    pub python_path: Option<Vec<PathBuf>>,
}

/// A `<WSGIInterpreterOptions>` section.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// The process group that it is for; `None` is any, the empty name embedded mode.
    pub process_group: Option<String>,
    /// The application group that it is for; `None` is any, the empty name the main interpreter.
    pub application_group: Option<String>,
    /// Its options.
    pub options: InterpreterOptions,
}

impl Block {
    fn matches(&self, process_group: &str, application_group: &str) -> bool {
        let is = |wanted: &Option<String>, name| wanted.as_deref().is_none_or(|one| one == name);
        is(&self.process_group, process_group) && is(&self.application_group, application_group)
    }

    fn specificity(&self) -> u8 {
        u8::from(self.process_group.is_some()) + u8::from(self.application_group.is_some())
    }
}

/// All that is said about interpreters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterpreterRules {
    /// The options outside of the sections.
    pub general: InterpreterOptions,
    /// The sections, in their order.
    pub blocks: Vec<Block>,
}

/// The rules that hold for one interpreter.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a directive that is on or off")]
pub struct Rules {
    /// Whether it has a GIL of its own, if it is a sub-interpreter.
    pub own_gil: bool,
    /// Whether `sys.stdin` may not be used.
    pub restrict_stdin: bool,
    /// Whether `sys.stdout` may not be used.
    pub restrict_stdout: bool,
    /// Whether `signal.signal` installs nothing.
    pub restrict_signal: bool,
    /// How long a thread may keep the GIL; `None` is Python's default.
    pub switch_interval: Option<Duration>,
    /// Whether a section for an application group says how long.
    pub switch_interval_is_own: bool,
    /// Directories for `sys.path`, each list in front of the one before it.
    pub python_path: Vec<Vec<PathBuf>>,
}

impl InterpreterRules {
    /// Whether the rules give any interpreter a GIL of its own.
    #[must_use]
    pub fn give_own_gil(&self) -> bool {
        let all = self.blocks.iter().map(|block| &block.options).chain([&self.general]);
        all.into_iter().any(|options| options.own_gil == Some(true))
    }

    /// The rules for the interpreter of an application group (empty for the main one) in a process
    /// group (empty for embedded mode). `WSGIPythonPath` outside of sections is for embedded mode
    /// only, and is left to the caller.
    ///
    /// A section that names both groups outweighs one that names one, and that one outweighs one
    /// that names none; among equals the later one counts. Their directories add up instead.
    #[must_use]
    pub fn of(&self, process_group: &str, application_group: &str) -> Rules {
        let mut matching: Vec<&Block> = self
            .blocks
            .iter()
            .filter(|block| block.matches(process_group, application_group))
            .collect();
        matching.sort_by_key(|block| block.specificity());
        let layers = || matching.iter().rev().map(|block| &block.options).chain([&self.general]);
        let flag = |of: fn(&InterpreterOptions) -> Option<bool>, default| {
            layers().find_map(of).unwrap_or(default)
        };
        let says_interval = |block: &&&Block| block.options.switch_interval.is_some();
        Rules {
            own_gil: flag(|options| options.own_gil, false),
            restrict_stdin: flag(|options| options.restrict_stdin, false),
            restrict_stdout: flag(|options| options.restrict_stdout, false),
            restrict_signal: flag(|options| options.restrict_signal, true),
            switch_interval: layers().find_map(|options| options.switch_interval),
            switch_interval_is_own: matching
                .iter()
                .rev()
                .find(says_interval)
                .is_some_and(|block| block.application_group.is_some()),
            python_path: matching
                .iter()
                .filter_map(|block| block.options.python_path.clone())
                .collect(),
        }
    }

    /// Whether `WSGIFreeThreading` is on for the processes of a group (empty for embedded mode).
    /// Sections for application groups do not count: it is a matter of the process.
    #[must_use]
    pub fn free_threading(&self, process_group: &str) -> bool {
        let mut matching: Vec<&Block> = self
            .blocks
            .iter()
            .filter(|block| block.application_group.is_none() && block.matches(process_group, ""))
            .collect();
        matching.sort_by_key(|block| block.specificity());
        let layers = matching.iter().rev().map(|block| &block.options).chain([&self.general]);
        layers.into_iter().find_map(|options| options.free_threading).unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(process: Option<&str>, application: Option<&str>, path: &str, stdin: bool) -> Block {
        Block {
            process_group: process.map(str::to_owned),
            application_group: application.map(str::to_owned),
            options: InterpreterOptions {
                python_path: Some(vec![path.into()]),
                restrict_stdin: Some(stdin),
                ..InterpreterOptions::default()
            },
        }
    }

    #[test]
    fn the_most_specific_section_counts() {
        let rules = InterpreterRules {
            general: InterpreterOptions {
                restrict_stdin: Some(true),
                own_gil: Some(true),
                ..InterpreterOptions::default()
            },
            blocks: vec![
                block(Some("site"), Some("app"), "/both", true),
                block(Some("site"), None, "/site", false),
                block(None, None, "/all", true),
                block(Some("other"), None, "/other", true),
                block(None, Some("app"), "/app", false),
            ],
        };
        let of = rules.of("site", "app");
        assert!(of.restrict_stdin && of.own_gil && of.restrict_signal);
        let paths: Vec<_> = of.python_path.concat();
        assert_eq!(paths, ["/all", "/site", "/app", "/both"].map(PathBuf::from));
        assert!(!rules.of("site", "").restrict_stdin);
        assert!(rules.of("", "").restrict_stdin);
        assert_eq!(InterpreterRules::default().of("", "").switch_interval, None);
    }

    #[test]
    fn an_interval_knows_whether_it_is_the_interpreters_own() {
        let mut rules = InterpreterRules::default();
        rules.general.switch_interval = Some(Duration::from_millis(1));
        let mut one = block(None, Some("app"), "/", false);
        one.options.switch_interval = Some(Duration::from_millis(2));
        rules.blocks.push(one);
        let own = rules.of("site", "app");
        assert_eq!(own.switch_interval, Some(Duration::from_millis(2)));
        assert!(own.switch_interval_is_own && !rules.of("site", "").switch_interval_is_own);
    }

    #[test]
    fn free_threading_is_the_processes() {
        let mut rules = InterpreterRules::default();
        let mut one = block(Some("site"), None, "/", false);
        one.options.free_threading = Some(true);
        let mut two = block(None, Some("app"), "/", false);
        two.options.free_threading = Some(true);
        rules.blocks.extend([one, two]);
        assert!(rules.free_threading("site") && !rules.free_threading(""));
    }
}
