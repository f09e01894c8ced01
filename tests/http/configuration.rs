//! Configurations that must not start, and what `apachectl -t` says about them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::unistd::Uid;
use testkit::{Checked, Httpd, Mode};

fn check(conf: &str) -> Checked {
    Httpd::configtest(conf)
}

#[test]
fn a_good_configuration_is_accepted() {
    check("WSGIDaemonProcess x python-home={home}\nWSGIScriptAlias / /x process-group=x")
        .assert_accepted();
}

#[test]
fn mistakes_in_directives_are_named_with_their_remedy() {
    let cases = [
        ("WSGIScriptReloading maybe", "\"maybe\" is not allowed here: the value must be On or Off"),
        ("WSGIScriptAlias /", "the script's path is missing (usage: WSGIScriptAlias url-path"),
        ("WSGIScriptAlias / /x process_group=y", "did you mean \"process-group\"?"),
        ("WSGIScriptAliasMatch ( /x", "\"(\" is not a regular expression"),
        ("WSGIDaemonProcess", "the name of the process group is missing"),
        (
            "WSGIDaemonProcess x threads=abc",
            "threads=abc: the value must be a whole number from 0 to 65533",
        ),
        ("WSGIDaemonProcess x thread=5", "did you mean \"threads\"?"),
        ("WSGIDaemonProcess x home=relative", "home=relative: the value must be an absolute path"),
        ("WSGIPythonHome venv", "\"venv\" is not allowed here: the value must be an absolute path"),
        (
            "<VirtualHost *>\nWSGIRestrictEmbedded On\n</VirtualHost>",
            "WSGIRestrictEmbedded cannot occur within <VirtualHost>",
        ),
        ("<Location />\nWSGIScriptAlias / /x\n</Location>", "WSGIScriptAlias not allowed"),
    ];
    for (conf, text) in cases {
        check(conf).assert_refused(text);
    }
}

/// The lines that `mod_wsgi-express setup-server` writes about its process group and embedded mode:
/// options without a value are written, too.
#[test]
fn a_configuration_of_express_is_served() {
    let options = "display-name='(wsgi:localhost:8000:0)' home='/tmp' threads=5 maximum-requests=0 \
        python-path='' python-eggs='/tmp/eggs' lang='C.UTF-8' locale='C.UTF-8' listen-backlog=100 \
        queue-timeout=45 socket-timeout=60 connect-timeout=15 request-timeout=60 \
        interrupt-timeout=0 inactivity-timeout=0 startup-timeout=15 deadlock-timeout=60 \
        graceful-timeout=15 eviction-timeout=0 restart-interval=0 cpu-time-limit=0 \
        shutdown-timeout=5 send-buffer-size=0 receive-buffer-size=0 header-buffer-size=0 \
        response-buffer-size=0 response-flush-delay=5 response-socket-timeout=0 server-metrics=Off \
        supplementary-groups=''";
    let httpd = Httpd::new("express-conf")
        .conf(&format!(
            "WSGIPythonHome '{{home}}'\nWSGIRestrictEmbedded On\nWSGISocketRotation Off\n\
             WSGIDaemonProcess 'localhost:8000' {options}\n\
             WSGICallableObject 'application'\nWSGIPassAuthorization On\nWSGIMapHEADToGET Auto\n\
             WSGIDestroyInterpreter On\nWSGIServerMetrics Off\nWSGIVerboseDebugging Off\n\
             WSGIPythonPath ''\nWSGIPythonEggs ''\n\
             WSGIScriptAlias / {{apps}}/process.wsgi process-group='localhost:8000' \
             application-group=%{{GLOBAL}}"
        ))
        .start();
    let facts = httpd.get("/facts").send().json();
    assert_eq!(facts["title"], "(wsgi:localhost:8000:0)");
    assert_eq!((&facts["cwd"], &facts["path"][0]), (&"/tmp".into(), &"/tmp".into()));
    assert!(facts["path"].as_array().unwrap().iter().all(|entry| entry != ""));
    // Elsewhere it is a mistake.
    check("WSGIDaemonProcess x threads=''").assert_refused("threads=: the value must be");
    check("WSGIDaemonProcess x home=''").assert_refused("home=: the value must be");
    let embedded = Httpd::new("express-embedded").app("process.wsgi").mode(Mode::Embedded);
    let httpd = embedded.conf("WSGIPythonPath \"\"").start();
    assert_eq!(httpd.get("/facts").send().status, 200);
}

#[test]
fn a_server_without_a_user_is_told_what_is_missing() {
    if !Uid::effective().is_root() {
        return;
    }
    // What httpd has for a directive that is not written.
    let unset = "User #4294967295\nGroup #4294967295\n";
    for conf in ["WSGIDaemonProcess x", "WSGIDaemonProcess x user=nobody"] {
        let checked = check(&format!("{unset}{conf} python-home={{home}}"));
        checked.assert_refused("is not set; set User and Group in httpd's configuration");
        assert!(!checked.output.contains("4294967295"), "{}", checked.output);
    }
}

#[test]
fn groups_must_be_defined_once() {
    let silent = "WSGIDaemonProcess site python-home={home}\n\
        <VirtualHost *:1>\nServerName silent.example\n</VirtualHost>";
    check(silent).assert_accepted();
    check("WSGIDaemonProcess x\n<VirtualHost *>\nWSGIDaemonProcess x\n</VirtualHost>")
        .assert_refused("the process group \"x\" is already defined at");
    for conf in [
        "WSGIProcessGroup nobody",
        "<Location />\nWSGIProcessGroup nobody\n</Location>",
        "WSGIScriptAlias / /x process-group=nobody",
    ] {
        check(conf).assert_refused("there is no process group \"nobody\"; define it with");
    }
}

#[test]
fn a_python_home_must_be_one() {
    let empty = tempfile::tempdir().unwrap();
    let old = tempfile::tempdir().unwrap();
    let script = "#!/bin/sh\nexit 3\n";
    program(old.path(), script);
    for (home, text) in [
        ("/no/such/venv".into(), "\"/no/such/venv\" does not exist"),
        ("/usr/bin/python3".into(), "\"/usr\" is its directory; write that"),
        ("/usr/bin".into(), "\"/usr\" is its directory; write that"),
        ("/etc/passwd".into(), "\"/etc/passwd\" is not a directory"),
        (shown(empty.path()), "is not a Python: it has neither bin/python nor bin/python3"),
        (shown(old.path()), "is older than Python 3.10"),
    ] {
        if home.starts_with("/tmp") {
            open(Path::new(&home));
        }
        let checked = check(&format!("WSGIDaemonProcess x python-home={home}"));
        checked.assert_refused(text);
        checked.assert_refused("WSGIDaemonProcess \"x\" (");
        assert_eq!(checked.output.matches("python-home").count(), 1, "{}", checked.output);
        check(&format!("WSGIPythonHome {home}")).assert_refused(text);
    }
}

#[test]
fn a_python_that_its_user_cannot_reach_is_named_with_the_way() {
    if !Uid::effective().is_root() {
        // Only root can start groups as another user.
        return;
    }
    let closed = tempfile::tempdir().unwrap();
    fs::set_permissions(closed.path(), fs::Permissions::from_mode(0o700)).unwrap();
    program(&closed.path().join("venv"), "#!/bin/sh\nexec /usr/bin/python3 \"$@\"\n");
    let checked = check(&format!("WSGIDaemonProcess x python-home={}/venv", shown(closed.path())));
    checked.assert_refused("cannot be run as user \"www-data\"");
    let directory = format!("the directory {:?} is closed to that user", shown(closed.path()));
    checked.assert_refused(&directory);
    // Where the user is another one, so is the answer.
    check("WSGIDaemonProcess x user=no-such-user")
        .assert_refused("there is no user \"no-such-user\"");
    check("WSGIDaemonProcess x group=no-such").assert_refused("there is no group \"no-such\"");
    check("WSGIDaemonProcess x user=root").assert_refused("applications are not run as root");
}

#[test]
fn a_python_without_a_shared_library_is_for_process_groups_only() {
    let home = tempfile::tempdir().unwrap();
    open(home.path());
    // What a static build says about itself.
    let python = "#!/bin/sh\ncase \"$*\" in *INSTSONAME*)\n\
                  printf '3.11.2 static\\n/nowhere/lib/libpython3.11.a\\n'; exit 0;; esac\n\
                  exec /usr/bin/python3 \"$@\"\n";
    program(home.path(), python);
    let home = shown(home.path());
    let checked = check(&format!("WSGIPythonHome {home}"));
    checked.assert_refused("has no shared library that httpd could load");
    checked.assert_refused("WSGIDaemonProcess");
    // No embedded mode, no question.
    check(&format!("WSGIRestrictEmbedded On\nWSGIDaemonProcess x python-home={home}"))
        .assert_accepted();
}

fn shown(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// Makes `bin/python` below `home` a script.
fn program(home: &Path, text: &str) {
    fs::create_dir_all(home.join("bin")).unwrap();
    let path = home.join("bin/python");
    fs::write(&path, text).unwrap();
    open(&path);
}

/// Opens a path to all users.
fn open(path: &Path) {
    if path.exists() {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}
