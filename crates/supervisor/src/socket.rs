//! The listening socket of a group.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::Path;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{Gid, Uid};

use crate::sys::raised;

/// Makes a listening socket that only `owner` and root can connect to.
pub(crate) fn bind(path: &Path, owner: u32) -> std::io::Result<OwnedFd> {
    // Left behind by a wsgid that was killed: path and parent process are the same.
    if fs::symlink_metadata(path).is_ok_and(|data| data.file_type().is_socket()) {
        fs::remove_file(path)?;
    }
    let before = nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o177));
    let listener = UnixListener::bind(path);
    nix::sys::stat::umask(before);
    let listener = listener?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    if Uid::effective().is_root() {
        nix::unistd::chown(path, Some(Uid::from_raw(owner)), None::<Gid>)?;
    }
    listener.set_nonblocking(true)?;
    raised(&listener.into())
}

/// Whether connections wait at a socket that nobody has taken.
pub(crate) fn has_waiting(listener: &OwnedFd) -> bool {
    let mut descriptors = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
    poll(&mut descriptors, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
}
