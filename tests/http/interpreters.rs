//! Application groups: which interpreter an application runs in.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use testkit::{Httpd, Mode, both_modes};

fn interpreter(httpd: &Httpd, path: &str) -> Value {
    let reply = httpd.get(path).send();
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

const MOUNTS: &str = "WSGIScriptAlias /a {apps}/process.wsgi application-group=one
WSGIScriptAlias /b {apps}/process.wsgi application-group=one
WSGIScriptAlias /c {apps}/process.wsgi application-group=two
WSGIScriptAlias /d {apps}/process.wsgi application-group=%{GLOBAL}
WSGIScriptAlias /e {apps}/process.wsgi application-group=%{RESOURCE}";

both_modes! {
    fn each_application_group_has_its_interpreter(mode) {
        let httpd = Httpd::new("groups").conf(MOUNTS).mode(mode).one_child().start();
        let seen = |path: &str| interpreter(&httpd, &format!("{path}/interpreter"));
        let [a, b, c, d, e] = ["/a", "/b", "/c", "/d", "/e"].map(seen);
        assert_eq!(a["id"], b["id"]);
        assert_eq!((&a["calls"], &b["calls"]), (&Value::from(1), &Value::from(2)));
        let ids: BTreeSet<_> = [&a, &c, &d, &e].map(|one| one["id"].as_i64().unwrap()).into();
        assert_eq!(ids.len(), 4, "{ids:?}");
        assert_eq!(d["id"], 0);
        assert!([&a, &c, &e].iter().all(|one| one["calls"] == 1));
        assert!([&b, &c, &d, &e].iter().all(|one| one["pid"] == a["pid"]));
    }

    fn threads_keep_their_state_in_each_interpreter(mode) {
        let httpd = Httpd::new("threads").conf(MOUNTS).mode(mode).one_child().start();
        for path in ["/a", "/c", "/d"] {
            let path = format!("{path}/interpreter");
            let answers: Vec<Value> = (0..40).map(|_| interpreter(&httpd, &path)).collect();
            let threads: BTreeSet<i64> =
                answers.iter().map(|one| one["thread"].as_i64().unwrap()).collect();
            for thread in threads {
                let mine = answers.iter().filter(|one| one["thread"] == thread);
                let counted: Vec<i64> =
                    mine.map(|one| one["calls_of_thread"].as_i64().unwrap()).collect();
                let expected: Vec<i64> = (1..).take(counted.len()).collect();
                assert_eq!(counted, expected, "thread {thread} of {path}");
            }
        }
    }
}

#[test]
fn a_script_alone_in_its_group_runs_in_the_main_interpreter() {
    let httpd = Httpd::new("alone").app("process.wsgi").mode(Mode::Daemon).start();
    assert_eq!(interpreter(&httpd, "/interpreter")["id"], 0);
    // It keeps the name of its application group all the same.
    let httpd = Httpd::new("alone-name").app("environ.wsgi").mode(Mode::Daemon).start();
    let name = httpd.get("/").send().json()["mod_wsgi.application_group"].clone();
    assert_eq!(name, format!("localhost:{}|", httpd.address().port()));
}

#[test]
fn an_explicit_resource_group_is_a_sub_interpreter() {
    let httpd = Httpd::new("resource")
        .app("process.wsgi")
        .conf("WSGIApplicationGroup %{RESOURCE}")
        .mode(Mode::Daemon)
        .start();
    assert_ne!(interpreter(&httpd, "/interpreter")["id"], 0);
}

#[test]
fn two_scripts_of_a_group_are_kept_apart() {
    let httpd = Httpd::new("two-scripts")
        .conf(
            "WSGIScriptAlias /one {apps}/process.wsgi\n\
             WSGIScriptAlias /two {apps}/environ.wsgi",
        )
        .mode(Mode::Daemon)
        .start();
    assert_ne!(interpreter(&httpd, "/one/interpreter")["id"], 0);
}

#[test]
fn a_section_counts_when_scripts_are_counted() {
    let httpd = Httpd::new("section")
        .conf(
            "WSGIDaemonProcess site threads=2 python-home={home}\n\
             <Directory {apps}>\nWSGIProcessGroup site\n</Directory>\n\
             WSGIScriptAlias / {apps}/process.wsgi",
        )
        .start();
    assert_eq!(interpreter(&httpd, "/interpreter")["id"], 0);
}

both_modes! {
    fn interpreters_may_have_a_gil_of_their_own(mode) {
        let httpd = Httpd::new("own-gil")
            .conf(
                "WSGIPerInterpreterGIL On\n\
                 WSGIScriptAlias /a {apps}/process.wsgi application-group=one\n\
                 WSGIScriptAlias /b {apps}/process.wsgi application-group=two\n\
                 WSGIScriptAlias /main {apps}/process.wsgi application-group=%{GLOBAL}",
            )
            .mode(mode)
            .one_child()
            // Said once for each interpreter that is made.
            .allow_log("WSGIPerInterpreterGIL has no effect before Python 3.12")
            .start();
        for _ in 0..3 {
            let ids = ["/a", "/b", "/main"].map(|path| {
                interpreter(&httpd, &format!("{path}/interpreter"))["id"].as_i64().unwrap()
            });
            assert!(ids[0] != ids[1] && ids[0] != 0 && ids[1] != 0 && ids[2] == 0, "{ids:?}");
        }
        let facts = httpd.get("/main/facts").send().json();
        let mut version = facts["version"].as_str().unwrap().split('.').map(str::parse::<u32>);
        let old = version.nth(1).unwrap().unwrap() < 12;
        let warned = !httpd.log_lines("WSGIPerInterpreterGIL has no effect").is_empty();
        assert_eq!(warned, old, "{}", httpd.log());
    }
}

/// Recursion through C code: each level of `sorted` takes some KiB of the stack, and 1000 more than
/// 2 MiB.
const DEEP: &str = "
import sys

sys.setrecursionlimit(100000)


def deep(level):
    return level if level == 0 else sorted([level], key=lambda _: deep(level - 1))[0]


def application(environ, start_response):
    try:
        answer = str(deep(int(environ['QUERY_STRING'])))
    except RecursionError:
        answer = 'RecursionError'
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [answer.encode()]
";

#[test]
fn request_threads_have_the_stack_that_the_system_gives() {
    let httpd = Httpd::new("deep")
        .file("app/deep.wsgi", DEEP)
        .conf("WSGIScriptAlias / {root}/app/deep.wsgi")
        .mode(Mode::Daemon)
        .start();
    let reply = httpd.get("/?1000").send();
    assert_eq!(reply.status, 200, "{}", httpd.log());
    assert!(["1000", "RecursionError"].contains(&reply.text().as_str()), "{}", reply.text());
}

/// Shows what the start of the process has left in the interpreter; beside the script there are
/// modules that would say so if they were imported from the working directory.
const TRACES: &str = "
import json
import os
import subprocess
import sys
import traceback


def shown():
    try:
        exec('a = 1\\nb = 2\\n1 / 0')
    except ZeroDivisionError:
        return traceback.format_exc().splitlines()


def application(environ, start_response):
    import __main__

    answer = {
        'path': sys.path,
        'argv': [sys.argv, sys.orig_argv],
        'main': sorted(name for name in vars(__main__) if not name.startswith('__')),
        'last_lines': shown()[-2:],
        'variables': sorted(name for name in os.environ
                            if 'DORMOUSE_P' in name or 'PYTHON' in name),
        'from_working_directory': hasattr(sys, 'from_working_directory'),
    }
    start_response('200 OK', [('Content-Type', 'application/json')])
    return [json.dumps(answer).encode()]
";

both_modes! {
    fn how_a_process_was_started_leaves_no_traces(mode) {
        let intruder = "import sys\nsys.from_working_directory = True\n";
        let mut setup = Httpd::new("traces").file("app/traces.wsgi", TRACES).conf(
            "WSGIScriptAlias /main {root}/app/traces.wsgi application-group=%{GLOBAL}\n\
             WSGIScriptAlias /other {root}/app/traces.wsgi application-group=other",
        );
        // Python itself imports these between its start and the engine's (3.13 and later).
        for name in ["linecache", "tokenize", "functools", "re", "_mod_wsgi", "threading"] {
            setup = setup.file(&format!("{name}.py"), intruder);
        }
        // The working directory is that of httpd, the server's root.
        let httpd = setup.mode(mode).start();
        for path in ["/main", "/other"] {
            let reply = httpd.get(path).send();
            assert_eq!(reply.status, 200, "{}", httpd.log());
            let answer = reply.json();
            let entries = answer["path"].as_array().unwrap();
            assert!(entries.iter().all(|entry| entry != "" && entry != "."), "{entries:?}");
            assert_eq!(answer["argv"], json!([["mod_wsgi"], []]));
            assert_eq!(answer["main"], json!([]));
            let expected =
                ["  File \"<string>\", line 3, in <module>", "ZeroDivisionError: division by zero"];
            assert_eq!(answer["last_lines"], json!(expected));
            assert_eq!(answer["variables"], json!([]));
            assert_eq!(answer["from_working_directory"], false);
        }
    }
}

/// Goes somewhere else, as applications do, before another interpreter is made.
const WANDERER: &str = "
import json
import os
import sys

os.chdir('/')


def application(environ, start_response):
    import marker

    start_response('200 OK', [('Content-Type', 'application/json')])
    return [json.dumps([sys.path, marker.__file__]).encode()]
";

both_modes! {
    fn each_directory_of_the_path_is_one_absolute_entry(mode) {
        let path = "lib:./lib:{root}//lib/:other:lib";
        let httpd = Httpd::new("relative")
            .file("app/app.wsgi", WANDERER)
            .file("lib/marker.py", "")
            .file("lib/more.pth", "more\n")
            .file("lib/more/nothing.py", "")
            .conf(
                "WSGIScriptAlias /first {root}/app/app.wsgi application-group=%{GLOBAL}\n\
                 WSGIScriptAlias /second {root}/app/app.wsgi application-group=second",
            )
            .conf(&format!(
                "<WSGIInterpreterOptions>\nWSGIPythonPath {path}\n</WSGIInterpreterOptions>"
            ))
            .mode(mode)
            .daemon("threads=1 python-path=lib:./lib:lib//:other:lib")
            .one_child()
            .start();
        let at = |name: &str| httpd.root().join(name).display().to_string();
        for alias in ["/first", "/second"] {
            let reply = httpd.get(alias).send();
            assert_eq!(reply.status, 200, "{}", httpd.log());
            let answer = reply.json();
            let entries: Vec<&str> =
                answer[0].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
            assert_eq!(entries[..3], [at("lib"), at("other"), at("lib/more")], "{entries:?}");
            let own =
                entries.iter().filter(|one| one.contains("lib/more") || one.ends_with("/lib"));
            assert!(own.clone().all(|one| one.starts_with('/')), "{entries:?}");
            assert_eq!(entries.iter().filter(|one| **one == at("lib")).count(), 1, "{entries:?}");
            assert_eq!(answer[1], at("lib/marker.py"));
        }
    }
}

const FORKS: &str = "
import os
import subprocess
import sys


def application(environ, start_response):
    if environ['QUERY_STRING'] == 'program':
        answer = subprocess.check_output(['echo', 'fine'])
    else:
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        answer = b'alive' if os.waitpid(pid, 0)[1] == 0 else b'dead'
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [answer]
";

both_modes! {
    fn a_fork_in_a_sub_interpreter_is_explained(mode) {
        let httpd = Httpd::new("forks")
            .file("app/app.wsgi", FORKS)
            .conf(
                "WSGIScriptAlias /main {root}/app/app.wsgi application-group=%{GLOBAL}\n\
                 WSGIScriptAlias /other {root}/app/app.wsgi application-group=other",
            )
            .mode(mode)
            .start();
        let text = |target: &str| httpd.get(target).send().text();
        assert_eq!((text("/main"), text("/other?program").trim()), ("alive".to_owned(), "fine"));
        assert!(httpd.log_lines("os.fork()").is_empty(), "{}", httpd.log());
        httpd.expect_log("os.fork() in a sub-interpreter");
        // What CPython says by itself.
        for part in
            ["Fatal Python error", "Python runtime", "Current thread", "app.wsgi", "Extension"]
        {
            httpd.allow_log(part);
        }
        assert_eq!(text("/other"), "dead");
        let line = httpd.wait_for_log("os.fork() in a sub-interpreter").text;
        let place = match mode {
            Mode::Embedded => "embedded mode",
            Mode::Daemon => "process group \"test\"",
        };
        assert!(line.contains(&format!("{place}, application group \"other\"")), "{line}");
        assert!(line.contains("set WSGIApplicationGroup %{GLOBAL}"), "{line}");
    }
}
