//! What goes wrong between a child of httpd and a worker.

use wsgi::protocol::frame::FrameError;
use wsgi::protocol::response::HeadError;

use crate::lifecycle::queue::STALL;
use crate::request::file_part::FileError;

/// Why a request could not be served by a worker, and what becomes of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RelayError {
    #[error("WSGI0116: its queue was full for connect-timeout={seconds} ({error})")]
    NoWorker { seconds: u64, error: nix::Error },
    #[error(
        "WSGI0117: its queue cannot be used ({0}); a graceful restart of httpd makes a new one"
    )]
    NoQueue(nix::Error),
    #[error(
        "WSGI0211: it has no worker, because starting one keeps failing; the error log has the reason \
         (\"cannot start\", \"ended before it was ready\")"
    )]
    Unavailable,
    #[error(
        "WSGI0212: it has answered nothing for {seconds} s, and this child waits for it with as many \
         threads as wait-share allows", seconds = STALL.as_secs()
    )]
    Stalled,
    #[error(
        "WSGI0215: this child of httpd cannot make a socket for the request ({0}); the limit of open files \
         (ulimit -n) may be too low for its threads, or what is loaded into it leaves files open"
    )]
    NoStream(nix::Error),
    #[error("WSGI0146: the worker was lost before it had answered ({0})")]
    Lost(nix::Error),
    #[error("WSGI0145: the worker gave no answer for as long as {0} allows")]
    Silent(&'static str),
    #[error(
        "WSGI0144: the header {name:?} of the response has {length} bytes, more than header-buffer-size={limit}"
    )]
    LongHeader { name: String, length: usize, limit: u64 },
    #[error("the worker sent {0}")]
    Nonsense(#[from] FrameError),
    #[error("the worker sent {0}")]
    File(#[from] FileError),
    #[error("the worker sent more descriptors than the one file that a response may have")]
    Descriptors,
    #[error("the worker sent a head that cannot be passed on: {0}")]
    Head(#[from] HeadError),
    #[error("the worker sent more than its Content-Length says")]
    Longer,
    #[error(
        "the worker sent {missing} bytes less than its Content-Length says, and no sign that it has failed"
    )]
    Shorter { missing: u64 },
    #[error("what was read of the request's body cannot be read again: {0}")]
    Spool(std::io::Error),
    #[error(
        "its workers gave the request back, because they were replaced or had no free descriptor; gave up after \
         {0} attempts"
    )]
    Declined(u32),
}

impl RelayError {
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
            Self::Nonsense(_)
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
