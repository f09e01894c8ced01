//! `WSGILazyInitialization`: when Python comes into httpd's processes, and what it is like there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;
use testkit::{Httpd, Kind, Mode, Setup, installation};

/// Answers with what tells the processes of a server apart, and starts a thread for that.
const SCRIPT: &str = "
import json
import os
import random
import sys
import threading


def application(environ, start_response):
    seen = []
    thread = threading.Thread(target=lambda: seen.append(os.getpid()))
    thread.start()
    thread.join()
    answer = {
        'pid': os.getpid(),
        'of_thread': seen,
        'forked': getattr(sys, 'forked', None),
        'number': getattr(sys, 'random', random.Random()).random(),
        'company': getattr(sys, 'company', None),
        'prefix': sys.prefix,
    }
    start_response('200 OK', [('Content-Type', 'application/json')])
    return [json.dumps(answer).encode()]
";

fn setup(name: &str) -> Setup {
    Httpd::new(name)
        .file("app/app.wsgi", SCRIPT)
        .file("htdocs/hello.txt", "hello")
        .conf(
            "Alias /plain {root}/htdocs\nWSGIScriptAlias / {root}/app/app.wsgi\n\
             WSGIApplicationGroup %{GLOBAL}",
        )
        .mode(Mode::Embedded)
}

/// The answer of the application; it runs in the process that it says it does.
fn ask(httpd: &Httpd) -> Value {
    let reply = httpd.get("/").send();
    assert_eq!(reply.status, 200, "{}\n{}", reply.text(), httpd.log());
    let answer = reply.json();
    assert_eq!(answer["of_thread"][0], answer["pid"]);
    let pid = i32::try_from(answer["pid"].as_i64().unwrap()).unwrap();
    assert!(httpd.pids(Kind::Child).contains(&pid), "{pid}");
    answer
}

fn parent(httpd: &Httpd) -> i32 {
    httpd.pids(Kind::Parent)[0]
}

/// The libraries of Python that a process has mapped, of any version.
fn libraries(httpd: &Httpd, pid: i32) -> BTreeSet<String> {
    let maps = httpd.maps(pid);
    let files = maps.lines().filter_map(|line| line.split_whitespace().nth(5));
    let python = |file: &&str| file.contains("libpython") || file.contains("_mod_wsgi.abi3");
    files.filter(python).map(str::to_owned).collect()
}

#[test]
fn embedded_children_alone_have_python_and_only_those_that_need_it() {
    for conf in ["", "WSGILazyInitialization On"] {
        let httpd = setup("lazy").conf(conf).conf("Alias /x {root}/htdocs").start();
        let with_python = || {
            let pids = httpd.pids(Kind::Child).into_iter();
            pids.filter(|pid| !libraries(&httpd, *pid).is_empty()).collect::<Vec<_>>()
        };
        assert_eq!(httpd.get("/plain/hello.txt").send().text(), "hello");
        assert_eq!(with_python(), [0; 0]);
        let pid = ask(&httpd)["pid"].as_i64().unwrap();
        assert_eq!(with_python(), [i32::try_from(pid).unwrap()]);
        assert_eq!(libraries(&httpd, parent(&httpd)), BTreeSet::new());
    }
}

#[test]
fn it_holds_for_the_whole_server() {
    Httpd::configtest("<VirtualHost *:1>\nWSGILazyInitialization Off\n</VirtualHost>")
        .assert_refused("WSGILazyInitialization cannot occur within <VirtualHost>");
    Httpd::configtest("WSGILazyInitialization Maybe").assert_refused("must be On or Off");
}

#[test]
fn embedded_python_of_the_parent_is_inherited_and_kept() {
    let httpd = setup("early").conf("WSGILazyInitialization Off").start();
    let first = libraries(&httpd, parent(&httpd));
    assert_eq!(first.len(), 2, "{first:?}");
    for round in 0..5 {
        for pid in httpd.pids(Kind::Child) {
            assert_eq!(libraries(&httpd, pid), first, "child {pid}");
        }
        ask(&httpd);
        assert_eq!(libraries(&httpd, parent(&httpd)), first, "round {round}");
        if round % 2 == 0 { httpd.graceful() } else { httpd.restart() }
    }
}

#[test]
fn embedded_python_of_the_parent_does_not_grow_with_restarts() {
    let httpd = setup("growth").conf("WSGILazyInitialization Off").one_child().start();
    // Not the private pages: how many are shared depends on which children there are just now.
    let resident = || httpd.memory(parent(&httpd)).rss;
    for _ in 0..5 {
        httpd.graceful();
    }
    let settled = resident();
    for _ in 0..30 {
        httpd.graceful();
    }
    let (now, slack) = (resident(), 512 * 1024);
    assert!(now <= settled + slack, "{settled} bytes have become {now}");
    ask(&httpd);
}

/// A virtual environment whose Python notes forks from its start on.
fn noting_environment() -> TempDir {
    let home = TempDir::with_prefix("dm-home-").unwrap();
    let run = |arguments: &[&str]| {
        let output = Command::new(installation::python()).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    run(&["-m", "venv", "--without-pip", home.path().to_str().unwrap()]);
    let name = run(&["-c", "import sys; print('python%d.%d' % sys.version_info[:2])"]);
    let packages = home.path().join("lib").join(name).join("site-packages");
    fs::write(packages.join("noting.pth"), "import noting\n").unwrap();
    fs::write(
        packages.join("noting.py"),
        "import logging, os, random, sys\n\
         sys.random = random\n\
         sys.forked = []\n\
         os.register_at_fork(before=lambda: sys.forked.append('before'),\n\
         \x20   after_in_child=lambda: sys.forked.append('child'),\n\
         \x20   after_in_parent=lambda: sys.forked.append('parent'))\n",
    )
    .unwrap();
    // httpd's children are another user.
    let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(home.path(), everybody).unwrap();
    home
}

#[test]
fn embedded_python_of_the_parent_knows_that_its_children_are_forked() {
    let home = noting_environment();
    let httpd = setup("forks")
        .python_home(home.path())
        .conf("WSGILazyInitialization Off")
        .one_child()
        .start();
    let mut numbers = BTreeSet::new();
    let mut pids = BTreeSet::new();
    for _ in 0..4 {
        let answer = ask(&httpd);
        assert_eq!(answer["forked"], serde_json::json!(["before", "child"]));
        assert_eq!(answer["prefix"].as_str(), home.path().to_str());
        numbers.insert(answer["number"].to_string());
        pids.insert(answer["pid"].to_string());
        httpd.restart();
    }
    assert_eq!((numbers.len(), pids.len()), (4, 4), "{numbers:?} {pids:?}");
}

#[test]
fn embedded_python_of_the_parent_stays_until_a_full_restart() {
    let httpd = setup("changed")
        .file("conf/lazy.conf", "WSGILazyInitialization Off\n")
        .conf("Include {root}/conf/lazy.conf")
        .one_child()
        .start();
    let before = ask(&httpd)["prefix"].clone();
    let first = libraries(&httpd, parent(&httpd));
    let change = |lines: &str| fs::write(httpd.root().join("conf/lazy.conf"), lines).unwrap();
    let warnings = || httpd.log_lines("runs in httpd's parent process, and stays there").len();

    let home = installation::venv().unwrap();
    httpd.expect_log("runs in httpd's parent process, and stays there");
    change(&format!("WSGILazyInitialization Off\nWSGIPythonHome {}\n", home.display()));
    httpd.graceful();
    assert_eq!(ask(&httpd)["prefix"], before);
    assert_eq!(warnings(), 1, "{}", httpd.log());
    let line = httpd.wait_for_log("has no effect until then");
    assert!(line.text.contains(home.to_str().unwrap()), "{}", line.text);

    change("WSGILazyInitialization On\n");
    httpd.graceful();
    assert_eq!(ask(&httpd)["prefix"], before);
    assert_eq!(warnings(), 2, "{}", httpd.log());

    change("WSGILazyInitialization Off\n");
    httpd.graceful();
    ask(&httpd);
    assert_eq!(warnings(), 2, "{}", httpd.log());
    assert_eq!(libraries(&httpd, parent(&httpd)), first);
}

#[test]
fn embedded_python_may_come_into_the_parent_later() {
    let httpd = setup("later")
        .file("conf/lazy.conf", "")
        .conf("Include {root}/conf/lazy.conf")
        .one_child()
        .start();
    ask(&httpd);
    assert_eq!(libraries(&httpd, parent(&httpd)).len(), 0);
    fs::write(httpd.root().join("conf/lazy.conf"), "WSGILazyInitialization Off\n").unwrap();
    httpd.graceful();
    assert_eq!(libraries(&httpd, parent(&httpd)).len(), 2);
    ask(&httpd);
}

#[test]
fn restricted_servers_have_no_python_whatever_else_they_say() {
    let httpd =
        setup("restricted").conf("WSGIRestrictEmbedded On\nWSGILazyInitialization Off").start();
    httpd.wait_for_log("WSGILazyInitialization Off has no effect: WSGIRestrictEmbedded On");
    for process in httpd.processes() {
        assert_eq!(libraries(&httpd, process.pid), BTreeSet::new());
    }
    httpd.expect_log("WSGIRestrictEmbedded");
    assert_eq!(httpd.get("/").send().status, 500);
}

/// Compiles `tests/modules/company.c` against the libpython of the Python under test; gives the
/// line that loads it.
fn company(directory: &Path, define: &str) -> String {
    let tell = |program: &Path, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {text}", program.display());
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let question = "from sysconfig import get_config_var as get; import os\n\
                    print(os.path.join(get('LIBDIR'), get('INSTSONAME')))";
    let library = tell(&installation::python(), &["-I", "-c", question]);
    let home = tell(&installation::python(), &["-I", "-c", "import sys; print(sys.base_prefix)"]);
    let headers = tell(Path::new("apxs"), &["-q", "INCLUDEDIR"]);
    let flags = tell(Path::new("apr-1-config"), &["--includes", "--cppflags"]);
    let module = directory.join("company.so");
    let source = installation::project().join("tests/modules/company.c");
    let library = format!("-DLIBRARY=\"{library}\"");
    let home = format!("-DHOME=\"{home}\"");
    let headers = format!("-I{headers}");
    let mut arguments = vec!["-shared", "-fPIC", "-o", module.to_str().unwrap()];
    arguments.extend([define, &library, &home, &headers]);
    arguments.extend(flags.split_whitespace());
    arguments.extend([source.to_str().unwrap(), "-ldl"]);
    tell(Path::new("cc"), &arguments);
    format!("LoadModule company_module {}", module.display())
}

#[test]
fn embedded_company_in_the_parent_is_joined() {
    let directory = TempDir::with_prefix("dm-company-").unwrap();
    let load = company(directory.path(), "-DIN_PARENT");
    let httpd = setup("company").conf(&load).allow_log("lazy initialization is lost").start();
    httpd.expect_log("in httpd's parent process: embedded mode uses it, and lazy initialization");
    for round in 1..4 {
        assert_eq!(ask(&httpd)["company"], "first");
        let lost = httpd.log_lines("lazy initialization is lost").len();
        assert_eq!(lost, round, "{}", httpd.log());
        // The parent has the other module's Python, and nothing of ours.
        let libraries = libraries(&httpd, parent(&httpd));
        assert!(libraries.iter().all(|file| file.contains("libpython")), "{libraries:?}");
        if round % 2 == 0 { httpd.graceful() } else { httpd.restart() }
    }
    assert_eq!(httpd.log_lines("company: Python was started").len(), 1);
}

#[test]
fn embedded_company_in_a_child_is_joined() {
    let directory = TempDir::with_prefix("dm-company-").unwrap();
    let load = company(directory.path(), "-DIN_CHILD");
    let httpd = setup("company").conf(&load).one_child().start();
    httpd.expect_log("another module has started Python in this process");
    for _ in 0..3 {
        assert_eq!(ask(&httpd)["company"], "first");
    }
    assert_eq!(httpd.log_lines("lazy initialization is lost").len(), 1);
    assert_eq!(libraries(&httpd, parent(&httpd)), BTreeSet::new());
}

#[test]
fn embedded_company_finds_the_python_that_the_parent_has_started() {
    let directory = TempDir::with_prefix("dm-company-").unwrap();
    let load = company(directory.path(), "-DIN_CHILD");
    let conf = "WSGILazyInitialization Off";
    let httpd = setup("company").conf(&load).conf(conf).one_child().start();
    assert_eq!(ask(&httpd)["company"], Value::Null);
    httpd.wait_for_log("company: Python is there");
    assert_eq!(httpd.log_lines("company: Python was started").len(), 0);
}
