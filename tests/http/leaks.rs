//! The resources that requests leave behind: nothing that can be counted grows with their number.
//! `cargo xtask bench leaks` counts bytes, over many more of them.

use std::fs;
use std::fs::File;
use std::time::{Duration, SystemTime};

use testkit::{ClientError, Connection, Httpd, Kind, Mode, Setup, both_modes, wait_until};

/// Requests before anything is counted, and after it.
const WARM_UP: u32 = 300;
const REQUESTS: u32 = 1000;

/// Python's blocks that come and go by themselves: what interpreters cache, in embedded mode for
/// each thread that happens to serve. One block that stays of each request would be [`REQUESTS`].
const SLACK: i64 = REQUESTS as i64 / 2;

/// One thread serves everything, so that no other has anything in the making when blocks are
/// counted.
fn serve(name: &str, mode: Mode) -> Setup {
    let script = fs::read(testkit::installation::apps().join("leaks.wsgi")).unwrap();
    Httpd::new(name)
        .mode(mode)
        .daemon("processes=1 threads=1")
        .one_child()
        .file("app/leaks.wsgi", script)
        .conf("WSGIApplicationGroup %{GLOBAL}\nWSGIScriptAlias / {root}/app/leaks.wsgi")
}

/// The resources of a server that can be counted.
#[derive(Debug, PartialEq, Eq)]
struct Count {
    /// Descriptors and threads of each process, parents before children.
    processes: Vec<(Kind, usize, usize)>,
}

impl Count {
    /// Whether it is the same, but for the streams that threads of httpd's keep for their next
    /// requests: two descriptors for each thread.
    fn is_like(&self, before: &Self) -> bool {
        let both = self.processes.iter().zip(&before.processes);
        self.processes.len() == before.processes.len()
            && both.into_iter().all(
                |((kind, files, threads), (old_kind, old_files, old_threads))| {
                    let kept = if *kind == Kind::Child { 2 * threads } else { 0 };
                    kind == old_kind && threads == old_threads && files.abs_diff(*old_files) <= kept
                },
            )
    }
}

fn blocks(httpd: &Httpd) -> i64 {
    httpd.get("/blocks").send().json().as_i64().unwrap()
}

/// The server when no connection is being closed any more.
fn count(httpd: &Httpd) -> Count {
    let entries = |pid: i32, directory: &str| {
        fs::read_dir(format!("/proc/{pid}/{directory}")).map_or(0, Iterator::count)
    };
    let look = || {
        let processes = httpd.processes().into_iter();
        let each = processes.map(|process| {
            (process.kind, entries(process.pid, "fd"), entries(process.pid, "task"))
        });
        Count { processes: each.collect() }
    };
    let mut before = look();
    let mut same = 0;
    wait_until("the server rests", || {
        let now = look();
        same = if now == before { same + 1 } else { 0 };
        before = look();
        same > 30
    });
    before
}

/// Asks again and again, and compares what can be counted.
fn compare(httpd: &Httpd, ask: impl Fn(&Httpd, u32)) {
    for number in 0..WARM_UP {
        ask(httpd, number);
    }
    let (blocks_before, before) = (blocks(httpd), count(httpd));
    for number in 0..REQUESTS {
        ask(httpd, WARM_UP + number);
    }
    let (blocks_after, after) = (blocks(httpd), count(httpd));
    assert!(after.is_like(&before), "{before:?} became {after:?}");
    assert!(blocks_after <= blocks_before + SLACK, "{blocks_before} blocks became {blocks_after}");
}

both_modes! {
    fn answers_leave_nothing(mode) {
        let httpd = serve("leaks-plain", mode).start();
        compare(&httpd, |httpd, number| {
            let path = if number.is_multiple_of(2) { "/" } else { "/file" };
            assert_eq!(httpd.get(path).send().status, 200);
        });
    }

    fn exceptions_leave_nothing(mode) {
        let httpd = serve("leaks-raise", mode).allow_log("[wsgi:error]").start();
        compare(&httpd, |httpd, number| {
            if number.is_multiple_of(2) {
                assert_eq!(httpd.get("/raise").send().status, 500);
            } else {
                let cut = httpd.get("/raise-late").try_send();
                assert!(matches!(cut, Err(ClientError::Cut { .. })), "{cut:?}");
            }
        });
    }

    fn clients_that_go_away_leave_nothing(mode) {
        let httpd = serve("leaks-aborted", mode).start();
        compare(&httpd, |httpd, _| {
            let mut connection: Connection = httpd.get("/large").start().unwrap();
            assert_eq!(connection.head().unwrap().status, 200);
        });
    }

    fn uploads_leave_nothing(mode) {
        let httpd = serve("leaks-uploads", mode).start();
        let body = vec![b'x'; 40_000];
        compare(&httpd, |httpd, _| {
            assert_eq!(httpd.post("/body", body.clone()).send().text(), "40000");
        });
    }

    fn hooks_leave_nothing(mode) {
        let hook = "<Location />\nWSGIAccessScript {root}/app/leaks.wsgi\n</Location>";
        let httpd = serve("leaks-hooks", mode).conf(hook).start();
        compare(&httpd, |httpd, _| assert_eq!(httpd.get("/").send().status, 200));
    }
}

#[test]
fn embedded_reloads_leave_nothing() {
    let httpd = serve("leaks-reloads", Mode::Embedded).start();
    let script = httpd.root().join("app/leaks.wsgi");
    compare(&httpd, |httpd, number| {
        let moment = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + u64::from(number));
        File::options().append(true).open(&script).unwrap().set_modified(moment).unwrap();
        assert_eq!(httpd.get("/").send().status, 200);
    });
}
