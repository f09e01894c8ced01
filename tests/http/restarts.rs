//! Many restarts: nothing of them stays.

use std::fs;

use testkit::{Httpd, Kind, Mode};

/// As many as a server sees in some weeks.
const RESTARTS: usize = 50;

#[test]
fn fifty_restarts_leave_nothing_behind() {
    let httpd = Httpd::new("fifty")
        .app("process.wsgi")
        .mode(Mode::Daemon)
        .daemon("processes=1 threads=1 preload=application")
        .start();
    let parent = httpd.pids(Kind::Parent)[0];
    // Not the private pages: how many are shared depends on which children there are just now.
    let resident = || httpd.memory(parent).rss;
    let descriptors = || fs::read_dir(format!("/proc/{parent}/fd")).unwrap().count();
    let has_python = || httpd.maps(parent).contains("libpython");
    let ask = || assert_eq!(httpd.get("/facts").send().status, 200, "{}", httpd.log());
    for _ in 0..5 {
        httpd.graceful();
    }
    ask();
    let (settled, open) = (resident(), descriptors());
    for _ in 0..RESTARTS {
        httpd.graceful();
    }
    ask();
    let (now, slack) = (resident(), 256 * 1024);
    assert!(now <= settled + slack, "{settled} bytes have become {now}");
    assert_eq!(descriptors(), open);
    assert!(!has_python());
    testkit::wait_until("the processes of before have ended", || {
        [Kind::Supervisor, Kind::Template, Kind::Worker]
            .iter()
            .all(|kind| httpd.pids(*kind).len() == 1)
    });
}
