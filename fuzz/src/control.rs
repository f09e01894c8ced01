//! The messages between `wsgid`, templates and workers in bytes and shared words.

use wsgi::process::control::{SupervisorMessage, WorkerMessage};
use wsgi::protocol::embed_abi::{ErrorText, fault_code, fault_from_code};
use wsgi::protocol::outcome::Outcome;
use wsgi::protocol::queue::{GroupState, MAX_MESSAGE, send_buffer, split};

/// Each byte is a message or nothing; what is shared in memory means something whatever it is.
///
/// # Panics
/// Where a message is read as another one.
pub(crate) fn control(bytes: &[u8]) {
    for byte in bytes {
        assert!(WorkerMessage::decode(*byte).is_none_or(|news| news as u8 == *byte));
        assert!(SupervisorMessage::decode(*byte).is_none_or(|order| order as u8 == *byte));
    }
    for word in bytes.as_chunks().0 {
        let word = u32::from_le_bytes(*word);
        assert_eq!(GroupState::from_shared(word) == GroupState::Down, word == 1);
        assert!(send_buffer(word) <= 512 << 20);
        let code = word.cast_signed();
        let outcome = Outcome::from_code(code);
        assert_eq!(Outcome::from_code(outcome.code()), outcome);
        let fault = fault_from_code(code as isize);
        assert_eq!(fault_from_code(fault_code(fault)), fault);
    }
    if !bytes.is_empty() {
        let (message, rest) = split(bytes, true);
        assert!(message.len() <= MAX_MESSAGE && !rest.is_empty());
        assert_eq!([message, rest].concat(), bytes);
    }
    error_text(bytes);
}

/// The text of an error that the other library has filled in, with a length of its own.
fn error_text(bytes: &[u8]) {
    let mut text = ErrorText::EMPTY;
    text.set(&String::from_utf8_lossy(bytes));
    assert!(text.get().len() <= 3 * text.bytes.len());
    if let Some(length) = bytes.first_chunk() {
        text.length = usize::from_le_bytes(*length);
        let _ = text.get();
    }
}
