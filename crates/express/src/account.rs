//! The user and group that everything but httpd's parent runs as.

use std::ffi::CString;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::unistd::{Gid, Group, Uid, User, getgrouplist};

/// A user with a group, both of the system's database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) user: String,
    pub(crate) group: String,
    uid: Uid,
    groups: Vec<Gid>,
}

impl Account {
    /// The account to use. `None` where httpd just keeps the user that started it, who is not root.
    pub(crate) fn resolve(
        user: Option<&str>,
        group: Option<&str>,
        started_by: Uid,
    ) -> Result<Option<Self>> {
        if !started_by.is_root() {
            return refuse_change(user, group, started_by).map(|()| None);
        }
        let Some(user) = user else {
            bail!(
                "started by root, so --user is needed: the application must not run as root. For \
                 instance --user www-data"
            );
        };
        let user =
            User::from_name(user)?.with_context(|| format!("--user {user}: no such user"))?;
        if user.uid.is_root() {
            bail!("--user {}: httpd refuses to run applications as root", user.name);
        }
        let group = match group {
            Some(name) => {
                Group::from_name(name)?.with_context(|| format!("--group {name}: no such group"))?
            }
            None => Group::from_gid(user.gid)?
                .with_context(|| format!("user {} has no group: use --group", user.name))?,
        };
        let name = CString::new(user.name.as_str()).context("a user name without NUL")?;
        let groups = getgrouplist(&name, group.gid)?;
        Ok(Some(Self { user: user.name, group: group.name, uid: user.uid, groups }))
    }

    /// The first directory on the way to the path that this account cannot pass.
    pub(crate) fn barrier(&self, path: &Path) -> Option<PathBuf> {
        let mut way: Vec<_> = path.ancestors().skip(1).collect();
        way.reverse();
        way.into_iter().find(|directory| !self.may_pass(directory)).map(Path::to_owned)
    }

    fn may_pass(&self, directory: &Path) -> bool {
        let Ok(metadata) = fs::metadata(directory) else { return false };
        let mode = metadata.permissions().mode();
        if metadata.uid() == self.uid.as_raw() {
            mode & 0o100 != 0
        } else if self.groups.iter().any(|group| group.as_raw() == metadata.gid()) {
            mode & 0o010 != 0
        } else {
            mode & 0o001 != 0
        }
    }
}

fn refuse_change(user: Option<&str>, group: Option<&str>, started_by: Uid) -> Result<()> {
    if let Some(name) = user
        && User::from_name(name)?.is_none_or(|user| user.uid != started_by)
    {
        bail!("--user {name}: only root can start a server for another user");
    }
    if let Some(name) = group
        && Group::from_name(name)?.is_none_or(|group| group.gid != Gid::effective())
    {
        bail!("--group {name}: only root can start a server for another group");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: Uid = Uid::from_raw(0);

    fn reason(user: Option<&str>, group: Option<&str>, by: Uid) -> String {
        Account::resolve(user, group, by).unwrap_err().to_string()
    }

    #[test]
    fn root_must_name_a_user_who_is_not_root() {
        assert!(reason(None, None, ROOT).contains("--user is needed"));
        assert!(reason(Some("root"), None, ROOT).contains("as root"));
        assert!(reason(Some("no-such-user"), None, ROOT).contains("no such user"));
        assert!(reason(Some("nobody"), Some("no-such-group"), ROOT).contains("no such group"));
        let account = Account::resolve(Some("daemon"), None, ROOT).unwrap().unwrap();
        assert_eq!((account.user.as_str(), account.group.as_str()), ("daemon", "daemon"));
    }

    #[test]
    fn others_keep_their_own_account() {
        let someone = Uid::from_raw(4321);
        assert_eq!(Account::resolve(None, None, someone).unwrap(), None);
        assert!(reason(Some("daemon"), None, someone).contains("only root"));
    }

    #[test]
    fn a_closed_directory_is_a_barrier() {
        let account = Account::resolve(Some("daemon"), None, ROOT).unwrap().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let closed = directory.path().join("closed");
        fs::create_dir_all(closed.join("in")).unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(account.barrier(&closed), None);
        let owner = fs::metadata(&closed).unwrap().uid();
        let barrier = account.barrier(&closed.join("in/app.py"));
        assert_eq!(barrier, (owner != account.uid.as_raw()).then_some(closed));
    }
}
