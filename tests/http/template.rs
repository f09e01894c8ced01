//! Templates: workers are forked from a process that has loaded the application before.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime};

use serde_json::Value;
use testkit::{Httpd, Kind, Mode, Setup, Signal, wait_until};

/// Says where it was loaded, and how it was asked before.
const SCRIPT: &str = r#"
import json, os, random, sys
LOADED_BY = os.getpid()
WARM_UPS = []
FORKS = []
os.register_at_fork(after_in_child=lambda: FORKS.append(os.getpid()))
def application(environ, start_response):
    if environ.get("mod_wsgi.warm_up"):
        WARM_UPS.append([environ["SCRIPT_NAME"], environ["PATH_INFO"], environ["QUERY_STRING"],
                         environ["HTTP_HOST"]])
        if environ["PATH_INFO"] == "/broken":
            raise ValueError("not warm")
    body = json.dumps({
        "pid": os.getpid(), "parent": os.getppid(), "loaded_by": LOADED_BY,
        "warm_ups": WARM_UPS, "forks": FORKS,
        "random": random.random(), "version": "VERSION", "json5": "wave" in sys.modules,
        "group": environ["mod_wsgi.application_group"],
    }).encode()
    start_response("200 OK", [("Content-Type", "application/json")])
    return [body]
"#;

fn setup(name: &str, options: &str) -> Setup {
    script(name, &SCRIPT.replace("VERSION", "1"), options)
}

fn script(name: &str, script: &str, options: &str) -> Setup {
    Httpd::new(name)
        .mode(Mode::Daemon)
        .daemon(options)
        .file("app/app.wsgi", script)
        .conf("WSGIScriptAlias /app {root}/app/app.wsgi")
}

fn ask(httpd: &Httpd) -> Value {
    let reply = httpd.get("/app/").send();
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
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
fn workers_are_forked_from_a_template_that_has_loaded_the_application() {
    let options = "processes=3 threads=2 preload=application preload-modules=wave";
    let httpd = setup("template", options).start();
    wait_until("all workers run", || httpd.pids(Kind::Worker).len() == 3);
    let [template] = httpd.pids(Kind::Template)[..] else { panic!("one template") };
    let [supervisor] = httpd.pids(Kind::Supervisor)[..] else { panic!("one wsgid") };
    let answer = ask(&httpd);
    assert_eq!(answer["loaded_by"], template);
    assert_eq!(answer["parent"], supervisor, "workers are wsgid's own children");
    assert_eq!(answer["json5"], true, "preload-modules was imported");
    assert_eq!(answer["forks"], serde_json::json!([answer["pid"]]), "fork hooks ran once");
    assert_ne!(answer["pid"], answer["loaded_by"]);
}

#[test]
fn workers_do_not_share_their_random_numbers() {
    let httpd = setup("template-random", "processes=4 threads=1 preload=application").start();
    wait_until("all workers run", || httpd.pids(Kind::Worker).len() == 4);
    let mut seen = BTreeSet::new();
    let mut first_numbers = BTreeSet::new();
    for _ in 0..4 {
        // The worker that answers is ended, so that the next one has to answer.
        let answer = ask(&httpd);
        if seen.insert(answer["pid"].as_i64().unwrap()) {
            first_numbers.insert(answer["random"].to_string());
        }
        let pid = i32::try_from(answer["pid"].as_i64().unwrap()).unwrap();
        httpd.allow_log("SIGKILL");
        httpd.signal(pid, Signal::SIGKILL);
        wait_until("it has ended", || !httpd.pids(Kind::Worker).contains(&pid));
    }
    assert_eq!(seen.len(), first_numbers.len());
    assert!(seen.len() >= 4);
}

#[test]
fn a_template_warms_up_and_says_what_went_wrong() {
    let options = "processes=2 threads=1 preload=application \
                   warm-up=/app,/app/list?page=2,/app/broken,/other";
    let httpd = setup("warm-up", options);
    let httpd = httpd.start();
    httpd.expect_log("ValueError: not warm");
    httpd.expect_log("warm-up /app/broken:");
    httpd.expect_log("warm-up=\"/app/broken\": answered 500");
    httpd.expect_log("warm-up=\"/other\": no application of the group is mounted there");
    let answer = ask(&httpd);
    let host = answer["warm_ups"][0][3].as_str().unwrap().to_owned();
    let seen = |path: &str, query: &str| serde_json::json!(["/app", path, query, host]);
    let first = [seen("", ""), seen("/list", "page=2"), seen("/broken", "")];
    let asked = answer["warm_ups"].as_array().unwrap();
    assert_eq!(asked[..3], first);
    // What was answered is asked for again, in the same order; what failed is not.
    let again = &asked[3..];
    assert!(!again.is_empty());
    for pass in again.chunks(2) {
        assert_eq!(pass, &first[..2]);
    }
}

#[test]
fn an_application_that_starts_threads_is_loaded_by_each_worker() {
    let text = SCRIPT.replace("VERSION", "1")
        + "\nimport threading\nthreading.Thread(target=threading.Event().wait, name='busy-bee', \
           daemon=True).start()\n";
    let httpd = script("threads", &text, "processes=2 threads=1 preload=application").start();
    httpd.expect_log("busy-bee");
    httpd.expect_log("less is preloaded, and workers load the rest by themselves");
    let answer = ask(&httpd);
    assert_eq!(answer["pid"], answer["loaded_by"]);
    // A worker that is just being forked still has the template's title.
    wait_until("one is left, of the interpreter alone", || httpd.pids(Kind::Template).len() == 1);
}

#[test]
fn what_dies_is_replaced_and_the_others_go_on() {
    let httpd = setup("template-dies", "processes=2 threads=1 preload=application").start();
    wait_until("all workers run", || httpd.pids(Kind::Worker).len() == 2);
    let [template] = httpd.pids(Kind::Template)[..] else { panic!("one template") };
    httpd.expect_log("SIGKILL");
    let before = httpd.pids(Kind::Worker);
    httpd.signal(before[0], Signal::SIGKILL);
    wait_until("the worker is replaced", || {
        let now = httpd.pids(Kind::Worker);
        now.len() == 2 && !now.contains(&before[0])
    });
    let workers = httpd.pids(Kind::Worker);
    httpd.signal(template, Signal::SIGKILL);
    wait_until("the template is replaced", || {
        httpd.pids(Kind::Template).iter().any(|pid| *pid != template)
            && httpd.log_lines("is ready after").len() >= 5
    });
    assert_eq!(httpd.pids(Kind::Worker), workers, "the workers have nothing to do with it");
    let [template] = httpd.pids(Kind::Template)[..] else { panic!("one template") };
    httpd.signal(workers[1], Signal::SIGKILL);
    httpd.signal(workers[0], Signal::SIGKILL);
    wait_until("both are replaced", || {
        let now = httpd.pids(Kind::Worker);
        now.len() == 2 && workers.iter().all(|pid| !now.contains(pid))
    });
    assert_eq!(ask(&httpd)["loaded_by"], template);
}

#[test]
fn a_changed_script_makes_a_new_template_and_loses_no_request() {
    let httpd = setup("template-reload", "processes=2 threads=2 preload=application").start();
    wait_until("all workers run", || httpd.pids(Kind::Worker).len() == 2);
    let before = httpd.pids(Kind::Template);
    thread::scope(|scope| {
        let users: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    wait_until("the new script answers", || ask(&httpd)["version"] == "2");
                })
            })
            .collect();
        change(httpd.root(), &SCRIPT.replace("VERSION", "2"), 1);
        for user in users {
            user.join().unwrap();
        }
    });
    wait_until("the old workers are gone", || {
        let now = httpd.pids(Kind::Template);
        now.len() == 1 && now != before && httpd.pids(Kind::Worker).len() == 2
    });
    for _ in 0..10 {
        let answer = ask(&httpd);
        assert_eq!(
            (&answer["version"], &answer["loaded_by"]),
            (&"2".into(), &httpd.pids(Kind::Template)[0].into())
        );
    }
}

#[test]
fn a_broken_script_leaves_the_old_workers_in_place() {
    let httpd = setup("template-broken", "processes=2 threads=1 preload=application").start();
    assert_eq!(ask(&httpd)["version"], "1");
    httpd.expect_log("SyntaxError");
    httpd.expect_log("cannot compile");
    httpd.expect_log("running workers serve on until it changes again");
    httpd.allow_log("preload: ");
    change(httpd.root(), "def application(:\n", 1);
    wait_until("the change was found", || {
        assert_eq!(ask(&httpd)["version"], "1");
        !httpd.log_lines("running workers serve on").is_empty()
    });
    change(httpd.root(), &SCRIPT.replace("VERSION", "3"), 2);
    wait_until("the mended script answers", || ask(&httpd)["version"] == "3");
}

#[test]
fn an_application_that_cannot_be_loaded_fails_by_request_until_it_is_mended() {
    let options = "processes=1 threads=1 preload=application";
    let httpd = script("template-never", "raise RuntimeError('no start')", options).start();
    httpd.expect_log("no start");
    httpd.allow_log("Traceback");
    httpd.allow_log("preload: ");
    httpd.allow_log("app.wsgi");
    httpd.allow_log("raise RuntimeError");
    httpd.expect_log("an application cannot be preloaded");
    assert_eq!(httpd.get("/app/").send().status, 500);
    change(httpd.root(), &SCRIPT.replace("VERSION", "2"), 1);
    wait_until("it is preloaded after all", || {
        let answer = ask(&httpd);
        answer["loaded_by"] != answer["pid"]
    });
}

#[test]
fn objects_are_immortal_where_python_knows_that() {
    let text = SCRIPT
        .replace("VERSION", "1")
        .replace("\"pid\":", "\"references\": sys.getrefcount(LIST), \"pid\":")
        + "\nLIST = ['a list that lives as long as its module']\n";
    let count = |name: &str, options: &str| {
        let options = format!("processes=1 threads=1 preload=application {options}");
        let httpd = script(name, &text, &options).start();
        let answer = ask(&httpd);
        // What immortal objects refer to must work like everything else.
        for _ in 0..20 {
            ask(&httpd);
        }
        let told = httpd.log_lines("immortal objects").len();
        (answer["references"].as_u64().unwrap(), told)
    };
    assert_eq!(count("mortal", "preload-immortal=off").1, 0);
    let (references, told) = count("immortal", "preload-immortal=on");
    let version = httpd_python_minor();
    if version < 12 {
        assert!(references < 100 && told == 0, "{references} {told}");
    } else {
        assert!(references >= 1 << 31 && told == 1, "{references} {told}");
    }
}

/// Tries in a worker what freezing, immortal objects and moved code could break.
const SHARED: &str = r#"
import collections, functools, gc, inspect, itertools, json, os, sys, threading, traceback, weakref

class Node:
    ended = 0
    def __init__(self):
        self.me = self
    def __del__(self):
        Node.ended += 1

EARLIER = Node()
EARLIER_REFERENCE = weakref.ref(EARLIER)

def counted(function):
    @functools.wraps(function)
    def wrapper(*arguments, **options):
        counts[function.__name__] += 1
        return function(*arguments, **options)
    return wrapper

counts = collections.Counter()

@counted
def numbers(first, *, step=2, **rest):
    def inner(limit):
        for number in itertools.count(first, step):
            if number >= limit:
                return
            yield {"number": number, **rest}
    return [entry["number"] for entry in inner(20)]

def mixed(value):
    # No type settles here, so that the interpreter goes on looking for one.
    result = 0
    for item in ([1, 2.0, True], (3,), {4: 5}, {6}, "7"):
        for part in item:
            result += int(part) * value
    return result

def fails():
    raise ValueError("at this line")

class Cached:
    @functools.cached_property
    def value(self):
        return mixed(2)

def trial():
    assert numbers(1) == list(range(1, 20, 2)) and numbers(0, step=5, extra=1) == [0, 5, 10, 15]
    assert mixed(1) == 24 and mixed(0.5) == 12.0 and Cached().value == 48
    assert numbers.__wrapped__.__code__ == numbers.__wrapped__.__code__.replace()
    assert inspect.signature(numbers.__wrapped__).parameters["step"].default == 2
    try:
        fails()
    except ValueError as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        assert (frame.name, frame.lineno) == ("fails", fails.__code__.co_firstlineno + 1), frame

def garbage():
    gc.collect()
    Node.ended = 0
    references = [weakref.ref(node) for node in map(lambda _: Node(), range(100))]
    gc.collect()
    assert Node.ended == 100 and not any(reference() for reference in references)
    # Nobody asks for a collection here.
    for _ in range(100_000):
        Node()
    assert Node.ended > 50_000, Node.ended
    ids = {id(Node.__new__(Node)) for _ in range(1000)}
    assert len(ids) < 100, "memory is used again"

def earlier():
    global EARLIER
    if EARLIER is None:
        return
    assert EARLIER_REFERENCE() is EARLIER
    EARLIER = None
    gc.collect()
    # It ends if it could, and stays if it is immortal.
    assert EARLIER_REFERENCE() is None or EARLIER_REFERENCE().me is EARLIER_REFERENCE()

def application(environ, start_response):
    trial()
    if not environ.get("mod_wsgi.warm_up"):
        garbage()
        earlier()
        trial()
    facts = {"pid": os.getpid(), "frozen": gc.get_freeze_count(), "threshold": gc.get_threshold()}
    body = json.dumps(facts).encode()
    start_response("200 OK", [("Content-Type", "application/json")])
    return [body]
"#;

#[test]
fn what_is_shared_works_like_everything_else() {
    let options = "processes=2 threads=2 preload=application warm-up=/app/";
    let httpd = script("shared", SHARED, options).start();
    for _ in 0..10 {
        assert!(ask(&httpd)["frozen"].as_u64().unwrap() > 1000);
    }
    let moved = httpd.log_lines("code objects were gathered");
    assert_eq!(moved.len(), 1);
    if httpd_python_minor() >= 11 {
        assert!(!moved[0].text.contains(": 0 code objects"), "{moved:?}");
    }
}

#[test]
fn an_application_keeps_its_own_thresholds() {
    let threshold = |name: &str, text: &str| {
        let httpd = script(name, text, "processes=1 preload=application").start();
        ask(&httpd)["threshold"].clone()
    };
    let own = SHARED.to_owned() + "\ngc.set_threshold(1234, 5, 6)\n";
    assert_eq!(threshold("own-threshold", &own), serde_json::json!([1234, 5, 6]));
    // 3.14.0 has a collector without generations, and no use for a third threshold.
    if ask_python("import gc; print(gc.get_threshold()[2])") > 0 {
        assert_eq!(threshold("threshold", SHARED), serde_json::json!([700, 3, 3]));
    }
}

#[test]
fn packages_in_c_are_shared() {
    let text = r#"
import os
os.environ["OPENBLAS_NUM_THREADS"] = "1"
import numpy
from lxml import etree
MATRIX = numpy.arange(10000.0).reshape(100, 100)
TREE = etree.fromstring("<a><b c='1'/><b c='2'>text</b></a>")
BY = os.getpid()
def application(environ, start_response):
    assert MATRIX.sum() == 49995000.0
    product = numpy.linalg.det(MATRIX[:2, :2].copy() @ numpy.eye(2))
    MATRIX[0, 0] += 1
    MATRIX[0, 0] -= 1
    TREE.append(etree.Element("d", pid=str(os.getpid())))
    assert set(TREE.xpath("//d/@pid")) <= {str(BY), str(os.getpid())}
    body = f"{product:.0f} {TREE.xpath('string(b[@c=2])')} {BY != os.getpid()}".encode()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body]
"#;
    let options = "processes=2 threads=2 preload=application warm-up=/app/";
    let httpd = script("packages", text, options)
        .python_home(testkit::installation::venv().unwrap())
        .start();
    for _ in 0..20 {
        assert_eq!(httpd.get("/app/").send().text(), "-100 text True");
    }
}

#[test]
fn a_socket_that_workers_would_share_is_named() {
    let text = SCRIPT.replace("VERSION", "1")
        + "\nimport socket\nSOCKET = socket.create_server(('127.0.0.1', 0))\n";
    let httpd = script("socket", &text, "processes=2 preload=application").start();
    httpd.expect_log("preloaded code has left a socket open");
    ask(&httpd);
    let lines = httpd.log_lines("left a socket open");
    assert!(lines.len() == 1 && lines[0].text.contains("127.0.0.1:"), "{lines:?}");
    assert!(lines[0].text.contains("not connected"));
}

/// The second number of the version of the Python under test.
fn httpd_python_minor() -> u32 {
    ask_python("import sys; print(sys.version_info[1])")
}

/// A number that the Python under test prints.
fn ask_python(question: &str) -> u32 {
    let python = testkit::installation::python();
    let output = std::process::Command::new(python).args(["-I", "-c", question]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

#[test]
fn a_template_runs_as_the_groups_user() {
    if !nix::unistd::Uid::effective().is_root() {
        return;
    }
    let options = "processes=1 threads=1 preload=application user=nobody group=nogroup";
    let httpd = setup("template-user", options).start();
    ask(&httpd);
    let [template] = httpd.pids(Kind::Template)[..] else { panic!("one template") };
    let owner =
        std::os::unix::fs::MetadataExt::uid(&fs::metadata(format!("/proc/{template}")).unwrap());
    assert_eq!(owner, nix::unistd::User::from_name("nobody").unwrap().unwrap().uid.as_raw());
}

#[test]
fn a_graceful_restart_replaces_the_template() {
    let httpd = setup("template-graceful", "processes=2 threads=1 preload=application").start();
    let before = ask(&httpd);
    httpd.graceful();
    wait_until("the old processes are gone", || {
        httpd.pids(Kind::Template).len() == 1 && httpd.pids(Kind::Worker).len() == 2
    });
    assert_ne!(ask(&httpd)["loaded_by"], before["loaded_by"]);
}

#[test]
fn what_cannot_be_preloaded_is_found_before_the_start() {
    let conf = "WSGIDaemonProcess x preload=application\n\
                WSGIScriptAlias /a /a.wsgi process-group=x\n\
                WSGIScriptAlias /b /b.wsgi process-group=x";
    Httpd::configtest(conf).assert_refused("set WSGIApplicationGroup %{GLOBAL}");
    Httpd::configtest(&format!("{conf}\nWSGIApplicationGroup %{{GLOBAL}}")).assert_accepted();
    Httpd::configtest("WSGIDaemonProcess x preload=application").assert_refused(
        "the configuration does not say which script runs in the process group \"x\"",
    );
}

/// Hangs in a hook around the fork while the file `stuck` is there.
const STUCK: &str = r#"
import os, time
STUCK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "stuck")

def hang():
    while os.path.exists(STUCK):
        time.sleep(0.01)

os.register_at_fork(HOOK=hang)

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
"#;

#[test]
fn a_template_or_a_worker_that_is_stuck_in_a_fork_is_replaced() {
    for (hook, line) in [
        ("before", "has forked no worker within startup-timeout=1 and is killed"),
        ("after_in_child", "was not ready within startup-timeout=1 and is killed"),
    ] {
        let options = "preload=application startup-timeout=1";
        let httpd = script("template-stuck", &STUCK.replace("HOOK", hook), options).start();
        httpd.expect_log("and is killed");
        httpd.allow_log("its workers go on");
        let first: i32 = httpd.get("/app/").send().text().parse().unwrap();
        fs::write(httpd.root().join("app/stuck"), "").unwrap();
        httpd.expect_log(&format!("process group \"test\": worker {first} ended"));
        httpd.signal(first, Signal::SIGKILL);
        httpd.wait_for_log(line);
        fs::remove_file(httpd.root().join("app/stuck")).unwrap();
        let reply = httpd.get("/app/").send();
        assert_eq!(reply.status, 200, "{hook}: {}", reply.text());
        assert_ne!(reply.text(), first.to_string(), "{hook}");
    }
}
