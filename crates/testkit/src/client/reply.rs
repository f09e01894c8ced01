//! A complete reply.

use serde_json::Value;

/// A reply of the server, with everything that came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// The three digits.
    pub status: u16,
    /// The text after them.
    pub reason: String,
    /// Names as sent, in the order in which they were sent.
    pub headers: Vec<(String, String)>,
    /// Decoded: without chunk framing.
    pub body: Vec<u8>,
    /// The trailers behind the last chunk.
    pub trailers: Vec<(String, String)>,
    /// The 1xx responses that came before.
    pub interim: Vec<Interim>,
}

/// A 1xx response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interim {
    /// The three digits.
    pub status: u16,
    /// Its headers.
    pub headers: Vec<(String, String)>,
}

impl Reply {
    /// The value of the first header of that name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers_named(name).first().copied()
    }

    /// The values of all headers of that name.
    pub fn headers_named(&self, name: &str) -> Vec<&str> {
        self.headers
            .iter()
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
            .collect()
    }

    /// The body as text; bytes that are not UTF-8 are replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none; the text is shown.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!("{} {}: {error}\n{}", self.status, self.reason, self.text())
        })
    }
}
