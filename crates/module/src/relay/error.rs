//! Errors between a child of httpd and a worker.

use std::time::Duration;

use wsgi::codes::{self, Message};
use wsgi::protocol::frame::FrameError;
use wsgi::protocol::response::HeadError;

use crate::lifecycle::queue::STALL;
use crate::request::file_part::FileError;

/// Why a request could not be served by a worker, and what becomes of it.
#[derive(Debug)]
pub(crate) enum RelayError {
    /// The queue was full for as long as `connect-timeout` says.
    NoWorker {
        limit: Duration,
        error: nix::Error,
    },
    /// The queue cannot be used any more.
    NoQueue(nix::Error),
    /// There is no worker, and none will come soon.
    Unavailable,
    /// The group occupies as many threads of this child as it may.
    Stalled,
    /// This child has no descriptor for the request.
    NoStream(nix::Error),
    /// The connection to the worker broke.
    Lost(nix::Error),
    /// The worker was silent for as long as this directive or option allows.
    Silent(&'static str),
    LongHeader {
        name: String,
        length: usize,
        limit: u64,
    },
    /// The worker has sent what is no frame, or none that has its turn.
    Frame(FrameError),
    File(FileError),
    /// The worker has sent more descriptors than the one file that a response may have.
    Descriptors,
    Head(HeadError),
    /// The response is longer than its Content-Length says.
    Longer,
    /// The response is that much shorter than its Content-Length says, and has not failed.
    Shorter {
        missing: u64,
    },
    /// The part of the body that was read cannot be read again.
    Spool(std::io::Error),
    /// All workers that were asked, so many times, gave the request back.
    Declined(u32),
}

impl From<FrameError> for RelayError {
    fn from(error: FrameError) -> Self {
        Self::Frame(error)
    }
}

impl From<FileError> for RelayError {
    fn from(error: FileError) -> Self {
        Self::File(error)
    }
}

impl From<HeadError> for RelayError {
    fn from(error: HeadError) -> Self {
        Self::Head(error)
    }
}

impl RelayError {
    /// The message for the log.
    pub(crate) fn message(&self) -> Message {
        const DESCRIPTORS: &str = "more descriptors than the one file that a response may have";
        match self {
            Self::NoWorker { limit, error } => codes::queue_full(limit.as_secs(), error),
            Self::NoQueue(error) => codes::queue_unusable(error),
            Self::Unavailable => codes::no_worker(),
            Self::Stalled => codes::group_stalled(STALL.as_secs()),
            Self::NoStream(error) => codes::no_socket(error),
            Self::Lost(error) => codes::worker_lost(error),
            Self::Silent(limit) => codes::no_answer(limit),
            Self::LongHeader { name, length, limit } => {
                codes::header_too_long(name, *length, *limit)
            }
            Self::Frame(error) => codes::protocol_broken(error),
            Self::File(error) => codes::protocol_broken(error),
            Self::Descriptors => codes::protocol_broken(&DESCRIPTORS),
            Self::Head(error) => codes::invalid_head(error),
            Self::Longer => codes::longer_than_said(),
            Self::Shorter { missing } => codes::shorter_than_said(*missing),
            Self::Spool(error) => codes::body_lost(error),
            Self::Declined(attempts) => codes::given_back(*attempts),
        }
    }

    /// The status that the client gets while nothing was sent.
    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::NoWorker { .. }
            | Self::NoQueue(_)
            | Self::Unavailable
            | Self::Stalled
            | Self::NoStream(_)
            | Self::Declined(_) => 503,
            Self::Lost(_) => 502,
            Self::Silent(_) => 504,
            Self::Frame(_)
            | Self::Head(_)
            | Self::Longer
            | Self::Shorter { .. }
            | Self::Spool(_)
            | Self::File(_)
            | Self::Descriptors
            | Self::LongHeader { .. } => 500,
        }
    }
}
