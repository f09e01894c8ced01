//! The rules that all hooks have in common: where they run, when they are loaded, and that they
//! fail closed.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use testkit::{Httpd, Kind, Mode, Mpm, Setup, both_modes};

/// The option that has a hook asked in the group `test`, where the mode has one.
pub(crate) fn place(mode: Mode) -> &'static str {
    match mode {
        Mode::Embedded => "",
        Mode::Daemon => "process-group=test",
    }
}

/// Whether some child of httpd has Python in it.
pub(crate) fn python_in_children(httpd: &Httpd) -> bool {
    let children = httpd.pids(Kind::Child);
    assert!(!children.is_empty(), "there are children");
    children.iter().any(|child| {
        let maps = httpd.maps(*child);
        maps.contains("libpython") || maps.contains("_mod_wsgi.abi3")
    })
}

/// A server with `htdocs/x.txt`, and hooks that answer what a request wants
/// (`tests/apps/guard.py`). `{hook}` in the lines is that script with its place.
pub(crate) fn guarded(name: &str, mode: Mode, conf: &str) -> Setup {
    let hook = format!("{{apps}}/guard.py {}", place(mode));
    Httpd::new(name).file("htdocs/x.txt", "x\n").mode(mode).conf(&conf.replace("{hook}", &hook))
}

const ACCESS: &str = "<Location />\nWSGIAccessScript {hook}\n</Location>";

#[test]
fn delegated_hooks_keep_python_out_of_children() {
    let conf = "WSGIRestrictEmbedded On\n\
                <Location />\nAuthType Basic\nAuthName x\nAuthBasicProvider wsgi\n\
                WSGIAccessScript {hook}\nWSGIAuthUserScript {hook}\nWSGIAuthGroupScript {hook}\n\
                WSGIDispatchScript {hook}\nRequire wsgi-group staff\n</Location>\n\
                WSGIScriptAlias /app {apps}/environ.wsgi";
    let httpd =
        guarded("delegated", Mode::Daemon, conf).module("auth_basic").module("authn_core").start();
    for path in ["/x.txt", "/app"] {
        let reply = httpd
            .get(path)
            .header("Authorization", "Basic dTpw")
            .header("X-Access", "True")
            .header("X-Password", "password == 'p'")
            .header("X-Groups", "['Staff']")
            .send();
        assert_eq!(reply.status, 200, "{path} {}", httpd.log());
    }
    assert!(!python_in_children(&httpd));
}

#[test]
fn children_load_python_for_the_first_question() {
    for restricted in ["Off", "On"] {
        let conf = format!(
            "WSGIRestrictEmbedded {restricted}\n\
            <Location /asked>\nWSGIAccessScript {{hook}}\n</Location>"
        );
        let httpd = guarded("first", Mode::Embedded, &conf)
            .file("htdocs/asked/x.txt", "x\n")
            .one_child()
            .start();
        assert_eq!(httpd.get("/x.txt").send().status, 200);
        assert!(!python_in_children(&httpd));
        assert_eq!(httpd.get("/asked/x.txt").send().status, 200);
        assert!(python_in_children(&httpd));
    }
}

/// A directory whose `.htaccess` names a hook.
fn htaccess(name: &str, mode: Mode, conf: &str) -> Setup {
    let script = testkit::installation::apps().join("guard.py");
    let lines = format!("WSGIAccessScript {} {}\n", script.display(), place(mode));
    guarded(name, mode, conf).file("htdocs/.htaccess", lines)
}

const AUTH_CONFIG: &str = "<Directory {root}/htdocs>\nAllowOverride AuthConfig\n</Directory>";

both_modes! {
    fn htaccess_may_name_hooks(mode) {
        let conf = format!("WSGIRestrictEmbedded On\n{AUTH_CONFIG}");
        let httpd = htaccess("htaccess-hook", mode, &conf).one_child().start();
        assert_eq!(httpd.get("/x.txt").send().status, 200);
        httpd.expect_log("WSGI0057");
        assert_eq!(httpd.get("/x.txt").header("X-Access", "False").send().status, 403);
        assert_eq!(python_in_children(&httpd), mode == Mode::Embedded);
    }

    fn htaccess_needs_its_class(mode) {
        let conf = AUTH_CONFIG.replace("AuthConfig", "FileInfo");
        let httpd = htaccess("htaccess-class", mode, &conf).start();
        httpd.expect_log("WSGIAccessScript not allowed here");
        assert_eq!(httpd.get("/x.txt").send().status, 500);
    }

    fn a_changed_script_is_asked_anew(mode) {
        let hook = |opinion| format!("def allow_access(environ, host):\n    return {opinion}\n");
        let setup = |conf: &str| {
            Httpd::new("hook-reload")
                .file("htdocs/x.txt", "x\n")
                .file("app/hook.py", hook("True") + "def reload_required(path):\n    return True\n")
                .conf(&format!("WSGIAccessScript {{root}}/app/hook.py {}\n{conf}", place(mode)))
                .mode(mode)
                .one_child()
        };
        let change = |root: &Path| {
            let path = root.join("app/hook.py");
            fs::write(&path, hook("False")).unwrap();
            let file = fs::File::options().write(true).open(&path).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000)).unwrap();
        };
        let httpd = setup("").start();
        for _ in 0..3 {
            // Of hooks, only the file's time counts: this would go on for ever otherwise.
            assert_eq!(httpd.get("/x.txt").send().status, 200);
        }
        change(httpd.root());
        httpd.expect_log("WSGI0057");
        assert_eq!(httpd.get("/x.txt").send().status, 403);

        let httpd = setup("WSGIScriptReloading Off").start();
        assert_eq!(httpd.get("/x.txt").send().status, 200);
        change(httpd.root());
        assert_eq!(httpd.get("/x.txt").send().status, 200);
    }

    fn application_groups_are_interpreters(mode) {
        let conf = ACCESS.replace("{hook}", "{hook} application-group=%{SERVER}")
            + "\n<Location /named>\nWSGIAccessScript {hook} application-group=%{RESOURCE}\n\
               </Location>\n\
               <Location /main>\nWSGIAccessScript {hook} application-group=%{GLOBAL}\n</Location>";
        let httpd = guarded("hook-groups", mode, &conf)
            .file("htdocs/named/x.txt", "x\n")
            .file("htdocs/main/x.txt", "x\n")
            .one_child()
            .start();
        let server = format!("localhost:{}", httpd.address().port());
        for (path, group) in [("", server.as_str()), ("/named", "%{RESOURCE}"), ("/main", "")] {
            let expression = format!(
                "environ['mod_wsgi.application_group'] == {group:?} and \
                 __import__('mod_wsgi').application_group == {group:?}"
            );
            let reply = httpd.get(&format!("{path}/x.txt")).header("X-Access", expression).send();
            assert_eq!(reply.status, 200, "{path} {group}");
        }
    }

    fn output_goes_to_the_log(mode) {
        let httpd = guarded("hook-output", mode, ACCESS).start();
        for (part, expression) in [
            ("printed", "print('printed')"),
            ("to stderr", "print('to stderr', file=sys.stderr)"),
            ("unfinished", "print('unfinished', end='', file=environ['wsgi.errors'])"),
        ] {
            httpd.expect_log(part);
            assert_eq!(httpd.get("/x.txt").header("X-Access", expression).send().status, 200);
            let line = httpd.wait_for_log(part).text;
            assert!(line.contains("guard.py] "), "the script is named: {line}");
        }
    }

    fn several_threads_are_asked_at_once(mode) {
        // Each waits for the other.
        let httpd = guarded("hook-threads", mode, ACCESS).one_child().start();
        let ask =
            |expression: &str| httpd.get("/x.txt").header("X-Access", expression).send().status;
        assert_eq!(ask("seen.update(barrier=threading.Barrier(2))"), 200);
        if Mpm::from_environment().unwrap() == Mpm::Prefork {
            return;
        }
        let both = std::thread::scope(|scope| {
            let wait = || ask("seen['barrier'].wait(20) >= 0");
            let (first, second) = (scope.spawn(wait), scope.spawn(wait));
            (first.join().unwrap(), second.join().unwrap())
        });
        assert_eq!(both, (200, 200));
    }
}

#[test]
fn htaccess_chooses_no_process_group_on_its_own() {
    let script = testkit::installation::apps().join("guard.py");
    let lines = format!("WSGIAccessScript {} process-group=other\n", script.display());
    let httpd = guarded("htaccess-group", Mode::Daemon, AUTH_CONFIG)
        .conf("WSGIDaemonProcess other python-home={home}")
        .file("htdocs/.htaccess", lines)
        .start();
    httpd.expect_log("is not asked: .htaccess may not send it to the process group \"other\"");
    httpd.expect_log("WSGI0057");
    assert_eq!(httpd.get("/x.txt").header("X-Access", "True").send().status, 403);
}

#[test]
fn htaccess_chooses_among_the_process_groups_of_its_directory() {
    let script = testkit::installation::apps().join("guard.py");
    let lines = format!("WSGIAccessScript {} process-group=other\n", script.display());
    let restrict = AUTH_CONFIG.replace("AllowOverride", "WSGIRestrictProcess other\nAllowOverride");
    let httpd = guarded("htaccess-choice", Mode::Daemon, &restrict)
        .conf("WSGIDaemonProcess other python-home={home}")
        .file("htdocs/.htaccess", lines)
        .start();
    let expression = "environ['mod_wsgi.process_group'] == 'other'";
    assert_eq!(httpd.get("/x.txt").header("X-Access", expression).send().status, 200);
}

#[test]
fn a_hook_that_hangs_refuses() {
    let httpd = guarded("hook-hangs", Mode::Daemon, ACCESS)
        .daemon("processes=1 threads=3 socket-timeout=1")
        .start();
    httpd.expect_log("WSGI0145");
    httpd.expect_log("WSGI0057");
    let hang = "seen.setdefault('go', threading.Event()).wait(30)";
    assert_eq!(httpd.get("/x.txt").header("X-Access", hang).send().status, 403);
    let free = "seen['go'].set() or True";
    assert_eq!(httpd.get("/x.txt").header("X-Access", free).send().status, 200);
}

#[test]
fn scripts_must_belong_to_whom_the_group_says() {
    let httpd = Httpd::new("hook-owner")
        .file("htdocs/x.txt", "x\n")
        .file("app/hook.py", "def allow_access(environ, host):\n    return True\n")
        .mode(Mode::Daemon)
        .daemon("processes=1 threads=3 script-user=nobody")
        .conf("WSGIAccessScript {root}/app/hook.py process-group=test")
        .start();
    httpd.expect_log("the script");
    httpd.expect_log("WSGI0057");
    assert_eq!(httpd.get("/x.txt").send().status, 403);
}

#[test]
fn the_dump_tells_which_hooks_load_python() {
    let dump = |conf: &str, mode| {
        let conf = format!("WSGIRestrictEmbedded On\n{conf}");
        let checked = guarded("hook-dump", mode, &conf).define("DUMP_WSGI").configtest();
        checked.assert_accepted();
        checked.output
    };
    let here = dump(ACCESS, Mode::Embedded);
    assert!(here.contains("httpd's children load Python: yes\n    WSGIAccessScript"), "{here}");
    let elsewhere = dump(ACCESS, Mode::Daemon);
    assert!(elsewhere.contains("httpd's children load Python: no"), "{elsewhere}");
}

#[test]
fn groups_are_checked_with_the_configuration() {
    let test = |conf: &str| guarded("hook-check", Mode::Daemon, conf).configtest();
    test(ACCESS).assert_accepted();
    let unknown = ACCESS.replace("{hook}", "{apps}/guard.py process-group=nobody");
    test(&unknown)
        .assert_refused("there is no process group \"nobody\"; define it with WSGIDaemonProcess");
    let service = "WSGIDaemonProcess service threads=0 python-home={home}\n\
        WSGIAccessScript {apps}/guard.py process-group=service";
    test(service).assert_refused("the process group \"service\" has no request threads");
    let elsewhere = "Listen 127.0.0.1:1\n\
        <VirtualHost *:1>\nServerName a.example\nWSGIDaemonProcess a python-home={home}\n\
        </VirtualHost>\n\
        <VirtualHost *:1>\nServerName b.example\n<Location />\n\
        WSGIAuthUserScript {apps}/guard.py process-group=a\n</Location>\n</VirtualHost>";
    test(elsewhere)
        .assert_refused("the process group \"a\" belongs to the virtual host \"a.example\"");
    test(&elsewhere.replace("b.example", "a.example")).assert_accepted();
    test(&ACCESS.replace("{hook}", "{hook} process-grop=x")).assert_refused("did you mean");
    test(&ACCESS.replace("{hook}", "/a process-group=%{ENV:x}"))
        .assert_refused("the value must be");
    test("WSGIGroupAuthoritative Off").assert_accepted();
    test("WSGIGroupAuthoritative Maybe").assert_refused("On or Off");
    let modules = "<Location />\nRequire wsgi-group\n</Location>";
    test(modules).assert_refused("the names of groups are missing");
}

#[test]
fn hooks_in_children_need_a_python_that_can_be_loaded() {
    let python = "#!/bin/sh\necho no Python here\nexit 3\n";
    let setup = Httpd::new("hook-no-python")
        .program("none/bin/python", python)
        .conf("WSGIPythonHome {root}/none");
    setup
        .clone()
        .conf("WSGIAccessScript {apps}/guard.py")
        .configtest()
        .assert_refused("httpd's children cannot ask it");
}

#[test]
fn a_group_that_cannot_answer_is_a_refusal() {
    let httpd = guarded("hook-lost", Mode::Daemon, ACCESS).start();
    let ask = |expression: &str| httpd.get("/x.txt").header("X-Access", expression).send().status;
    assert_eq!(ask("True"), 200);
    httpd.expect_log("process group \"test\", which was asked for");
    httpd.expect_log("WSGI0057");
    httpd.allow_log("worker");
    assert_eq!(ask("__import__('os')._exit(3)"), 403);
    assert_eq!(ask("True"), 200);
}
