//! Workers of one template: a connection goes to the one with the least to do.

use std::fs;
use std::thread;

use testkit::{Httpd, Kind, Mode, wait_until};

const SCRIPT: &str = r#"
import os, time
HERE = os.path.dirname(__file__)
def application(environ, start_response):
    if environ["PATH_INFO"] == "/hold":
        print("held by", os.getpid())
        while not os.path.exists(os.path.join(HERE, "go")):
            time.sleep(0.005)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
"#;

/// Enough that chance would not send nearly all of them to the same worker.
const REQUESTS: usize = 60;
/// A worker that the machine keeps from running gives up its place, so not all have to.
const WELL_PLACED: usize = 50;

#[test]
fn a_connection_goes_to_the_worker_with_the_least_to_do() {
    let httpd = Httpd::new("fellows")
        .mode(Mode::Daemon)
        .daemon("processes=2 threads=6 preload=application")
        .file("app/app.wsgi", SCRIPT)
        .conf("WSGIScriptAlias / {root}/app/app.wsgi")
        .start();
    httpd.expect_log("held by");
    wait_until("both workers run", || httpd.pids(Kind::Worker).len() == 2);
    thread::scope(|scope| {
        let held = scope.spawn(|| httpd.get("/hold").send().text());
        wait_until("it is held", || httpd.log_lines("held by").len() == 1);
        let others: Vec<String> = (0..REQUESTS).map(|_| httpd.get("/").send().text()).collect();
        fs::write(httpd.root().join("app/go"), "").unwrap();
        let busy = held.join().unwrap();
        let well_placed = others.iter().filter(|pid| **pid != busy).count();
        assert!(well_placed >= WELL_PLACED, "{well_placed} of {REQUESTS}");
    });
}
