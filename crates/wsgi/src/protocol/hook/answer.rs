//! The answer of a script.

use super::Query;
use crate::protocol::codec::{CodecError, Reader, Writer, flag};

/// The answer to a [`super::Question`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// `None`: the script has no opinion, or does not know the user.
    None,
    /// `True`.
    Yes,
    /// `False`.
    No,
    /// A text: the name that a user goes by from now on, or the hash of a password.
    Text(Vec<u8>),
    /// The groups of a user.
    Names(Vec<Vec<u8>>),
    /// Where a request runs.
    Target(DispatchTarget),
}

/// Where a script wants a request to run; what is `None` stays as the configuration says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DispatchTarget {
    /// Name of the process group, to be expanded as the directive's value.
    pub process_group: Option<Vec<u8>>,
    /// Name of the application group, to be expanded as the directive's value.
    pub application_group: Option<Vec<u8>>,
    /// Name of the callable, to be expanded as the directive's value.
    pub callable: Option<Vec<u8>>,
}

impl Answer {
    /// Whether this can be an answer to `query`. A worker belongs to its group's user, who may send
    /// anything.
    pub fn answers(&self, query: &Query<'_>) -> bool {
        match (query, self) {
            (Query::Access { .. } | Query::Password { .. }, Self::None | Self::Yes | Self::No)
            | (Query::RealmHash { .. }, Self::None)
            | (Query::Groups { .. }, Self::Names(_))
            | (Query::Dispatch, Self::Target(_)) => true,
            (Query::Password { .. }, Self::Text(name)) => is_user_name(name),
            (Query::RealmHash { .. }, Self::Text(hash)) => is_md5(hash),
            _ => false,
        }
    }

    /// Appends the payload of an answer frame.
    ///
    /// # Panics
    /// If there are 2³² names or more.
    pub fn encode(&self, buffer: &mut Vec<u8>) {
        let mut writer = Writer::new(buffer);
        match self {
            Self::None => _ = writer.u8(0),
            Self::Yes => _ = writer.u8(1),
            Self::No => _ = writer.u8(2),
            Self::Text(text) => _ = writer.u8(3).bytes(text),
            Self::Names(names) => {
                let count =
                    u32::try_from(names.len()).expect("names in memory are fewer than 2^32");
                writer.u8(4).u32(count);
                for name in names {
                    writer.bytes(name);
                }
            }
            Self::Target(target) => {
                writer.u8(5);
                for part in [&target.process_group, &target.application_group, &target.callable] {
                    writer.u8(u8::from(part.is_some()));
                    if let Some(name) = part {
                        writer.bytes(name);
                    }
                }
            }
        }
    }

    /// Reads the payload of an answer frame.
    pub fn decode(payload: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(payload);
        let answer = match reader.u8()? {
            0 => Self::None,
            1 => Self::Yes,
            2 => Self::No,
            3 => Self::Text(reader.bytes()?.to_vec()),
            4 => {
                let count = reader.u32()?;
                let names = (0..count).map(|_| reader.bytes().map(<[u8]>::to_vec));
                Self::Names(names.collect::<Result<_, _>>()?)
            }
            5 => Self::Target(DispatchTarget {
                process_group: part(&mut reader)?,
                application_group: part(&mut reader)?,
                callable: part(&mut reader)?,
            }),
            _ => return Err(CodecError::Value("answer")),
        };
        reader.end()?;
        Ok(answer)
    }
}

fn part(reader: &mut Reader<'_>) -> Result<Option<Vec<u8>>, CodecError> {
    let given = flag(reader, "target")?;
    given.then(|| reader.bytes().map(<[u8]>::to_vec)).transpose()
}

/// Whether a text can be the name of a user. C strings end at a NUL, so one with a NUL in it would
/// name another user.
pub fn is_user_name(name: &[u8]) -> bool {
    !name.is_empty() && !name.contains(&0)
}

/// Whether a text is what an MD5 digest looks like.
pub fn is_md5(hash: &[u8]) -> bool {
    hash.len() == 32 && hash.iter().all(u8::is_ascii_hexdigit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn answers() -> [Answer; 6] {
        let target =
            DispatchTarget { process_group: Some(b"g".to_vec()), ..DispatchTarget::default() };
        [
            Answer::None,
            Answer::Yes,
            Answer::No,
            Answer::Text(b"0123456789abcdef0123456789ABCDEF".to_vec()),
            Answer::Names(vec![b"staff".to_vec(), Vec::new()]),
            Answer::Target(target),
        ]
    }

    #[test]
    fn answers_round_trip() {
        for answer in answers() {
            let mut buffer = Vec::new();
            answer.encode(&mut buffer);
            assert_eq!(Answer::decode(&buffer), Ok(answer));
        }
    }

    #[test]
    fn each_question_has_answers_of_its_own() {
        let fitting = |query| -> Vec<bool> {
            answers().iter().map(|answer| answer.answers(&query)).collect()
        };
        let (user, host) = (b"u".as_slice(), b"h".as_slice());
        let access = fitting(Query::Access { host });
        assert_eq!(access, [true, true, true, false, false, false]);
        let password = fitting(Query::Password { user, password: b"" });
        assert_eq!(password, [true, true, true, true, false, false]);
        let hash = fitting(Query::RealmHash { user, realm: b"" });
        assert_eq!(hash, [true, false, false, true, false, false]);
        let groups = fitting(Query::Groups { user });
        assert_eq!(groups, [false, false, false, false, true, false]);
        let dispatch = fitting(Query::Dispatch);
        assert_eq!(dispatch, [false, false, false, false, false, true]);
    }

    #[test]
    fn texts_must_make_sense() {
        let (user, password, realm) = (b"u".as_slice(), b"".as_slice(), b"".as_slice());
        for name in [b"".as_slice(), b"a\0b"] {
            assert!(!Answer::Text(name.to_vec()).answers(&Query::Password { user, password }));
        }
        for hash in [b"".as_slice(), b"secret", &[b'g'; 32]] {
            assert!(!Answer::Text(hash.to_vec()).answers(&Query::RealmHash { user, realm }));
        }
    }

    proptest! {
        #[test]
        fn no_payload_panics(payload: Vec<u8>) {
            if let Ok(answer) = Answer::decode(&payload) {
                let mut again = Vec::new();
                answer.encode(&mut again);
                prop_assert_eq!(again, payload);
            }
        }
    }
}
