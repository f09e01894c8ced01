//! The question to a script: the request that it is about, and the other arguments of the hook's
//! function.

use crate::protocol::codec::{CodecError, Reader, Writer, flag};
use crate::protocol::frame::FrameError;
use crate::protocol::request::RequestHead;

/// A question about a request, borrowed from the buffer that it was received in.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    /// The script to ask and the environ that it gets. There is no callable and no body.
    pub request: RequestHead<'a>,
    /// Whether the client's connection uses TLS.
    pub tls: bool,
    /// The query.
    pub query: Query<'a>,
}

/// Which function is called, and its arguments beside the environ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Query<'a> {
    /// `allow_access(environ, host)`
    Access {
        /// The client's name, or its address if it has none.
        host: &'a [u8],
    },
    /// `check_password(environ, user, password)`
    Password {
        /// The user's name as the client gives it.
        user: &'a [u8],
        /// The password that goes with it.
        password: &'a [u8],
    },
    /// `get_realm_hash(environ, user, realm)`
    RealmHash {
        /// The user's name as the client gives it.
        user: &'a [u8],
        /// The realm.
        realm: &'a [u8],
    },
    /// `groups_for_user(environ, user)`
    Groups {
        /// The authenticated user.
        user: &'a [u8],
    },
    /// `process_group(environ)`, `application_group(environ)` and `callable_object(environ)`, as
    /// far as the script has them.
    Dispatch,
}

impl<'a> Query<'a> {
    fn parts(self) -> (u8, &'a [u8], &'a [u8]) {
        match self {
            Self::Access { host } => (1, host, b""),
            Self::Password { user, password } => (2, user, password),
            Self::RealmHash { user, realm } => (3, user, realm),
            Self::Groups { user } => (4, user, b""),
            Self::Dispatch => (5, b"", b""),
        }
    }

    fn of_parts(parts: (u8, &'a [u8], &'a [u8])) -> Option<Self> {
        Some(match parts {
            (1, host, b"") => Self::Access { host },
            (2, user, password) => Self::Password { user, password },
            (3, user, realm) => Self::RealmHash { user, realm },
            (4, user, b"") => Self::Groups { user },
            (5, b"", b"") => Self::Dispatch,
            _ => return None,
        })
    }
}

impl<'a> Question<'a> {
    /// Appends the payload of a question frame; `environ` gives the pairs of the environ.
    pub fn encode<'p>(
        &self,
        environ: impl IntoIterator<Item = (&'p [u8], &'p [u8])>,
        buffer: &mut Vec<u8>,
    ) {
        self.request.encode(environ, buffer);
        let (number, first, second) = self.query.parts();
        Writer::new(buffer).u8(u8::from(self.tls)).u8(number).bytes(first).bytes(second);
    }

    /// Reads the payload of a question frame.
    pub fn decode(payload: &'a [u8]) -> Result<Self, FrameError> {
        let mut reader = Reader::new(payload);
        let request = RequestHead::read(&mut reader)?;
        let tls = flag(&mut reader, "TLS")?;
        let parts = (reader.u8()?, reader.bytes()?, reader.bytes()?);
        let query = Query::of_parts(parts).ok_or(CodecError::Value("query"))?;
        reader.end()?;
        Ok(Self { request, tls, query })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::request::tests::empty;
    use proptest::prelude::*;

    fn encoded(query: Query<'_>) -> Vec<u8> {
        let request = empty();
        let mut buffer = Vec::new();
        let environ = [(b"PATH_INFO".as_slice(), b"/\xff".as_slice())];
        Question { request, tls: true, query }.encode(environ, &mut buffer);
        buffer
    }

    #[test]
    fn questions_round_trip() {
        let queries = [
            Query::Access { host: b"localhost" },
            Query::Password { user: b"u\xff", password: b"" },
            Query::RealmHash { user: b"u", realm: b"r" },
            Query::Groups { user: b"u" },
            Query::Dispatch,
        ];
        for query in queries {
            let buffer = encoded(query);
            let question = Question::decode(&buffer).unwrap();
            assert_eq!((question.query, question.tls), (query, true));
            assert_eq!(question.request.script, b"/srv/app.wsgi");
        }
    }

    proptest! {
        #[test]
        fn damaged_questions_never_panic(cut in 0usize..80, at in 0usize..80, byte: u8) {
            let mut buffer = encoded(Query::Password { user: b"u", password: b"p" });
            let length = buffer.len();
            buffer[at % length] = byte;
            buffer.truncate(length - cut % length);
            let _ = Question::decode(&buffer);
        }
    }
}
