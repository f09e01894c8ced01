//! Templates that hang: in what they import, or in a hook around the fork. No `startup-timeout` is
//! set.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use testkit::{Httpd, Mode, wait_until, wait_until_within};

use crate::single_run;

const HANGS: &str = "import time\nprint('it hangs')\nwhile True:\n    time.sleep(0.01)\n";

fn good(version: u32) -> String {
    format!(
        "def application(environ, start_response):\n    start_response('200 OK', [])\n    \
         return [b'version {version}']\n"
    )
}

fn serve(name: &str, script: &str) -> Httpd {
    Httpd::new(name)
        .mode(Mode::Daemon)
        .daemon("processes=1 threads=1 preload=application")
        .file("app/app.wsgi", script)
        .conf("WSGIScriptAlias /app {root}/app/app.wsgi")
        .allow_log("it hangs")
        .start()
}

/// Replaces the script, with a time of change that differs for certain.
fn change(root: &Path, text: &str, moment: u64) {
    let (path, new) = (root.join("app/app.wsgi"), root.join("app/new"));
    fs::write(&new, text).unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + moment);
    fs::File::options().write(true).open(&new).unwrap().set_modified(time).unwrap();
    fs::rename(&new, &path).unwrap();
}

#[test]
fn a_mended_script_replaces_a_first_template_that_hangs() {
    let httpd = serve("first-hangs", HANGS);
    httpd.wait_for_log("it hangs");
    change(httpd.root(), &good(1), 1);
    assert_eq!(httpd.get("/app/").send().text(), "version 1");
    assert_eq!(httpd.log_lines("is replaced before it is ready").len(), 1);
}

#[test]
fn a_mended_script_replaces_a_template_that_hangs_in_a_changed_one() {
    let httpd = serve("second-hangs", &good(1));
    let ask = || httpd.get("/app/").send().text();
    assert_eq!(ask(), "version 1");
    change(httpd.root(), HANGS, 1);
    assert_eq!(ask(), "version 1", "it serves on");
    httpd.wait_for_log("it hangs");
    change(httpd.root(), &good(3), 3);
    wait_until("the mended script is served", || ask() == "version 3");
}

#[test]
fn templates_that_hang_are_reported_and_replaced_without_a_limit_of_the_group() {
    if !single_run::is_this("hanging_templates: the limit of a minute") {
        return;
    }
    let hook = "
import os, time
STUCK = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'stuck')
def hang():
    while os.path.exists(STUCK):
        time.sleep(0.01)
os.register_at_fork(before=hang)
";
    let group = "processes=1 threads=1 preload=application python-home={home}";
    let httpd = Httpd::new("minute")
        .file("app/stuck", "")
        .file("app/imports.wsgi", HANGS)
        .file("app/forks.wsgi", hook.to_owned() + &good(1))
        .conf(&format!(
            "WSGIDaemonProcess imports {group}\nWSGIDaemonProcess forks {group}\n\
             WSGIScriptAlias /imports {{root}}/app/imports.wsgi process-group=imports\n\
             WSGIScriptAlias /forks {{root}}/app/forks.wsgi process-group=forks"
        ))
        .start();
    let late = ["is not ready after 60 seconds", "has forked no worker within 60 seconds"];
    httpd.allow_log("its workers go on");
    httpd.allow_log("it hangs");
    for text in late {
        httpd.expect_log(text);
    }
    wait_until_within(Duration::from_secs(90), "both are reported", || {
        late.iter().all(|text| httpd.log_lines(text).len() == 1)
    });
    fs::remove_file(httpd.root().join("app/stuck")).unwrap();
    assert_eq!(httpd.get("/forks/").send().text(), "version 1");
}
