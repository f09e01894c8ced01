//! Whether a user can reach a path, and if not, where the way is closed.
//!
//! The answer is worked out from the modes of the directories on the way, so that a message can
//! name the one that is closed. It is for messages only: what counts in the end is what the kernel
//! says.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::start::credentials::Credentials;

/// The access that a user wants to a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    /// See that a file is there.
    Find,
    /// Read a file.
    Read,
    /// Execute a file, or search a directory.
    Execute,
}

impl Want {
    fn bit(self) -> u32 {
        match self {
            Self::Find => 0,
            Self::Read => 4,
            Self::Execute => 1,
        }
    }
}

/// Why a path cannot be reached.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Obstacle {
    #[error("{0:?} does not exist")]
    Missing(PathBuf),
    #[error("the directory {0:?} is closed to that user")]
    Closed(PathBuf),
    #[error(
        "{0:?} may not be {verb} by that user",
        verb = match .1 {
            Want::Find => "found",
            Want::Read => "read",
            Want::Execute => "executed",
        }
    )]
    Refused(PathBuf, Want),
}

/// Looks at each step of the way to `path`, through its symbolic links.
pub(crate) fn obstacle(path: &Path, credentials: &Credentials, want: Want) -> Option<Obstacle> {
    written_way(path, credentials).or_else(|| {
        let real = path.canonicalize().map_err(|_| Obstacle::Missing(path.to_owned()));
        match real {
            Ok(real) => written_way(&real, credentials).or_else(|| {
                let refused = || Obstacle::Refused(real.clone(), want);
                (!allows(&real, credentials, want)).then(refused)
            }),
            Err(missing) => Some(missing),
        }
    })
}

/// The first directory above `path` that is missing or closed.
fn written_way(path: &Path, credentials: &Credentials) -> Option<Obstacle> {
    let mut above: Vec<&Path> = path.ancestors().skip(1).collect();
    above.reverse();
    above.into_iter().filter(|directory| !directory.as_os_str().is_empty()).find_map(|directory| {
        if !directory.exists() {
            return Some(Obstacle::Missing(directory.to_owned()));
        }
        let closed = || Obstacle::Closed(directory.to_owned());
        (!allows(directory, credentials, Want::Execute)).then(closed)
    })
}

fn allows(path: &Path, credentials: &Credentials, want: Want) -> bool {
    let Ok(data) = path.metadata() else { return false };
    if credentials.uid.is_root() {
        return true;
    }
    let shift = if data.uid() == credentials.uid.as_raw() {
        6
    } else if credentials.groups.iter().any(|group| group.as_raw() == data.gid()) {
        3
    } else {
        0
    };
    data.mode() >> shift & want.bit() == want.bit()
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::unistd::{Gid, Uid};
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_closed_directory_is_named() {
        let base = std::env::temp_dir().join(format!("wsgid-reach-{}", std::process::id()));
        let inner = base.join("closed/inner");
        fs::create_dir_all(&inner).unwrap();
        fs::write(inner.join("file"), "").unwrap();
        fs::set_permissions(&base, fs::Permissions::from_mode(0o755)).unwrap();
        let stranger = Credentials {
            name: "stranger".into(),
            uid: Uid::from_raw(54_321),
            gid: Gid::from_raw(54_321),
            groups: vec![Gid::from_raw(54_321)],
            home: None,
            change: false,
        };
        let look = |path: &Path, want| obstacle(path, &stranger, want);
        let closed = base.join("closed");
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
        for want in [Want::Read, Want::Find] {
            assert_eq!(look(&inner.join("file"), want), Some(Obstacle::Closed(closed.clone())));
        }
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o755)).unwrap();
        let file = inner.join("file").canonicalize().unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(look(&file, Want::Find), None);
        assert_eq!(look(&file, Want::Read), Some(Obstacle::Refused(file.clone(), Want::Read)));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(look(&file, Want::Read), None);
        assert_eq!(look(&file, Want::Execute), Some(Obstacle::Refused(file, Want::Execute)));
        let missing = base.join("nowhere/file");
        assert_eq!(look(&missing, Want::Read), Some(Obstacle::Missing(base.join("nowhere"))));
        fs::remove_dir_all(&base).unwrap();
    }
}
