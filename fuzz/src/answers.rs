//! The answers of hooks: a child lets users in, or not, by what a worker says.

use wsgi::protocol::hook::{Answer, Query};

/// The payload of an answer. One that can be read is written again as it was; an answer that
/// decides is one to the question, and names a user that there can be.
///
/// # Panics
/// Where that does not hold.
pub(crate) fn answers(bytes: &[u8]) {
    let Ok(answer) = Answer::decode(bytes) else { return };
    let mut again = Vec::new();
    answer.encode(&mut again);
    assert_eq!(again, bytes, "an answer is written otherwise than it was read");
    let (user, other) = (b"user".as_slice(), b"other".as_slice());
    let fits = |query| answer.answers(&query);
    let access = fits(Query::Access { host: other });
    let password = fits(Query::Password { user, password: other });
    let hash = fits(Query::RealmHash { user, realm: other });
    let (groups, dispatch) = (fits(Query::Groups { user }), fits(Query::Dispatch));
    let fitting = [access, password, hash, groups, dispatch];
    let fitting = fitting.map(usize::from).iter().sum::<usize>();
    match &answer {
        Answer::None => assert!(access && password && hash && fitting == 3),
        Answer::Yes | Answer::No => assert!(access && password && fitting == 2),
        Answer::Text(text) => {
            assert_eq!(password, !text.is_empty() && !text.contains(&0));
            assert!(!hash || text.len() == 32 && text.iter().all(u8::is_ascii_hexdigit));
            assert!(!access && !groups && !dispatch);
        }
        Answer::Names(_) => assert!(groups && fitting == 1),
        Answer::Target(_) => assert!(dispatch && fitting == 1),
    }
}
