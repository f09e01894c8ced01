//! The answers of a child to the questions of its worker: the client's body, the scoreboard,
//! variables.

use wsgi::protocol::frame::BodyFault;
use wsgi::protocol::hook::{decode_variable, encode_variable};
use wsgi::protocol::scoreboard::{ScoreboardSnapshot, symbol};

/// The payload of an answer. One that can be read is written again as it was.
///
/// # Panics
/// Where that does not hold.
pub(crate) fn replies(bytes: &[u8]) {
    let mut again = Vec::new();
    if let Ok((fault, text)) = BodyFault::decode(bytes) {
        fault.encode(text, &mut again);
        assert_eq!(again, bytes, "a body's fault is written otherwise than it was read");
    }
    again.clear();
    if let Ok(value) = decode_variable(bytes) {
        encode_variable(value, &mut again);
        assert_eq!(again, bytes, "a variable is written otherwise than it was read");
    }
    again.clear();
    if let Ok(board) = ScoreboardSnapshot::decode(bytes) {
        for worker in board.processes.iter().flat_map(|process| &process.workers) {
            let _ = symbol(worker.status);
        }
        board.encode(&mut again);
        assert_eq!(again, bytes, "a scoreboard is written otherwise than it was read");
    }
}
