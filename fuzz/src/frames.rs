//! The stream between an Apache child and a worker.

use wsgi::frame::{BodyFault, FrameError, FrameType, HEADER, Header};
use wsgi::hook::{Answer, Question, decode_variable, encode_variable};
use wsgi::inbox::Inbox;
use wsgi::log_line::LogLine;
use wsgi::request::Request;
use wsgi::response::{Head, Status};
use wsgi::scoreboard::Scoreboard;

/// A stream of frames, in pieces as long as the first byte says. Frames come out the same however the
/// stream is cut, and a payload that can be read is written again as it was.
///
/// # Panics
/// Where that does not hold.
pub fn frames(bytes: &[u8]) {
    let Some((&cut, stream)) = bytes.split_first() else { return };
    let whole = received(stream, stream.len());
    let pieces = received(stream, usize::from(cut) + 1);
    assert_eq!(whole, pieces, "frames depend on how the stream is cut");
    for (kind, payload) in &whole.0 {
        read(*kind, payload);
    }
    // Without a frame around it, so that every payload is within easy reach.
    for kind in [
        FrameType::Request,
        FrameType::Head,
        FrameType::Log,
        FrameType::BodyFailed,
        FrameType::Server,
        FrameType::Question,
        FrameType::Variable,
        FrameType::Answer,
    ] {
        read(kind, stream);
    }
    if let Some(start) = stream.first_chunk::<HEADER>()
        && let Ok(header) = Header::decode(*start)
    {
        assert_eq!(header.encode(), *start);
    }
}

type Frames = (Vec<(FrameType, Vec<u8>)>, Option<FrameError>);

/// The frames of a stream up to its end, or to the fault in it.
fn received(stream: &[u8], step: usize) -> Frames {
    let (mut inbox, mut frames) = (Inbox::default(), Vec::new());
    let mut rest = stream;
    while !rest.is_empty() {
        let room = inbox.room();
        assert!(!room.is_empty(), "there is always room");
        let count = rest.len().min(room.len()).min(step);
        room[..count].copy_from_slice(&rest[..count]);
        inbox.received(count);
        rest = &rest[count..];
        loop {
            match inbox.next_frame() {
                Ok(Some(frame)) => frames.push((frame.kind, frame.payload.to_vec())),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    (frames, None)
}

fn read(kind: FrameType, payload: &[u8]) {
    let mut again = Vec::new();
    match kind {
        FrameType::Request => {
            let Ok(request) = Request::decode(payload) else { return };
            request.encode(request.environ.clone(), &mut again);
        }
        FrameType::Question => {
            let Ok(question) = Question::decode(payload) else { return };
            question.encode(question.request.environ.clone(), &mut again);
        }
        FrameType::Variable => {
            let Ok(value) = decode_variable(payload) else { return };
            encode_variable(value, &mut again);
        }
        FrameType::Answer => {
            let Ok(answer) = Answer::decode(payload) else { return };
            answer.encode(&mut again);
        }
        FrameType::Head => {
            let Ok(head) = Head::decode(payload) else { return };
            let status = Status { code: head.code, line: head.line.to_vec() };
            Head::encode(&status, head.headers.clone(), &mut again);
        }
        FrameType::Log => {
            let Ok(line) = LogLine::decode(payload) else { return };
            line.encode(&mut again);
        }
        FrameType::Server => {
            let Ok(board) = Scoreboard::decode(payload) else { return };
            board.encode(&mut again);
        }
        FrameType::BodyFailed => {
            let Ok((fault, text)) = BodyFault::decode(payload) else { return };
            fault.encode(text, &mut again);
        }
        _ => return,
    }
    assert_eq!(again, payload, "a payload of {kind:?} is written otherwise than it was read");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A seed that is refused at once reaches nothing.
    #[test]
    fn seeds_of_payloads_can_be_read() {
        let seed = |name: &str| {
            let seeds = concat!(env!("CARGO_MANIFEST_DIR"), "/seeds/frames/");
            std::fs::read(format!("{seeds}{name}")).expect("a seed can be read")
        };
        assert!(Request::decode(&seed("request-payload")[1..]).is_ok());
        assert!(Question::decode(&seed("question-payload")[1..]).is_ok());
        assert!(Answer::decode(&seed("answer-payload")[1..]).is_ok());
        let hooks = seed("hooks");
        assert_eq!(received(&hooks[1..], hooks.len()).0.len(), 6);
    }
}
