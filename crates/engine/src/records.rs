//! Lines for an error log, collected while the thread is attached and written later: logs are only
//! written detached.

use python::Error;
use wsgi::codes::Message;
use wsgi::level::Level;

/// Lines for an error log, in their order.
#[derive(Debug, Default)]
pub(crate) struct Records(Vec<(Level, String)>);

impl Records {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The lines and their levels.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Level, &str)> {
        self.0.iter().map(|(level, text)| (*level, text.as_str()))
    }

    /// Adds a message.
    pub(crate) fn message(&mut self, message: &Message) {
        self.0.extend(message.lines().map(|line| (message.level(), line)));
    }

    /// Adds the message about an exception, and below it the traceback: these lines are the
    /// application's, and have no code.
    pub(crate) fn exception(&mut self, message: &Message, error: &Error<'_>) {
        self.message(message);
        self.0.extend(error.lines().into_iter().map(|line| (message.level(), line)));
    }

    /// Adds a line that needs no code.
    pub(crate) fn info(&mut self, text: String) {
        self.0.push((Level::Info, text));
    }

    /// Adds a line for who traces requests.
    pub(crate) fn trace(&mut self, text: String) {
        self.0.push((Level::Trace1, text));
    }
}

impl From<Message> for Records {
    fn from(message: Message) -> Self {
        let mut records = Self::default();
        records.message(&message);
        records
    }
}
