//! `script-user` and `script-group`: the owner that a script must have for its process group to run
//! it.

use std::ffi::OsStr;
use std::fmt::Display;
use std::fs::metadata;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::{Group, User};
use wsgi::codes::{self, Message};
use wsgi::config::daemon_process::{GroupSpec, Principal};

/// The owner that scripts must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// This user, who alone may write to them.
    User { uid: u32, name: String },
    /// This group; they must not be writable by all users.
    Group { gid: u32, name: String },
    /// One that does not exist, and the message about it: no script belongs to it.
    Invalid(Message),
}

impl Owner {
    /// The owner that the options of a group name; `None` if they name none.
    pub(crate) fn of(spec: &GroupSpec) -> Option<Self> {
        if let Some(user) = &spec.script_user {
            let uid = match user {
                Principal::Id(uid) => Some(*uid),
                Principal::Name(name) => {
                    User::from_name(name).ok().flatten().map(|user| user.uid.as_raw())
                }
            };
            let name = user.to_string();
            return Some(match uid {
                Some(uid) => Self::User { uid, name },
                None => Self::Invalid(codes::unknown_owner("script-user", &name, "user")),
            });
        }
        let group = spec.script_group.as_ref()?;
        let gid = match group {
            Principal::Id(gid) => Some(*gid),
            Principal::Name(name) => {
                Group::from_name(name).ok().flatten().map(|group| group.gid.as_raw())
            }
        };
        let name = group.to_string();
        Some(match gid {
            Some(gid) => Self::Group { gid, name },
            None => Self::Invalid(codes::unknown_owner("script-group", &name, "group")),
        })
    }

    /// Whether a script and the directory that it is in belong to this owner.
    pub(crate) fn check(&self, script: &[u8]) -> Result<(), Message> {
        let script = Path::new(OsStr::from_bytes(script));
        let directory = script.parent().unwrap_or(Path::new("/"));
        let (of_script, of_directory) = match self {
            Self::User { .. } => (OF_USER, OF_USER_DIRECTORY),
            Self::Group { .. } => (OF_GROUP, OF_GROUP_DIRECTORY),
            Self::Invalid(message) => return Err(message.clone()),
        };
        self.check_one(script, &of_script).and_then(|()| self.check_one(directory, &of_directory))
    }

    /// Checks a file or directory.
    fn check_one(&self, path: &Path, messages: &Messages) -> Result<(), Message> {
        let shown = path.to_string_lossy();
        let data = metadata(path).map_err(|error| (messages.unknown)(&shown, &error))?;
        let (name, belongs, mask) = match self {
            Self::User { uid, name } => (name, data.uid() == *uid, 0o022),
            Self::Group { gid, name } => (name, data.gid() == *gid, 0o002),
            Self::Invalid(message) => return Err(message.clone()),
        };
        if !belongs {
            return Err((messages.of_other)(&shown, name));
        }
        if data.mode() & mask != 0 {
            return Err((messages.open)(&shown));
        }
        Ok(())
    }
}

/// The messages about a file or directory.
struct Messages {
    unknown: fn(&str, &dyn Display) -> Message,
    of_other: fn(&str, &str) -> Message,
    open: fn(&str) -> Message,
}

const OF_USER: Messages = Messages {
    unknown: codes::script_user_unknown,
    of_other: codes::script_of_other_user,
    open: codes::script_open_to_others,
};
const OF_USER_DIRECTORY: Messages = Messages {
    unknown: codes::directory_user_unknown,
    of_other: codes::directory_of_other_user,
    open: codes::directory_open_to_others,
};
const OF_GROUP: Messages = Messages {
    unknown: codes::script_group_unknown,
    of_other: codes::script_of_other_group,
    open: codes::script_open_to_all,
};
const OF_GROUP_DIRECTORY: Messages = Messages {
    unknown: codes::directory_group_unknown,
    of_other: codes::directory_of_other_group,
    open: codes::directory_open_to_all,
};
