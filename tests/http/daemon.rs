//! Process groups: what their processes are like, and how they come and go.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::thread;

use nix::unistd::Uid;
use serde_json::Value;
use testkit::{Httpd, Kind, Mode, Setup, Signal, wait_until};

fn group(name: &str, options: &str) -> Setup {
    Httpd::new(name).app("process.wsgi").mode(Mode::Daemon).daemon(options)
}

fn facts(httpd: &Httpd) -> Value {
    let reply = httpd.get("/facts").send();
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

#[test]
fn a_group_has_its_processes_and_threads() {
    let httpd = Httpd::new("size")
        .mode(Mode::Daemon)
        .daemon("processes=2 threads=3")
        .file(
            "app/process.wsgi",
            fs::read(testkit::installation::apps().join("process.wsgi")).unwrap(),
        )
        .conf("WSGIScriptAlias / {root}/app/process.wsgi")
        .start();
    wait_until("both workers run", || httpd.pids(Kind::Worker).len() == 2);
    // Six requests at once, which only end when all of them have begun: three in each process.
    let pids: Vec<i64> = thread::scope(|scope| {
        let held: Vec<_> = (0..6)
            .map(|_| scope.spawn(|| httpd.get("/hold?go").send().json().as_i64().unwrap()))
            .collect();
        wait_until("all six requests are being served", || {
            let threads = httpd.pids(Kind::Worker).into_iter().map(requests_of);
            threads.sum::<usize>() == 6
        });
        fs::write(httpd.root().join("app/go"), "").unwrap();
        held.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let processes: BTreeSet<_> = pids.iter().copied().collect();
    assert_eq!(processes.len(), 2, "{pids:?}");
    assert!(processes.iter().all(|pid| pids.iter().filter(|one| *one == pid).count() == 3));
}

/// Connections that a worker has open: one for each request that it serves.
pub(crate) fn requests_of(pid: i32) -> usize {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else { return 0 };
    let sockets = descriptors.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    let sockets = sockets.filter(|link| link.to_string_lossy().starts_with("socket:")).count();
    // The queue, the connection to wsgid and the two ends of the signal stream.
    sockets.saturating_sub(4)
}

/// The only worker, once it has ended the request before: its stream is open a moment longer than
/// its answer takes.
pub(crate) fn idle_worker(httpd: &Httpd) -> i32 {
    let [worker] = httpd.pids(Kind::Worker)[..] else { panic!("one worker") };
    wait_until("it is idle", || requests_of(worker) == 0);
    worker
}

#[test]
fn a_worker_has_what_the_options_say() {
    let options = "threads=1 umask=0027 home=/tmp lang=C locale=C.UTF-8 display-name=my-name \
                   python-path=/usr/share:/usr/lib";
    let httpd = group("options", options).start();
    let facts = facts(&httpd);
    assert_eq!(facts["umask"], 0o027);
    assert_eq!(facts["cwd"], "/tmp");
    assert_eq!(facts["title"], "my-name");
    assert_eq!(facts["environment"]["LANG"], "C");
    assert_eq!(facts["environment"]["LC_ALL"], "C.UTF-8");
    let path: Vec<_> = facts["path"].as_array().unwrap()[..3].to_vec();
    assert_eq!(path, ["/tmp", "/usr/share", "/usr/lib"]);
    assert_eq!(facts["argv"], serde_json::json!(["mod_wsgi"]));
    // Nothing of httpd's is open in it: standard streams, queue, wsgid, signals, three events, the
    // thread's epoll instance and state, stacks, request, and the folder that is listed.
    let descriptors = facts["descriptors"].as_array().unwrap().len();
    assert!(descriptors <= 15, "{:?}", facts["descriptors"]);
}

#[test]
fn a_worker_is_named_after_its_group() {
    let httpd = group("title", "threads=1").start();
    assert_eq!(facts(&httpd)["title"], "(wsgi:test)");
}

#[test]
fn a_worker_runs_as_its_user() {
    if !Uid::effective().is_root() {
        let httpd = group("same-user", "threads=1").start();
        assert_eq!(facts(&httpd)["uid"], Uid::effective().as_raw());
        return;
    }
    let httpd = group("user", "threads=1 user=nobody group=nogroup").start();
    let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
    let facts = facts(&httpd);
    assert_eq!(facts["uid"], nobody.uid.as_raw());
    assert_eq!(facts["gid"], nobody.gid.as_raw());
    assert_eq!(facts["groups"], serde_json::json!([nobody.gid.as_raw()]));
    assert_eq!(facts["environment"]["HOME"], nobody.dir.to_str().unwrap());
    // As httpd's own user where nothing is said.
    let httpd = group("default-user", "threads=1").start();
    let web = nix::unistd::User::from_name("www-data").unwrap().unwrap();
    assert_eq!(self::facts(&httpd)["uid"], web.uid.as_raw());
}

#[test]
fn a_worker_that_dies_is_replaced() {
    let httpd = group("dies", "threads=1").start();
    let before = facts(&httpd)["pid"].clone();
    httpd.expect_log("SIGKILL");
    let [worker] = httpd.pids(Kind::Worker)[..] else { panic!("one worker") };
    httpd.signal(worker, Signal::SIGKILL);
    // The request waits in the group's queue until the next worker takes it.
    assert_ne!(facts(&httpd)["pid"], before);
}

#[test]
fn a_worker_that_dies_before_it_answers_is_a_502() {
    let httpd = group("lost", "threads=1").start();
    httpd.expect_log("the worker was lost before it had answered");
    httpd.expect_log("SIGKILL");
    assert_eq!(httpd.get("/signal?9").send().status, 502);
    assert_eq!(httpd.get("/facts").send().status, 200);
}

#[test]
fn a_request_that_ends_its_worker_unread_is_not_sent_to_another() {
    // What is on the stream when a worker dies means that it has not begun; so nothing of a request
    // that has may be, whether its application has read the body or not.
    for length in [1, 1_024, 1_025, 5_000, 65_536, 65_537, 1_000_000] {
        let httpd = group(&format!("lost-{length}"), "threads=1").start();
        let before = facts(&httpd)["pid"].clone();
        httpd.expect_log("the worker was lost before it had answered");
        httpd.expect_log(&format!("worker {before} ended"));
        let body = vec![b'x'; length];
        assert_eq!(httpd.post("/signal?9", body).send().status, 502, "{length} bytes");
        // A second worker would have been ended, too, by a line that was not announced.
        assert_eq!(httpd.get("/facts").send().status, 200);
    }
}

#[test]
fn a_worker_that_dies_while_it_answers_is_seen_by_the_client() {
    let httpd = group("cut", "threads=1").start();
    httpd.expect_log("the worker was lost before it had answered");
    httpd.expect_log("SIGKILL");
    let error = httpd.get("/cut?9").try_send().unwrap_err();
    assert!(error.to_string().contains("cut"), "{error}");
}

#[test]
fn restarts_replace_everything_and_leave_nothing() {
    let httpd = group("restarts", "processes=2 threads=2").start();
    let workers = |httpd: &Httpd| httpd.pids(Kind::Worker).into_iter().collect::<BTreeSet<_>>();
    for restart in [Httpd::graceful, Httpd::restart] {
        facts(&httpd);
        let (before, supervisors) = (workers(&httpd), httpd.pids(Kind::Supervisor));
        restart(&httpd);
        facts(&httpd);
        wait_until("the old workers and their wsgid are gone", || {
            workers(&httpd).is_disjoint(&before)
                && httpd.pids(Kind::Supervisor) != supervisors
                && httpd.pids(Kind::Supervisor).len() == 1
        });
        assert_eq!(sockets(&httpd), 0, "no socket has a name");
    }
    httpd.stop();
    // When httpd has stopped, all of it has.
    assert_eq!(httpd.processes().len(), 0, "{:?}", httpd.processes());
    assert_eq!(sockets(&httpd), 0);
}

/// Sockets in the server's runtime directory.
fn sockets(httpd: &Httpd) -> usize {
    let run = fs::read_dir(httpd.root().join("run")).unwrap();
    run.filter(|entry| entry.as_ref().unwrap().file_type().unwrap().is_socket()).count()
}

#[test]
fn a_killed_parent_leaves_nothing() {
    let httpd = group("killed", "processes=2 threads=2").start();
    facts(&httpd);
    httpd.kill_parent();
    wait_until("everything has ended by itself", || httpd.processes().is_empty());
    assert_eq!(sockets(&httpd), 0);
}

#[test]
fn signals_are_passed_on_to_applications() {
    let script = "
import mod_wsgi
import sys


@mod_wsgi.subscribe_signals
def heard(name, **event):
    sys.stderr.write('%s %s %d\\n' % (name, event['signame'], event['signum']))


def application(environ, start_response):
    start_response('200 OK', [])
    return [b'x']
";
    let httpd = Httpd::new("signals")
        .file("app/app.wsgi", script)
        .conf("WSGIScriptAlias / {root}/app/app.wsgi")
        .mode(Mode::Daemon)
        .start();
    assert_eq!(httpd.get("/").send().status, 200);
    let [worker] = httpd.pids(Kind::Worker)[..] else { panic!("one worker") };
    for (signal, text) in [(Signal::SIGUSR2, "SIGUSR2 12"), (Signal::SIGHUP, "SIGHUP 1")] {
        let text = format!("process_signal {text}");
        httpd.expect_log(&text);
        httpd.signal(worker, signal);
        httpd.wait_for_log(&text);
    }
    assert_eq!(httpd.pids(Kind::Worker), [worker], "it lives on");
}

#[test]
fn a_process_that_an_application_forks_is_its_own() {
    let script = "
import os
import signal
import time


def status_of(number):
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGALRM, lambda *_: os._exit(7))
        os.write(write, b'x')
        # Not `signal.pause`: a signal that comes right before it would be waited for in vain. And
        # CPython 3.13.0 looks for signals here only where it is made to, as by this call.
        while True:
            signal.pthread_sigmask(signal.SIG_BLOCK, [])
            time.sleep(0.01)
    os.read(read, 1)
    os.kill(pid, number)
    os.close(read)
    os.close(write)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def application(environ, start_response):
    answers = [status_of(number) for number in (signal.SIGALRM, signal.SIGTERM, signal.SIGUSR2)]
    start_response('200 OK', [])
    return [repr(answers).encode()]
";
    let httpd = Httpd::new("forked")
        .file("app/app.wsgi", script)
        .conf("WSGIScriptAlias / {root}/app/app.wsgi\nWSGIApplicationGroup %{GLOBAL}")
        .mode(Mode::Daemon)
        .start();
    // Its own handler works there; a signal of the worker's ends it.
    assert_eq!(httpd.get("/").send().text(), "[7, 255, 255]");
    let [worker] = httpd.pids(Kind::Worker)[..] else { panic!("one worker") };
    assert_eq!(httpd.get("/").send().text(), "[7, 255, 255]");
    assert_eq!(httpd.pids(Kind::Worker), [worker], "it lives on");
}

#[test]
fn a_killed_supervisor_is_started_again() {
    let httpd = group("supervisor", "threads=1").start();
    let before = facts(&httpd)["pid"].clone();
    let [supervisor] = httpd.pids(Kind::Supervisor)[..] else { panic!("one wsgid") };
    httpd.expect_log("has ended unasked (signal: 9 (SIGKILL))");
    let [worker] = httpd.pids(Kind::Worker)[..] else { panic!("one worker") };
    httpd.signal(supervisor, Signal::SIGKILL);
    wait_until("its worker is gone, too", || !httpd.pids(Kind::Worker).contains(&worker));
    // The request waits until the new one listens.
    assert_ne!(facts(&httpd)["pid"], before);
}

#[test]
fn a_group_that_cannot_be_started_any_more_does_not_end_the_others() {
    let python = "#!/bin/sh\nexec /usr/bin/python3 \"$@\"\n";
    let httpd = Httpd::new("vanished")
        .program("fake/bin/python", python)
        .conf(
            "WSGIDaemonProcess gone threads=1 python-home={root}/fake\n\
             WSGIDaemonProcess test threads=1 python-home={home}\n\
             WSGIScriptAlias / {apps}/process.wsgi process-group=test",
        )
        .start();
    facts(&httpd);
    fs::remove_dir_all(httpd.root().join("fake")).unwrap();
    httpd.expect_log("fake\" does not exist");
    httpd.graceful();
    facts(&httpd);
}

#[test]
fn a_worker_that_cannot_start_is_tried_again_more_and_more_slowly() {
    // It is a Python when it is asked, but not for long.
    let python = "#!/bin/sh\ncase \"$*\" in *_imp*) exit 7;; esac\nexec /usr/bin/python3 \"$@\"\n";
    let httpd = Httpd::new("back-off")
        .program("fake/bin/python", python)
        .conf("WSGIDaemonProcess fake threads=1 python-home={root}/fake")
        .allow_log("ended before it was ready (exit status: 7)")
        .start();
    let first = httpd.wait_for_log("ended before it was ready (exit status: 7)");
    assert!(first.text.contains("the next one starts in"), "{first}");
    wait_until("it was tried three times", || {
        httpd.log_lines("ended before it was ready").len() == 3
    });
    assert!(httpd.log_lines("the next one starts in 1.0s").len() == 1, "{}", httpd.log());
}

/// A forked child that falls out of the view, by its end or by an exception, as a mistake in the
/// application has it.
const FORKS: &str = "
import os


def application(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    worker = os.getpid()
    pid = os.fork()
    if pid == 0:
        print('said by the child')
        if environ['PATH_INFO'] == '/raises':
            raise RuntimeError('in the child')
        return [b'the child ' * 10_000]
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return [f'{worker} {status}'.encode()]
";

#[test]
fn a_forked_process_that_comes_back_serves_nothing() {
    let httpd = Httpd::new("comes-back")
        .file("app/app.wsgi", FORKS)
        .conf("WSGIScriptAlias / {root}/app/app.wsgi\nWSGIApplicationGroup %{GLOBAL}")
        .mode(Mode::Daemon)
        .allow_log("said by the child")
        .allow_log("in the child")
        .allow_log("Traceback")
        .allow_log("File ")
        .allow_log("raise RuntimeError")
        .allow_log("[wsgi:error]")
        .start();
    for path in ["/returns", "/raises"] {
        httpd.expect_log("WSGI0214");
        wait_until("the worker runs", || httpd.pids(Kind::Worker).len() == 1);
        let [worker] = httpd.pids(Kind::Worker)[..] else { panic!("one worker") };
        assert_eq!(httpd.get(path).send().text(), format!("{worker} 255"), "{path}");
    }
    assert_eq!(httpd.pids(Kind::Worker).len(), 1);
}
