//! The Python of embedded mode, as far as a check is concerned.

use wsgi::process::plan::{Plan, PythonAnswer, PythonFacts, PythonQuestion};

use super::engine_problem;
use crate::start::credentials::Credentials;
use crate::start::probe;
use crate::start::program;
use crate::start::pythons::{self, PythonProbe, Pythons};

/// The Python that httpd's children would load.
pub(super) struct Children {
    pub(super) question: PythonProbe,
}

impl Children {
    /// The question to it, or the reason why it cannot be asked.
    pub(super) fn new(plan: &Plan) -> Result<Self, String> {
        let credentials =
            Credentials::of_children(&plan.children).map_err(|error| error.to_string())?;
        let program = program::python(plan.python_home.as_deref(), None)
            .map_err(|error| error.to_string())?;
        if let Some(problem) = engine_problem(&credentials, None) {
            return Err(format!("the engine cannot be loaded: {problem}"));
        }
        let kind = PythonQuestion::Library;
        Ok(Self { question: PythonProbe { program, credentials, root: None, kind } })
    }

    /// The known facts about it. If there was no time for an answer, what it has answered before
    /// will do, as long as its library is there; without that, a child that needs it asks.
    pub(super) fn facts(
        &self,
        pythons: &Pythons,
        known: &[PythonAnswer],
        notes: &mut Vec<String>,
    ) -> Option<Result<PythonFacts, String>> {
        let program = &self.question.program;
        if let Some(answer) = pythons.answer(&self.question) {
            let facts = answer.and_then(|answer| {
                probe::facts(program, &answer.text).map_err(|error| error.to_string())
            });
            return Some(facts);
        }
        notes.push(format!(
            "{program:?} has not said at once where its library is, and is not waited for: httpd's \
             children use what it has said before, or ask it when they need it"
        ));
        let before = pythons::outdated(known, &self.question)?;
        probe::facts(program, before).ok().map(Ok)
    }
}
