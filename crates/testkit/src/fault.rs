//! Faults and restarts that a server has to get over: caused, and waited for until they are over.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::time::{Duration, SystemTime};

use nix::sys::signal::Signal;

use crate::httpd::Httpd;
use crate::load::COUNT_SCRIPT;
use crate::tree::Kind;
use crate::wait::wait_until;

/// Something that happens to a server whose group has loaded [`COUNT_SCRIPT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A graceful restart.
    Graceful,
    /// The script is changed.
    Touch,
    /// SIGKILL to a worker.
    Worker,
    /// SIGKILL to the template.
    Template,
    /// SIGKILL to `wsgid`.
    Supervisor,
    /// SIGKILL to a child of httpd that serves requests.
    Child,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Graceful, Self::Touch, Self::Worker, Self::Template, Self::Supervisor, Self::Child];

    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Graceful => "graceful restart",
            Self::Touch => "script changed",
            Self::Worker => "worker killed",
            Self::Template => "template killed",
            Self::Supervisor => "`wsgid` killed",
            Self::Child => "Apache child killed",
        }
    }

    /// The lines of the log about it, at level warn or above.
    pub fn lines(self) -> &'static [&'static str] {
        match self {
            Self::Graceful | Self::Touch => &[],
            Self::Worker => &["SIGKILL", "WSGI0146"],
            Self::Template => &["SIGKILL"],
            Self::Supervisor => &["has ended unasked (signal: 9 (SIGKILL))"],
            // httpd's own.
            Self::Child => &["AH00052"],
        }
    }

    /// Whether requests that a killed process had begun are lost with it.
    pub fn loses_requests(self) -> bool {
        matches!(self, Self::Worker | Self::Child)
    }

    /// Whether it can happen to a plain httpd.
    pub fn is_httpds_own(self) -> bool {
        matches!(self, Self::Graceful | Self::Child)
    }

    /// Causes it, and returns when what it has ended is gone and has been replaced. `number` is
    /// another one each time. Gives the processes that were killed or had to end.
    ///
    /// # Panics
    /// When there is nothing to be killed, or the server does not get over it.
    #[track_caller]
    pub fn cause(self, httpd: &Httpd, number: u32) -> BTreeSet<i32> {
        let before = census(httpd);
        let of = |kind| before.iter().filter(move |(each, _)| *each == kind).map(|(_, pid)| *pid);
        let old: BTreeSet<i32> = match self {
            Self::Graceful => before.iter().map(|(_, pid)| *pid).collect(),
            Self::Touch => of(Kind::Worker).chain(of(Kind::Template)).collect(),
            Self::Worker => of(Kind::Worker).take(1).collect(),
            Self::Template => of(Kind::Template).take(1).collect(),
            Self::Supervisor => {
                of(Kind::Supervisor).chain(of(Kind::Template)).chain(of(Kind::Worker)).collect()
            }
            Self::Child => of(Kind::Child).take(1).collect(),
        };
        match self {
            Self::Graceful => httpd.graceful(),
            Self::Touch => touch(&httpd.root().join(COUNT_SCRIPT), number),
            Self::Supervisor => {
                of(Kind::Supervisor).for_each(|pid| httpd.signal(pid, Signal::SIGKILL));
            }
            _ => {
                assert_eq!(old.len(), 1, "nothing to kill: {before:?}");
                for &pid in &old {
                    httpd.signal(pid, Signal::SIGKILL);
                }
            }
        }
        wait_until("what has ended is replaced", || {
            let now = census(httpd);
            let count =
                |all: &[(Kind, i32)], kind| all.iter().filter(|(each, _)| *each == kind).count();
            // A worker that is just being forked looks like its template.
            let is_whole = [Kind::Supervisor, Kind::Template]
                .iter()
                .all(|kind| count(&now, *kind) == count(&before, *kind).min(1))
                && count(&now, Kind::Worker) >= count(&before, Kind::Worker);
            is_whole
                && now.iter().all(|(_, pid)| !old.contains(pid))
                && count(&now, Kind::Child) > 0
        });
        old
    }
}

/// All processes but httpd's parent.
fn census(httpd: &Httpd) -> Vec<(Kind, i32)> {
    let all = httpd.processes().into_iter().map(|process| (process.kind, process.pid));
    all.filter(|(kind, _)| !matches!(kind, Kind::Parent | Kind::Other)).collect()
}

/// Gives the script a time of change that differs from all before, however fast changes follow.
fn touch(script: &Path, number: u32) {
    let moment = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + u64::from(number));
    let changed =
        File::options().append(true).open(script).and_then(|file| file.set_modified(moment));
    changed.unwrap_or_else(|error| panic!("cannot touch {}: {error}", script.display()));
}
