//! Pythons that take their time must not keep a server that runs from going on.

use std::fs;
use std::path::Path;

use testkit::{Httpd, Mode, Setup, installation};

const GROUPS: usize = 20;

/// Hangs while there is a file `hang` in the server's root, and takes a while in any case.
const SLOW: &str = "#!/bin/sh
while [ -e \"${0%/*}/../../hang\" ]; do sleep 0.05; done
sleep 0.3
exec HOME/bin/python3 \"$@\"
";

fn slow() -> String {
    let home = installation::python_home().unwrap();
    SLOW.replace("HOME", home.to_str().unwrap())
}

fn with_slow_pythons(name: &str, homes: &[String]) -> Setup {
    homes
        .iter()
        .fold(Httpd::new(name), |setup, home| setup.program(&format!("{home}/bin/python"), slow()))
}

/// Changes the program as an update does: not what it does.
fn update(root: &Path, home: &str) {
    fs::write(root.join(home).join("bin/python"), slow() + "# again\n").unwrap();
}

const NOTE: &str = "has not said its version at once and is not waited for";

#[test]
fn a_restart_does_not_wait_for_pythons() {
    let homes: Vec<String> = (0..GROUPS).map(|number| format!("v{number}")).collect();
    let groups = homes.iter().map(|home| {
        format!("WSGIDaemonProcess {home} processes=0..1 python-home={{root}}/{home}\n")
    });
    let httpd = with_slow_pythons("slow-pythons", &homes)
        .mode(Mode::Daemon)
        .app("process.wsgi")
        .conf(&groups.collect::<String>())
        .start();
    assert_eq!(httpd.get("/facts").send().status, 200);
    fs::write(httpd.root().join("hang"), "").unwrap();
    // Nothing has changed: what they have answered is known, so none of them is asked and hangs.
    httpd.graceful();
    httpd.restart();
    assert_eq!(httpd.get("/facts").send().status, 200);
    assert!(httpd.log_lines(NOTE).is_empty(), "{}", httpd.log());
    // They have changed. They hang until the file is gone, which no restart waits for: before, each
    // was given 10 seconds, and then taken for an error, which the log would say.
    for home in &homes {
        update(httpd.root(), home);
    }
    httpd.graceful();
    assert_eq!(httpd.get("/facts").send().status, 200);
    assert_eq!(httpd.log_lines(NOTE).len(), GROUPS, "{}", httpd.log());
    fs::remove_file(httpd.root().join("hang")).unwrap();
}

#[test]
fn embedded_mode_gets_by_with_a_python_that_no_restart_has_waited_for() {
    let httpd = with_slow_pythons("slow-embedded", &["first".into(), "other".into()])
        .app("process.wsgi")
        .conf("WSGIPythonHome {root}/first")
        .start();
    let (root, home) = (httpd.root(), installation::python_home().unwrap());
    for name in ["first", "other"] {
        std::os::unix::fs::symlink(home.join("lib"), root.join(name).join("lib")).unwrap();
    }
    let hang = root.join("hang");
    let hangs = || httpd.log_lines("has not said at once where its library is").len();
    // What it has said before has to do.
    update(root, "first");
    fs::write(&hang, "").unwrap();
    httpd.graceful();
    assert_eq!(httpd.get("/facts").send().status, 200, "{}", httpd.log());
    assert_eq!(hangs(), 1);
    // It has said nothing before: the child that needs it asks.
    let conf = root.join("httpd.conf");
    let text = fs::read_to_string(&conf).unwrap();
    fs::write(&conf, text.replace("/first", "/other")).unwrap();
    httpd.graceful();
    assert_eq!(hangs(), 2);
    fs::remove_file(&hang).unwrap();
    assert_eq!(httpd.get("/facts").send().status, 200, "{}", httpd.log());
}
