//! Requests and questions, as a worker reads them out of its group's queue.

use wsgi::protocol::hook::Question;
use wsgi::protocol::request::{Attempts, RequestHead};

/// The payload of a request or a question. One that can be read is written again as it was.
///
/// # Panics
/// Where that does not hold.
pub(crate) fn requests(bytes: &[u8]) {
    if let Ok(request) = RequestHead::decode(bytes) {
        // What a log line shows of it.
        let _ = request.line();
        let mut again = Vec::new();
        request.encode(request.environ.clone(), &mut again);
        assert_eq!(again, bytes, "a request is written otherwise than it was read");
        // The child counts its attempts in the encoded frame.
        let attempts = Attempts { connects: 7, restarts: u32::MAX };
        attempts.note(&mut again);
        assert_eq!(RequestHead::decode(&again).map(|request| request.attempts), Ok(attempts));
    }
    if let Ok(question) = Question::decode(bytes) {
        let mut again = Vec::new();
        question.encode(question.request.environ.clone(), &mut again);
        assert_eq!(again, bytes, "a question is written otherwise than it was read");
    }
}
