//! Paths of a configuration that lie in a file system which does not answer: httpd's parent looks
//! at none itself.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use testkit::{Httpd, Kind, Mode, Setup, wait_until};

use crate::silent_files::SilentFiles;

const SCRIPT: &str = "def application(environ, start_response):
    start_response('200 OK', [])
    return [b'good']
";

const SAID: &str =
    "its file system does not answer (NFS, FUSE) and is not waited for; mend or unmount it";

fn good_group(name: &str) -> Setup {
    Httpd::new(name).mode(Mode::Daemon).file("app/good.wsgi", SCRIPT).conf(
        "WSGIDaemonProcess good threads=1 python-home={home}\n\
         WSGIScriptAlias /good {root}/app/good.wsgi process-group=good",
    )
}

fn ask(httpd: &Httpd) {
    let response = httpd.get("/good").send();
    assert_eq!((response.status, response.text().as_str()), (200, "good"), "{}", httpd.log());
}

/// Asks again and again while something is done.
fn ask_during(httpd: &Httpd, act: impl FnOnce()) {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                ask(httpd);
            }
        });
        act();
        is_over.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_restart_does_not_wait_for_the_target_of_an_alias() {
    let Some(files) = SilentFiles::mount("silent-target") else { return };
    let aliases = (0..4).map(|number| {
        format!("WSGIScriptAlias /bad{number} {{root}}/app/bad{number}.wsgi process-group=bad\n")
    });
    let aliases: String = aliases.collect();
    let mut setup = good_group("silent-target");
    for number in 0..4 {
        setup = setup.file(&format!("app/bad{number}.wsgi"), SCRIPT);
    }
    let httpd = setup
        .conf(&format!("WSGIDaemonProcess bad threads=1 python-home={{home}}\n{aliases}"))
        .conf("WSGIScriptAlias /more {root}/app/good.wsgi/more process-group=good")
        .start();
    ask(&httpd);
    let scripts = (0..4).map(|number| httpd.root().join(format!("app/bad{number}.wsgi")));
    let scripts: Vec<_> = scripts.collect();
    for script in &scripts {
        symlink(files.path(), httpd.root().join("new")).unwrap();
        fs::rename(httpd.root().join("new"), script).unwrap();
    }
    ask_during(&httpd, || httpd.graceful());
    assert!(files.is_waited_for(), "something has looked");
    // All of them together cost the limit once, and each is named.
    for script in &scripts {
        httpd.expect_log(&format!("{script:?} cannot be looked at within 500ms"));
    }
    assert_eq!(httpd.log_lines(SAID).len(), scripts.len(), "{}", httpd.log());
    // The check did without them, and has seen everything else.
    assert!(httpd.log_lines("cannot be checked at once").is_empty(), "{}", httpd.log());
    ask_during(&httpd, || httpd.graceful());
    files.release();
    for script in &scripts {
        fs::remove_file(script).unwrap();
        fs::write(script, SCRIPT).unwrap();
    }
    httpd.graceful();
    assert_eq!(httpd.log_lines(SAID).len(), 2 * scripts.len(), "{}", httpd.log());
    wait_until("what hung is gone", || httpd.pids(Kind::Supervisor).len() == 1);
    assert_eq!(httpd.get("/bad3").send().status, 200, "{}", httpd.log());
    assert!(httpd.log_lines("long lost child").is_empty(), "{}", httpd.log());
}

#[test]
fn a_first_start_goes_on_without_the_target_of_an_alias() {
    let Some(files) = SilentFiles::mount("silent-start") else { return };
    let path = files.path();
    let httpd = good_group("silent-start")
        .conf(&format!(
            "WSGIDaemonProcess bad threads=1 python-home={{home}}\n\
             WSGIScriptAlias /bad {} process-group=bad",
            path.display()
        ))
        .start();
    ask(&httpd);
    httpd.expect_log(&format!("{path:?} cannot be looked at within"));
    assert_eq!(httpd.log_lines(SAID).len(), 1, "{}", httpd.log());
    files.release();
    wait_until("what hung is gone", || httpd.pids(Kind::Supervisor).len() == 1);
}

#[test]
fn a_test_of_a_configuration_names_the_python_that_hangs() {
    let Some(files) = SilentFiles::mount("silent-python") else { return };
    let path = files.path();
    Httpd::configtest(&format!("WSGIDaemonProcess bad python-home={}", path.display()))
        .assert_refused(&format!("python-home: {path:?} cannot be looked at within 5s: its file"));
}
