//! Processes that hang before their program is executed, in a file system that does not answer.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

use nix::sys::signal::Signal;
use testkit::{Httpd, Kind, Mode, installation, wait_until};

use crate::silent_files::SilentFiles;

const SCRIPT: &str = "import os
def application(environ, start_response):
    start_response('200 OK', [])
    return [str(os.getpid()).encode()]
";

/// A Python that runs with this interpreter; `HOME` in it is the one under test.
fn python(interpreter: &str) -> String {
    let home = installation::python_home().unwrap();
    format!("#!{interpreter}\nexec {}/bin/python3 \"$@\"\n", home.display())
}

/// The file that hangs: the interpreter of the Python, or the script.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hangs {
    Python,
    Script,
}

impl Hangs {
    /// Has it hang in `files`, or go on without.
    fn set(self, httpd: &Httpd, files: Option<&SilentFiles>) {
        let (path, root) = (files.map(SilentFiles::path), httpd.root());
        match (self, path) {
            (Self::Python, path) => {
                let interpreter = path.unwrap_or_else(|| "/bin/sh".into());
                let text = python(&interpreter.display().to_string());
                let (new, place) = (root.join("new"), root.join("bad/bin/python"));
                fs::write(&new, text).unwrap();
                fs::set_permissions(&new, Permissions::from_mode(0o755)).unwrap();
                fs::rename(new, place).unwrap();
            }
            (Self::Script, Some(path)) => {
                symlink(path, root.join("new")).unwrap();
                fs::rename(root.join("new"), root.join("app/bad.wsgi")).unwrap();
            }
            (Self::Script, None) => {
                fs::write(root.join("new"), SCRIPT).unwrap();
                fs::rename(root.join("new"), root.join("app/bad.wsgi")).unwrap();
            }
        }
    }
}

fn two_groups(name: &str, options: &str) -> Httpd {
    Httpd::new(name)
        .mode(Mode::Daemon)
        .program("bad/bin/python", python("/bin/sh"))
        .file("app/bad.wsgi", SCRIPT)
        .file("app/good.wsgi", SCRIPT)
        .conf(&format!(
            "WSGIDaemonProcess bad threads=1 startup-timeout=1 python-home={{root}}/bad {options}\n\
             WSGIDaemonProcess good threads=1 python-home={{home}}\n\
             WSGIScriptAlias /bad {{root}}/app/bad.wsgi process-group=bad\n\
             WSGIScriptAlias /good {{root}}/app/good.wsgi process-group=good"
        ))
        .start()
}

/// The process that answers.
fn ask(httpd: &Httpd, target: &str) -> i32 {
    let response = httpd.get(target).send();
    assert_eq!(response.status, 200, "{}", httpd.log());
    response.text().parse().unwrap()
}

fn kill(httpd: &Httpd, pid: i32) {
    httpd.allow_log(&format!("worker {pid} ended"));
    httpd.signal(pid, Signal::SIGKILL);
}

/// Has the starts of one group hang, and looks at the other one.
fn one_hangs(name: &str, options: &str, what: Hangs, said: &str) {
    let Some(files) = SilentFiles::mount(name) else { return };
    let httpd = two_groups(name, options);
    let (bad, good) = (ask(&httpd, "/bad"), ask(&httpd, "/good"));
    what.set(&httpd, Some(&files));
    for template in httpd.pids(Kind::Template) {
        httpd.allow_log("its workers go on");
        httpd.signal(template, Signal::SIGKILL);
    }
    kill(&httpd, bad);
    wait_until("the start hangs", || files.is_waited_for());
    kill(&httpd, good);
    assert_ne!(ask(&httpd, "/good"), good, "another one was started");
    httpd.expect_log("WSGI0220: process group \"bad\":");
    httpd
        .wait_for_log(&format!("{said} for 1 seconds and is killed; a file system may not answer"));
    if what == Hangs::Python {
        httpd.graceful();
        let good = ask(&httpd, "/good");
        kill(&httpd, good);
        assert_ne!(ask(&httpd, "/good"), good);
    }
    files.release();
    what.set(&httpd, None);
    // What was tried meanwhile finds no such file.
    httpd.allow_log("process group \"bad\"");
    httpd.allow_log("WSGI0211");
    wait_until("it is back", || httpd.get("/bad").send().status == 200);
    wait_until("what hung is gone", || httpd.pids(Kind::Supervisor).len() == 1);
}

#[test]
fn a_worker_that_hangs_before_its_program_keeps_nobody_else() {
    let said = "or the interpreter that its first line names";
    one_hangs("worker-hangs", "", Hangs::Python, said);
}

#[test]
fn a_template_that_hangs_before_its_program_keeps_nobody_else() {
    let said = "or the interpreter that its first line names";
    one_hangs("template-hangs", "preload=interpreter", Hangs::Python, said);
}

#[test]
fn scripts_that_cannot_be_looked_at_keep_nobody_else() {
    let said = "looking at its scripts";
    one_hangs("script-hangs", "preload=application", Hangs::Script, said);
}
