//! What goes wrong between a child of httpd and a worker.

use wsgi::frame::FrameError;

/// Why a request could not be served by a worker, and what becomes of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RelayError {
    #[error("WSGI0116: no connection to its socket within connect-timeout={seconds} ({error})")]
    NoWorker { seconds: u64, error: nix::Error },
    #[error("WSGI0117: no connection to its socket ({0})")]
    NoSocket(nix::Error),
    #[error("WSGI0146: the worker was lost before it had answered ({0})")]
    Lost(nix::Error),
    #[error("WSGI0145: the worker gave no answer for as long as {0} allows")]
    Silent(&'static str),
    #[error(
        "WSGI0144: the header {name} of the response has {length} bytes, more than header-buffer-size={limit}"
    )]
    LongHeader { name: String, length: usize, limit: u64 },
    #[error("the worker sent {0}")]
    Nonsense(#[from] FrameError),
    #[error("its workers kept being replaced; gave up after {0} attempts")]
    Declined(u32),
}

impl RelayError {
    /// The status that the client gets while nothing was sent.
    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::NoWorker { .. } | Self::NoSocket(_) | Self::Declined(_) => 503,
            Self::Lost(_) => 502,
            Self::Silent(_) => 504,
            Self::Nonsense(_) | Self::LongHeader { .. } => 500,
        }
    }
}
