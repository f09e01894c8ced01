//! A part of a file that an application hands over, looked at before httpd sends it.
//!
//! In daemon mode the descriptor comes from a process of the group's user, who may have made it for
//! the purpose. A file that becomes shorter after it was looked at is a response cut short: it is
//! read or sent by the kernel, and never mapped into memory.

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};

use httpd::{Flush, Request, SendError, Sendfile};
use nix::fcntl::{FcntlArg, OFlag, fcntl, open};
use nix::sys::stat::Mode;

/// Why a file cannot be sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("a descriptor that is no regular file")]
    NotRegular,
    #[error("a file that is not open for reading")]
    NotReadable,
    #[error("a file of {size} bytes, of which {length} bytes from {offset} on are to be sent")]
    Short { size: u64, offset: u64, length: u64 },
    #[error("a file that cannot be examined: {0}")]
    Unknown(#[from] std::io::Error),
}

/// A part of a regular file.
#[derive(Debug)]
pub(crate) struct FilePart {
    file: OwnedFd,
    offset: u64,
    length: u64,
}

impl FilePart {
    /// The `length` bytes of `file` from `offset` on, if it has so many now and may be read.
    pub(crate) fn new(file: OwnedFd, offset: u64, length: u64) -> Result<Self, FileError> {
        let flags = fcntl(&file, FcntlArg::F_GETFL).map_err(std::io::Error::from)?;
        let flags = OFlag::from_bits_retain(flags);
        if flags & OFlag::O_ACCMODE == OFlag::O_WRONLY || flags.contains(OFlag::O_PATH) {
            return Err(FileError::NotReadable);
        }
        let file = File::from(file);
        let data = file.metadata()?;
        if !data.is_file() {
            return Err(FileError::NotRegular);
        }
        let size = data.len();
        if offset.checked_add(length).is_none_or(|end| end > size) {
            return Err(FileError::Short { size, offset, length });
        }
        Ok(Self { file: with_own_position(file.into()), offset, length })
    }

    /// Passes it on to the client.
    pub(crate) fn send(
        self,
        request: &mut Request<'_>,
        sendfile: Sendfile,
        flush: Flush,
    ) -> Result<(), SendError> {
        request.send_file(self.file, self.offset, self.length, sendfile, flush)
    }
}

/// The same file, opened once more: the position of a descriptor that was handed over is shared
/// with the application, which may move it while httpd reads. Where this process may not open it,
/// it stays as it is.
fn with_own_position(file: OwnedFd) -> OwnedFd {
    // Not to wait for a process that holds a lease on the file.
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    open(path.as_str(), flags, Mode::empty()).unwrap_or(file)
}
