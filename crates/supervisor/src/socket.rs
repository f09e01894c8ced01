//! The listening socket of a group.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{Backlog, listen};
use nix::unistd::Uid;

use crate::sys::raised;

/// The listening socket of a group. Dropped, it takes its name away, unless another one has that by now.
#[derive(Debug)]
pub(crate) struct Socket {
    path: PathBuf,
    listener: OwnedFd,
    /// Device and inode of the name.
    identity: (u64, u64),
}

impl Socket {
    /// Makes a listening socket that only `owner` and root can connect to, with room for `backlog`
    /// connections that wait. It takes its name at once when it is ready, from a predecessor if there
    /// is one: whoever connects meets either.
    pub(crate) fn bind(path: &Path, owner: u32, backlog: u32) -> std::io::Result<Self> {
        let new = path.with_extension("new");
        // Left behind by a wsgid that was killed at this very moment.
        let _ = fs::remove_file(&new);
        let before = nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o177));
        let listener = UnixListener::bind(&new);
        nix::sys::stat::umask(before);
        let listener = listener?;
        let named = || {
            let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
            // The kernel has a limit of its own, which it applies without complaint.
            listen(&listener, Backlog::new(backlog).unwrap_or(Backlog::MAXCONN))?;
            if Uid::effective().is_root() {
                // Not what a link leads to, should somebody have put one there.
                std::os::unix::fs::lchown(&new, Some(owner), None)?;
            }
            let data = fs::symlink_metadata(&new)?;
            fs::rename(&new, path)?;
            Ok::<_, std::io::Error>((data.dev(), data.ino()))
        };
        let identity = named().inspect_err(|_| {
            let _ = fs::remove_file(&new);
        })?;
        listener.set_nonblocking(true)?;
        Ok(Self { path: path.to_owned(), listener: raised(&listener.into())?, identity })
    }

    /// The socket itself.
    pub(crate) fn listener(&self) -> &OwnedFd {
        &self.listener
    }

    /// Whether connections wait that nobody has taken.
    pub(crate) fn has_waiting(&self) -> bool {
        let mut descriptors = [PollFd::new(self.listener.as_fd(), PollFlags::POLLIN)];
        poll(&mut descriptors, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|data| (data.dev(), data.ino()) == self.identity);
        if ours {
            // Whoever still tries it is told that nobody listens.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_name_is_taken_over_and_only_its_owner_takes_it_away() {
        let folder = std::env::temp_dir().join(format!("wsgid-socket-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("x.sock");
        let first = Socket::bind(&path, Uid::effective().as_raw(), 5).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let second = Socket::bind(&path, Uid::effective().as_raw(), 5).unwrap();
        drop(first);
        let _stream = std::os::unix::net::UnixStream::connect(&path).unwrap();
        assert!(second.has_waiting());
        drop(second);
        assert!(!path.exists());
        fs::remove_dir_all(&folder).unwrap();
    }
}
