//! The head of a request as it travels from an Apache child to the engine.
//!
//! It is built in the Apache child, in daemon mode and in embedded mode alike, and holds all that
//! the engine needs to know: which script, which interpreter, which callable, the environ, and the
//! first bytes of a small body.

use crate::protocol::codec::{CodecError, Pairs, Reader, Writer, flag};
use crate::protocol::frame::{FrameError, VERSION};
use crate::protocol::response::content_length;

/// The longest part of a body in bytes that comes behind the frame without being asked for.
pub const MAX_BODY_BEHIND: u32 = 64 * 1024 + 1;

/// Where the rest of the request's body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum BodyRest {
    /// The first bytes and those behind the frame are the whole body (which may be empty).
    None = 0,
    /// More may follow; it has to be asked for.
    Pull = 1,
}

/// How often the httpd child had to try.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attempts {
    /// Connections to the process group that were tried, the one that worked among them.
    pub connects: u32,
    /// Workers that declined the request, because they were being replaced.
    pub restarts: u32,
}

impl Attempts {
    /// Notes the attempts in the payload of a request frame, which does not know them when it is
    /// made.
    pub fn note(self, payload: &mut [u8]) {
        // Behind the version, so that the place is known.
        if let Some(place) = payload.get_mut(1..9) {
            place[..4].copy_from_slice(&self.connects.to_le_bytes());
            place[4..].copy_from_slice(&self.restarts.to_le_bytes());
        }
    }
}

/// The contents of a request's head, borrowed from the buffer that it was received in.
#[derive(Clone, Debug)]
pub struct RequestHead<'a> {
    /// How often the httpd child had to try; nothing in embedded mode.
    pub attempts: Attempts,
    /// Path of the script file that holds the application.
    pub script: &'a [u8],
    /// Name of the process group; empty in embedded mode.
    pub process_group: &'a [u8],
    /// Name of the application group; empty for the main interpreter.
    pub application_group: &'a [u8],
    /// Run in the main interpreter although the application group has a name (design.md, "Which
    /// interpreter").
    pub main_interpreter: bool,
    /// Name of the application object in the script's globals.
    pub callable: &'a [u8],
    /// Whether a changed script file is loaded anew (`WSGIScriptReloading`).
    pub script_reloading: bool,
    /// When the script file was changed, in microseconds of the epoch, as httpd has just seen it; 0
    /// where it has not looked.
    pub script_modified: i64,
    /// Whether the request does not count as activity of its process (`WSGIIgnoreActivity`).
    pub ignore_activity: bool,
    /// The most talkative level that is logged of this request (httpd's number).
    pub log_level: u8,
    /// When Apache got the request, in microseconds of the Unix epoch.
    pub request_start: u64,
    /// When the Apache child handed the request on, in microseconds of the Unix epoch; 0 in
    /// embedded mode.
    pub queue_start: u64,
    /// The CGI part of the environ: names and values as bytes.
    pub environ: Pairs<'a>,
    /// The body's first bytes.
    pub body: &'a [u8],
    /// How many bytes of the body come next on the stream, behind the frame and in none, without
    /// being asked for; [`MAX_BODY_BEHIND`] at most.
    pub body_behind: u32,
    /// Whether more of the body may follow.
    pub body_rest: BodyRest,
}

impl<'a> RequestHead<'a> {
    /// Appends the payload of a request frame; `environ` gives the pairs of the environ.
    pub fn encode<'p>(
        &self,
        environ: impl IntoIterator<Item = (&'p [u8], &'p [u8])>,
        buffer: &mut Vec<u8>,
    ) {
        Writer::new(buffer)
            .u8(VERSION)
            .u32(self.attempts.connects)
            .u32(self.attempts.restarts)
            .bytes(self.script)
            .bytes(self.process_group)
            .bytes(self.application_group)
            .u8(u8::from(self.main_interpreter))
            .bytes(self.callable)
            .u8(u8::from(self.script_reloading))
            .u64(self.script_modified.cast_unsigned())
            .u8(u8::from(self.ignore_activity))
            .u8(self.log_level)
            .u64(self.request_start)
            .u64(self.queue_start)
            .pairs(environ)
            .bytes(self.body)
            .u32(self.body_behind)
            .u8(self.body_rest as u8);
    }

    /// How much of the body may come behind its first bytes, as far as that is known.
    #[must_use]
    pub fn body_left(&self) -> Option<u64> {
        if self.body_rest == BodyRest::None {
            return Some(self.body_behind.into());
        }
        let (_, length) = self.environ.clone().find(|(name, _)| *name == b"CONTENT_LENGTH")?;
        content_length(length)?.checked_sub(self.body.len() as u64)
    }

    /// Method and URI, as the access log shows them, for messages.
    #[must_use]
    pub fn line(&self) -> String {
        let value = |wanted: &[u8]| {
            let (_, value) = self.environ.clone().find(|(name, _)| *name == wanted)?;
            Some(String::from_utf8_lossy(value).into_owned())
        };
        let (method, uri) = (value(b"REQUEST_METHOD"), value(b"REQUEST_URI"));
        format!("{} {}", method.unwrap_or_default(), uri.unwrap_or_default())
    }

    /// Reads the payload of a request frame.
    pub fn decode(payload: &'a [u8]) -> Result<Self, FrameError> {
        let mut reader = Reader::new(payload);
        let request = Self::read(&mut reader)?;
        reader.end()?;
        Ok(request)
    }

    /// Reads a request that more may follow.
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, FrameError> {
        let version = reader.u8()?;
        if version != VERSION {
            return Err(FrameError::Version(version));
        }
        Ok(Self {
            attempts: Attempts { connects: reader.u32()?, restarts: reader.u32()? },
            script: reader.bytes()?,
            process_group: reader.bytes()?,
            application_group: reader.bytes()?,
            main_interpreter: flag(reader, "main interpreter")?,
            callable: reader.bytes()?,
            script_reloading: flag(reader, "script reloading")?,
            script_modified: reader.u64()?.cast_signed(),
            ignore_activity: flag(reader, "ignore activity")?,
            log_level: reader.u8()?,
            request_start: reader.u64()?,
            queue_start: reader.u64()?,
            environ: reader.pairs()?,
            body: reader.bytes()?,
            body_behind: body_behind(reader)?,
            body_rest: match reader.u8()? {
                0 => BodyRest::None,
                1 => BodyRest::Pull,
                _ => return Err(CodecError::Value("body rest").into()),
            },
        })
    }
}

/// The worker makes room for as many bytes at once, so a child cannot ask for any number.
fn body_behind(reader: &mut Reader<'_>) -> Result<u32, CodecError> {
    let length = reader.u32()?;
    if length <= MAX_BODY_BEHIND { Ok(length) } else { Err(CodecError::Value("body behind")) }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(crate) fn empty() -> RequestHead<'static> {
        RequestHead {
            attempts: Attempts::default(),
            script: b"/srv/app.wsgi",
            process_group: b"site",
            application_group: b"www|/",
            main_interpreter: true,
            callable: b"application",
            script_reloading: true,
            script_modified: -5,
            ignore_activity: false,
            log_level: 4,
            request_start: 7,
            queue_start: 8,
            environ: Pairs::NONE,
            body: b"a=1",
            body_behind: 6,
            body_rest: BodyRest::Pull,
        }
    }

    #[test]
    fn a_request_round_trips() {
        let mut buffer = Vec::new();
        empty().encode([(b"PATH_INFO".as_slice(), b"/\xff".as_slice())], &mut buffer);
        let attempts = Attempts { connects: 3, restarts: 2 };
        attempts.note(&mut buffer);
        let request = RequestHead::decode(&buffer).unwrap();
        assert_eq!(request.attempts, attempts);
        assert_eq!(request.script, b"/srv/app.wsgi");
        assert_eq!(request.application_group, b"www|/");
        assert!(request.main_interpreter && request.script_reloading);
        assert_eq!((request.script_modified, request.log_level), (-5, 4));
        assert_eq!((request.request_start, request.queue_start), (7, 8));
        assert_eq!((request.body, request.body_rest), (b"a=1".as_slice(), BodyRest::Pull));
        assert_eq!((request.body_behind, request.body_left()), (6, None));
        let environ: Vec<_> = request.environ.collect();
        assert_eq!(environ, [(b"PATH_INFO".as_slice(), b"/\xff".as_slice())]);
    }

    #[test]
    fn no_more_than_a_short_body_comes_behind() {
        for (length, expected) in [(MAX_BODY_BEHIND, true), (MAX_BODY_BEHIND + 1, false)] {
            let mut buffer = Vec::new();
            RequestHead { body_behind: length, ..empty() }.encode([], &mut buffer);
            assert_eq!(RequestHead::decode(&buffer).is_ok(), expected, "{length}");
        }
    }

    #[test]
    fn another_version_is_named() {
        let mut buffer = Vec::new();
        empty().encode([], &mut buffer);
        buffer[0] = 99;
        assert_eq!(RequestHead::decode(&buffer).unwrap_err(), FrameError::Version(99));
    }

    proptest! {
        #[test]
        fn damaged_requests_never_panic(cut in 0usize..80, at in 0usize..80, byte: u8) {
            let mut buffer = Vec::new();
            empty().encode([(b"A".as_slice(), b"B".as_slice())], &mut buffer);
            let length = buffer.len();
            buffer[at % length] = byte;
            buffer.truncate(length - cut % length);
            let _ = RequestHead::decode(&buffer);
        }
    }
}
