//! A script that changes is loaded anew, and no request is lost over it.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime};

use testkit::{Httpd, Kind, Mode, Setup, both_modes, wait_until};

const SCRIPT: &str = "
def application(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [b'VERSION']
";

fn setup(name: &str, mode: Mode) -> Setup {
    Httpd::new(name)
        .file("app/app.wsgi", SCRIPT.replace("VERSION", "1"))
        .conf("WSGIScriptAlias / {root}/app/app.wsgi")
        .mode(mode)
}

/// Replaces the script, with a time of change that differs for certain.
fn change(root: &Path, version: u32) {
    let (path, new) = (root.join("app/app.wsgi"), root.join("app/new"));
    fs::write(&new, SCRIPT.replace("VERSION", &version.to_string())).unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + u64::from(version));
    fs::File::options().write(true).open(&new).unwrap().set_modified(time).unwrap();
    fs::rename(&new, &path).unwrap();
}

both_modes! {
    fn a_changed_script_is_loaded_anew(mode) {
        let httpd = setup("reload", mode).start();
        for version in 1..5 {
            if version > 1 {
                change(httpd.root(), version);
            }
            for _ in 0..3 {
                assert_eq!(httpd.get("/").send().text(), version.to_string());
            }
        }
    }

    fn reloading_can_be_switched_off(mode) {
        let conf = "WSGIScriptReloading Off";
        let httpd = setup("no-reload", mode).conf(conf).one_child().start();
        assert_eq!(httpd.get("/").send().text(), "1");
        change(httpd.root(), 2);
        assert_eq!(httpd.get("/").send().text(), "1");
    }
}

#[test]
fn requests_that_meet_a_reload_are_all_answered() {
    let httpd = setup("reload-under-load", Mode::Daemon).daemon("processes=2 threads=2").start();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..60 {
                    let reply = httpd.get("/").send();
                    assert_eq!(reply.status, 200, "{}", reply.text());
                }
            });
        }
        for version in 2..8 {
            change(httpd.root(), version);
            wait_until("the new version answers", || {
                httpd.get("/").send().text() == version.to_string()
            });
        }
    });
    wait_until("the group has its size again", || httpd.pids(Kind::Worker).len() == 2);
}
