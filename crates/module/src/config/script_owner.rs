//! `script-user` and `script-group`: whom a script must belong to for its process group to run it.

use std::ffi::OsStr;
use std::fs::metadata;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::{Group, User};
use wsgi::config::daemon_process::{GroupSpec, Principal};

/// Whom scripts must belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// This user, who alone may write to them.
    User { uid: u32, name: String },
    /// This group; not everybody may be able to write to them.
    Group { gid: u32, name: String },
    /// One that does not exist (what is wrong in words): no script belongs to it.
    Invalid(String),
}

impl Owner {
    /// Whom the options of a group name; `None` if they say nothing.
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
                None => Self::nobody("script-user", &name, "user"),
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
            None => Self::nobody("script-group", &name, "group"),
        })
    }

    fn nobody(option: &str, name: &str, what: &str) -> Self {
        Self::Invalid(format!(
            "{option}={name:?}: there is no such {what}; create it, or name another one"
        ))
    }

    /// Whether a script and the directory that it is in belong to whom they must; what is wrong in words.
    pub(crate) fn check(&self, script: &[u8]) -> Result<(), String> {
        let script = Path::new(OsStr::from_bytes(script));
        let directory = script.parent().unwrap_or(Path::new("/"));
        let (first, second) = match self {
            Self::User { .. } => (162, 165),
            Self::Group { .. } => (153, 156),
            Self::Invalid(text) => return Err(text.clone()),
        };
        self.check_one(script, first).and_then(|()| self.check_one(directory, second))
    }

    /// Checks a file or directory; codes of what is wrong count from `code`.
    fn check_one(&self, path: &Path, code: u16) -> Result<(), String> {
        let refuse = |offset: u16, text: String| Err(format!("WSGI{:04}: {text}", code + offset));
        let data = match metadata(path) {
            Ok(data) => data,
            Err(error) => return refuse(0, format!("{path:?} cannot be looked at: {error}")),
        };
        let (option, name, belongs, mask, whom) = match self {
            Self::User { uid, name } => {
                ("script-user", name, data.uid() == *uid, 0o022, "others than its owner")
            }
            Self::Group { gid, name } => {
                ("script-group", name, data.gid() == *gid, 0o002, "everybody")
            }
            Self::Invalid(text) => return Err(text.clone()),
        };
        if !belongs {
            return refuse(
                1,
                format!("{path:?} does not belong to {name:?}, as {option} wants it"),
            );
        }
        if data.mode() & mask != 0 {
            return refuse(2, format!("{path:?} may be written by {whom}, which {option} forbids"));
        }
        Ok(())
    }
}
