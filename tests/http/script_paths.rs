//! Spellings of a script's path: httpd resolves them when a request comes, and what is worked out
//! beforehand has to come to the same.

use serde_json::json;
use testkit::{Httpd, Kind, Mode, Setup};

/// Says how often it was loaded, by which process, in which interpreter.
const SCRIPT: &str = "
import json
import os
import sys

sys.loads = getattr(sys, 'loads', 0) + 1
LOADED_BY = os.getpid()
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters


def application(environ, start_response):
    current = interpreters.get_current()
    answer = {
        'loaded_by': LOADED_BY,
        'loads': sys.loads,
        'interpreter': int(current[0] if isinstance(current, tuple) else current),
        'script': environ['SCRIPT_FILENAME'],
        'names': [environ['SCRIPT_NAME'], environ['PATH_INFO']],
    }
    start_response('200 OK', [('Content-Type', 'application/json')])
    return [json.dumps(answer).encode()]
";

fn setup(name: &str, target: &str) -> Setup {
    Httpd::new(name)
        .mode(Mode::Daemon)
        .file("app/app.wsgi", SCRIPT)
        .conf(&format!("WSGIScriptAlias /app {{root}}/{target}"))
}

/// Each target leads to the one script of its group: the main interpreter, loaded once by the
/// template, and no warning that the script cannot be read.
#[test]
fn one_script_is_one_whatever_its_spelling() {
    for (target, names) in [
        ("app//app.wsgi", ["/app", "/x"]),
        ("nowhere/../app/app.wsgi", ["/app", "/x"]),
        ("./app/./app.wsgi", ["/app", "/x"]),
        ("app/app.wsgi/app", ["", "/app/x"]),
        ("app/app.wsgi/", ["/app", "/x"]),
    ] {
        let text = setup("spelling", target).define("DUMP_WSGI").configtest();
        text.assert_accepted();
        let part = "(the main interpreter: the script is alone in its process group)";
        assert!(text.output.contains(part), "{target}\n{}", text.output);
        assert!(text.output.contains("/app/app.wsgi\n"), "{target}\n{}", text.output);
        let httpd = setup("spelling", target).daemon("preload=application").start();
        let reply = httpd.get("/app/x").send();
        assert_eq!(reply.status, 200, "{target}\n{}", httpd.log());
        let expected = json!({
            "loaded_by": httpd.pids(Kind::Template)[0],
            "loads": 1,
            "interpreter": 0,
            "script": httpd.root().join("app/app.wsgi"),
            "names": names,
        });
        assert_eq!(reply.json(), expected, "{target}");
    }
}

#[test]
fn a_script_that_was_imported_is_not_loaded_again() {
    let import = "process-group=test application-group=%{GLOBAL}";
    let group = "<Location /app>\nWSGIApplicationGroup %{GLOBAL}\n</Location>";
    let httpd = setup("imported", "app//app.wsgi")
        .conf(group)
        .conf(&format!("WSGIImportScript {{root}}//app/./app.wsgi {import}"))
        .conf(&format!("WSGIScriptAlias /other {{root}}/app/../app/app.wsgi {import}"))
        .start();
    assert_eq!(httpd.get("/app").send().json()["loads"], 1);
    assert_eq!(httpd.get("/other").send().json()["loads"], 1);
}

#[test]
fn a_directory_is_not_a_script() {
    let setup = || setup("directory", "app");
    let text = setup().define("DUMP_WSGI").configtest();
    text.assert_accepted();
    assert!(text.output.contains("a sub-interpreter for each script"), "{}", text.output);
    setup()
        .daemon("preload=application")
        .configtest()
        .assert_refused("does not say which script runs in");
}
