//! An HTTP/1.1 client that hides nothing: interim responses, raw header order, chunk trailers and
//! bodies that were cut short are all there to be asserted.
//!
//! Every read has a limit, so a silent server fails a test instead of hanging it.

mod call;
mod connection;
mod reply;

pub use call::Call;
pub use connection::Connection;
pub use reply::{Interim, Reply};

/// Why there is no complete reply.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No process accepts connections there.
    #[error("cannot connect: {0}")]
    Connect(#[source] std::io::Error),
    /// The request could not be sent, and no reply explains why.
    #[error("cannot send the request: {0}")]
    Send(#[source] std::io::Error),
    /// The connection failed, or nothing came within the limit.
    #[error("while waiting for {part}: {source}")]
    Receive {
        /// The part that was to come.
        part: &'static str,
        /// The error that came instead.
        source: std::io::Error,
    },
    /// The server closed the connection without a single byte.
    #[error("the connection was closed without a reply")]
    NoReply,
    /// The reply's head ended early.
    #[error("the head was cut short after {0:?}")]
    CutHead(String),
    /// The reply's body ended early.
    #[error("the body was cut short ({missing}) after {} bytes", reply.body.len())]
    Cut {
        /// The head, and as much of the body as came.
        reply: Box<Reply>,
        /// The part that did not come, such as the last chunk.
        missing: String,
    },
    /// The bytes that came are not HTTP.
    #[error("not HTTP: {0}")]
    Malformed(String),
}
