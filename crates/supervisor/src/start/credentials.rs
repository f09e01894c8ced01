//! The user that a process group runs as.

use std::path::PathBuf;

use nix::unistd::{Gid, Group, Uid, User, getgrouplist};
use wsgi::config::daemon_process::{GroupSpec, Principal};
use wsgi::process::plan::{Account, GroupAccount};

/// A user with everything that a process of theirs needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Credentials {
    /// The user's name, or `#uid` where the number has none.
    pub(crate) name: String,
    pub(crate) uid: Uid,
    pub(crate) gid: Gid,
    /// Supplementary groups, `gid` among them.
    pub(crate) groups: Vec<Gid>,
    /// Home directory; `None` where the user database has none.
    pub(crate) home: Option<PathBuf>,
    /// Whether processes have to change to this user first.
    pub(crate) change: bool,
}

/// Why a group cannot run as its user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AccountError {
    #[error("there is no user {0:?}; create it, or name another one in user=")]
    NoUser(String),
    #[error("there is no group {0:?}; create it, or name another one in group=")]
    NoGroup(String),
    #[error(
        "applications are not run as root; name another user in user=, or in httpd's User \
         directive"
    )]
    Root,
    #[error(
        "httpd's {0} is not set; set User and Group in httpd's configuration (Debian: www-data)"
    )]
    Unset(&'static str),
    #[error("the user database cannot be read: {0}")]
    Database(nix::Error),
}

impl Credentials {
    /// The user that this process runs as, for a process that does not change.
    pub(crate) fn own() -> Self {
        let (uid, gid) = (Uid::effective(), Gid::effective());
        Self { name: format!("#{uid}"), uid, gid, groups: Vec::new(), home: None, change: false }
    }

    /// The user of a process group: its own, or the one that httpd's children run as. Where this
    /// process is not root there is no choice: it is the user of this process.
    pub(crate) fn of_group(spec: &GroupSpec, children: &Account) -> Result<Self, AccountError> {
        if !Uid::effective().is_root() {
            return Self::current();
        }
        let uid = match &spec.user {
            Some(Principal::Name(name)) => named_user(name)?.uid,
            Some(Principal::Id(uid)) => Uid::from_raw(*uid),
            None => Uid::from_raw(set("User", children.uid)?),
        };
        let gid = match &spec.group {
            Some(group) => named_group(group)?,
            None => Gid::from_raw(set("Group", children.gid)?),
        };
        if uid.is_root() {
            return Err(AccountError::Root);
        }
        let mut credentials = Self::new(uid, gid, true)?;
        if let Some(groups) = &spec.supplementary_groups {
            credentials.groups = vec![gid];
            for group in groups {
                credentials.groups.push(named_group(group)?);
            }
        }
        Ok(credentials)
    }

    /// The user that httpd's children run as.
    pub(crate) fn of_children(children: &Account) -> Result<Self, AccountError> {
        let change = Uid::effective().is_root() && children.uid != 0;
        let (uid, gid) = (set("User", children.uid)?, set("Group", children.gid)?);
        Self::new(Uid::from_raw(uid), Gid::from_raw(gid), change)
    }

    fn current() -> Result<Self, AccountError> {
        Self::new(Uid::effective(), Gid::effective(), false)
    }

    fn new(uid: Uid, gid: Gid, change: bool) -> Result<Self, AccountError> {
        let user = User::from_uid(uid).map_err(AccountError::Database)?;
        let groups = user
            .as_ref()
            .and_then(|user| std::ffi::CString::new(user.name.as_str()).ok())
            .and_then(|name| getgrouplist(&name, gid).ok())
            .unwrap_or_else(|| vec![gid]);
        Ok(Self {
            name: user.as_ref().map_or_else(|| format!("#{uid}"), |user| user.name.clone()),
            uid,
            gid,
            groups,
            home: user.map(|user| user.dir),
            change,
        })
    }
}

/// The number that httpd has for a directive; it takes the highest for one that is not set.
fn set(directive: &'static str, id: u32) -> Result<u32, AccountError> {
    if id == u32::MAX { Err(AccountError::Unset(directive)) } else { Ok(id) }
}

impl Credentials {
    /// The user of a group as it is known already, if it is.
    pub(crate) fn known(
        spec: &GroupSpec,
        children: &Account,
        known: &[GroupAccount],
    ) -> Option<Self> {
        let known = known.iter().find(|known| fits(known, spec, children))?;
        Some(Self {
            name: known.name.clone(),
            uid: Uid::from_raw(known.uid),
            gid: Gid::from_raw(known.gid),
            groups: known.groups.iter().copied().map(Gid::from_raw).collect(),
            home: known.home.clone(),
            change: known.change,
        })
    }

    /// Its entry for later lookups.
    pub(crate) fn to_known(&self, spec: &GroupSpec) -> GroupAccount {
        GroupAccount {
            user: spec.user.clone(),
            group: spec.group.clone(),
            supplementary_groups: spec.supplementary_groups.clone(),
            name: self.name.clone(),
            uid: self.uid.as_raw(),
            gid: self.gid.as_raw(),
            groups: self.groups.iter().map(|group| group.as_raw()).collect(),
            home: self.home.clone(),
            change: self.change,
        }
    }
}

/// Whether this is what the configuration asks for. Where it leaves something to httpd's `User` and
/// `Group`, those must be the same as well.
fn fits(known: &GroupAccount, spec: &GroupSpec, children: &Account) -> bool {
    let is_root = Uid::effective().is_root();
    known.change == is_root
        && known.user == spec.user
        && known.group == spec.group
        && known.supplementary_groups == spec.supplementary_groups
        && (spec.user.is_some() || !is_root || known.uid == children.uid)
        && (spec.group.is_some() || !is_root || known.gid == children.gid)
}

fn named_group(group: &Principal) -> Result<Gid, AccountError> {
    match group {
        Principal::Id(gid) => Ok(Gid::from_raw(*gid)),
        Principal::Name(name) => Group::from_name(name)
            .map_err(AccountError::Database)?
            .map(|group| group.gid)
            .ok_or_else(|| AccountError::NoGroup(name.clone())),
    }
}

fn named_user(name: &str) -> Result<User, AccountError> {
    User::from_name(name)
        .map_err(AccountError::Database)?
        .ok_or_else(|| AccountError::NoUser(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_names_and_root_are_refused() {
        if !Uid::effective().is_root() {
            // Without privileges every group runs as us, whatever it asks for.
            let spec = GroupSpec { user: Some(Principal::Id(0)), ..GroupSpec::named("x") };
            let children = Account { uid: 1, gid: 1, user: "x".into() };
            let credentials = Credentials::of_group(&spec, &children).unwrap();
            assert_eq!((credentials.uid, credentials.change), (Uid::effective(), false));
            return;
        }
        let children = Account { uid: 0, gid: 0, user: "root".into() };
        let group = |user, group| {
            let spec = GroupSpec { user, group, ..GroupSpec::named("x") };
            Credentials::of_group(&spec, &children)
        };
        assert_eq!(group(None, None), Err(AccountError::Root));
        let missing = || "no-such-name".to_owned();
        let user = Some(Principal::Name(missing()));
        assert_eq!(group(user, None), Err(AccountError::NoUser(missing())));
        let nobody = Account { uid: u32::MAX, gid: u32::MAX, user: String::new() };
        let of = |spec: GroupSpec| Credentials::of_group(&spec, &nobody);
        assert_eq!(of(GroupSpec::named("x")), Err(AccountError::Unset("User")));
        let user = Some(Principal::Id(65_534));
        let spec = GroupSpec { user: user.clone(), ..GroupSpec::named("x") };
        assert_eq!(of(spec), Err(AccountError::Unset("Group")));
        assert_eq!(Credentials::of_children(&nobody), Err(AccountError::Unset("User")));
        let named = Some(Principal::Name(missing()));
        assert_eq!(group(user.clone(), named), Err(AccountError::NoGroup(missing())));
        let credentials = group(user, Some(Principal::Id(65_534))).unwrap();
        assert!(credentials.change && credentials.groups.contains(&Gid::from_raw(65_534)));
    }

    #[test]
    fn accounts_that_are_known_are_not_looked_for() {
        let children = Account { uid: 4321, gid: 4321, user: "x".into() };
        let is_root = Uid::effective().is_root();
        let user = || Some(Principal::Name("name-that-no-database-has".into()));
        let spec = GroupSpec { user: user(), ..GroupSpec::named("x") };
        let credentials = Credentials {
            name: "name-that-no-database-has".into(),
            uid: Uid::from_raw(54_321),
            gid: Gid::from_raw(4321),
            groups: vec![Gid::from_raw(4321), Gid::from_raw(7)],
            home: Some("/home/x".into()),
            change: is_root,
        };
        let known = [credentials.to_known(&spec)];
        let find =
            |spec: &GroupSpec, children: &Account| Credentials::known(spec, children, &known);
        assert_eq!(find(&spec, &children), Some(credentials));
        // Where nothing is changed to another user, httpd's do not matter.
        let others = Account { gid: 1, ..children.clone() };
        assert_eq!(find(&spec, &others).is_none(), is_root, "the group is httpd's");
        let named = GroupSpec { group: user(), ..spec.clone() };
        assert_eq!(find(&named, &children), None, "the group is another one");
    }
}
