//! Scripts that are imported when processes start, and groups that do nothing else.

use std::fs;

use testkit::{Httpd, Kind, Mode, Signal, wait_until};

/// Notes when it is loaded, and by which process.
const SCRIPT: &str = "
import mod_wsgi
import os
print('loaded in', repr(mod_wsgi.process_group), repr(mod_wsgi.application_group))

def application(environ, start_response):
    start_response('200 OK', [])
    return [str(os.getpid()).encode()]
";

#[test]
fn a_group_imports_scripts_before_it_serves() {
    let httpd = Httpd::new("import")
        .file("app/app.wsgi", SCRIPT)
        .file("app/broken.py", "raise ValueError('on purpose')\n")
        .conf(
            "WSGIDaemonProcess other threads=1 python-home={home}\n\
             WSGIImportScript {root}/app/broken.py process-group=other \
             application-group=%{GLOBAL}\n\
             WSGIImportScript {root}/app/app.wsgi process-group=other application-group=sub\n\
             WSGIScriptAlias / {root}/app/app.wsgi process-group=other application-group=sub",
        )
        .allow_log("loaded in")
        .allow_log("broken.py")
        .start();
    httpd.wait_for_log("loaded in 'other' 'sub'");
    httpd.wait_for_log("app.wsgi was imported");
    httpd.wait_for_log("on purpose");
    assert_eq!(httpd.get("/").send().status, 200);
    assert_eq!(httpd.log_lines("loaded in").len(), 1, "the request uses what is there");
}

#[test]
fn an_alias_that_names_both_groups_imports_its_script() {
    let httpd = Httpd::new("alias-import")
        .file("app/app.wsgi", SCRIPT)
        .conf(
            "WSGIDaemonProcess other threads=1 python-home={home}\n\
             WSGIScriptAlias / {root}/app/app.wsgi process-group=other application-group=%{GLOBAL}",
        )
        .allow_log("loaded in")
        .start();
    httpd.wait_for_log("loaded in 'other' ''");
    let before = httpd.get("/").send().text();
    // A changed script still makes another process.
    let script = httpd.root().join("app/app.wsgi");
    fs::write(&script, SCRIPT.to_owned() + "\n# changed\n").unwrap();
    assert_ne!(httpd.get("/").send().text(), before);
}

#[test]
fn children_import_only_what_they_are_told_to() {
    let conf =
        "WSGIImportScript {root}/app/app.wsgi process-group=%{GLOBAL} application-group=%{GLOBAL}";
    let told = Httpd::new("embedded-import")
        .file("app/app.wsgi", SCRIPT)
        .conf(conf)
        .allow_log("loaded in")
        .mode(Mode::Embedded)
        .one_child()
        .start();
    told.wait_for_log("loaded in '' ''");
    let [child] = told.pids(Kind::Child)[..] else { panic!("one child") };
    assert!(told.maps(child).contains("_mod_wsgi.abi3"));
    // An alias alone leaves them without Python until a request comes.
    let lazy = Httpd::new("embedded-alias")
        .file("app/app.wsgi", SCRIPT)
        .conf(
            "WSGIScriptAlias / {root}/app/app.wsgi process-group=%{GLOBAL} \
             application-group=%{GLOBAL}",
        )
        .allow_log("loaded in")
        .mode(Mode::Embedded)
        .one_child()
        .start();
    let [child] = lazy.pids(Kind::Child)[..] else { panic!("one child") };
    assert!(!lazy.maps(child).contains("libpython"));
    assert_eq!(lazy.get("/").send().status, 200);
}

/// Works until it is asked to end, and leaves a word.
const SERVICE: &str = "
import os
import signal
import time

import mod_wsgi

here = os.path.dirname(__file__)
print('service starts in', mod_wsgi.process_group)
signal.signal(signal.SIGUSR2, lambda *_: print('its own handler'))
try:
    while not os.path.exists(os.path.join(here, 'enough')):
        time.sleep(0.01)
finally:
    print('service ends')
";

fn service(name: &str, script: &str) -> Httpd {
    Httpd::new(name)
        .file("app/service.py", script)
        .conf(
            "WSGIDaemonProcess service threads=0 python-home={home}\n\
             WSGIImportScript {root}/app/service.py process-group=service \
             application-group=%{GLOBAL}",
        )
        .allow_log("service")
        .start()
}

#[test]
fn a_group_without_threads_runs_its_script() {
    let httpd = service("service", SERVICE);
    httpd.wait_for_log("service starts in service");
    let [worker] = httpd.pids(Kind::Worker)[..] else { panic!("one process") };
    httpd.expect_log("its own handler");
    httpd.signal(worker, Signal::SIGUSR2);
    httpd.wait_for_log("its own handler");
    // SIGTERM is SystemExit in it, which is not logged as an error; it is started again.
    httpd.signal(worker, Signal::SIGTERM);
    httpd.wait_for_log("service ends");
    wait_until("another one runs", || {
        let now = httpd.pids(Kind::Worker);
        now.len() == 1 && now[0] != worker && httpd.log_lines("service starts in").len() == 2
    });
    assert!(httpd.log_lines("Traceback").is_empty());
}

#[test]
fn a_service_that_ends_is_started_again_more_and_more_slowly() {
    let httpd = service("short-service", "print('service is done')\n");
    wait_until("it has run three times", || httpd.log_lines("service is done").len() == 3);
    assert!(!httpd.log_lines("the next one starts in").is_empty(), "{}", httpd.log());
}
