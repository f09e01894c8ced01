//! The queue of a process group, the one door to its workers: who can use it, and what becomes of
//! those that wait in it.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use nix::unistd::{Uid, User};
use testkit::{Httpd, Kind, Mode, Setup, Signal, wait_until};

/// Tells its process; `/hold` does so when the file `go` is there.
const SCRIPT: &str = r#"
import os, time
HERE = os.path.dirname(os.path.abspath(__file__))

def application(environ, start_response):
    if environ["PATH_INFO"] == "/hold":
        open(os.path.join(HERE, "held"), "a").close()
        while not os.path.exists(os.path.join(HERE, "go")):
            time.sleep(0.005)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
"#;

/// The script, in a directory that all users may write to.
fn group(name: &str, options: &str) -> Setup {
    Httpd::new(name)
        .mode(Mode::Daemon)
        .daemon(options)
        .file("app/app.wsgi", SCRIPT)
        .file("htdocs/static.txt", "static\n")
        .conf("WSGIScriptAlias /app {root}/app/app.wsgi")
}

/// Lets workers of any user write into the directory of the script.
fn open_app(httpd: &Httpd) {
    use std::os::unix::fs::PermissionsExt as _;
    let everybody = fs::Permissions::from_mode(0o777);
    fs::set_permissions(httpd.root().join("app"), everybody).unwrap();
}

/// The only process of a kind, once there is one: others are just being started, or end.
fn only(httpd: &Httpd, kind: Kind) -> i32 {
    wait_until("one is there", || httpd.pids(kind).len() == 1);
    httpd.pids(kind)[0]
}

fn go(httpd: &Httpd) {
    fs::write(httpd.root().join("app/go"), "").unwrap();
}

fn is_held(httpd: &Httpd) -> bool {
    httpd.root().join("app/held").exists()
}

/// The numbers of the sockets that a process has open.
fn sockets_of(pid: i32) -> BTreeSet<String> {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let links = descriptors.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
    links
        .filter_map(|link| {
            let name = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
            Some(name.to_owned())
        })
        .collect()
}

/// The attack of a process of the web server's user (PHP, a CGI program, an application in a group
/// without `user=`): it takes each descriptor out of the processes that hold an end of a queue.
/// Prints those that it got.
const THIEF: &str = r#"
import ctypes, os, sys
user, group = int(sys.argv[1]), int(sys.argv[2])
os.setgroups([])
os.setresgid(group, group, group)
os.setresuid(user, user, user)
libc = ctypes.CDLL(None, use_errno=True)
PIDFD_GETFD = 438
for pid in map(int, sys.argv[3:]):
    process = os.pidfd_open(pid)
    for number in range(64):
        if libc.syscall(PIDFD_GETFD, process, number, 0) >= 0:
            print("pidfd_getfd", pid, number)
        try:
            os.open(f"/proc/{pid}/fd/{number}", os.O_RDWR)
            print("open", pid, number)
        except OSError:
            pass
"#;

#[test]
fn a_foreign_process_of_the_web_servers_user_finds_no_way_in() {
    let options = if Uid::effective().is_root() { "threads=1 user=nobody" } else { "threads=1" };
    let httpd = group("no-way", options).start();
    assert_eq!(httpd.get("/app").send().status, 200);
    let pids: Vec<i32> = [Kind::Child, Kind::Supervisor, Kind::Worker]
        .into_iter()
        .flat_map(|kind| httpd.pids(kind))
        .collect();
    let ours: BTreeSet<String> = pids.iter().flat_map(|pid| sockets_of(*pid)).collect();
    assert!(ours.len() >= 3, "queue, control sockets: {ours:?}");
    // Each line has seven fields, the sixth being the state (01: unconnected, also one that
    // listens), the seventh the number, and the name behind them if there is one.
    let table = fs::read_to_string("/proc/net/unix").unwrap();
    for line in table.lines().skip(1) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        if ours.contains(fields[6]) {
            assert_eq!(fields.len(), 7, "a socket has a name: {line}");
            assert_ne!(fields[5], "01", "a socket listens: {line}");
        }
    }
    if Uid::effective().is_root() {
        let web = User::from_name("www-data").unwrap().unwrap();
        let mut thief = Command::new("/usr/bin/python3");
        thief.args(["-c", THIEF, &web.uid.to_string(), &web.gid.to_string()]);
        let output = thief.args(pids.iter().map(ToString::to_string)).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    }
    assert_eq!(httpd.get("/app").send().status, 200);
}

#[test]
fn options_about_sockets_change_nothing() {
    let httpd = group("socket-user", "threads=1 socket-user=nobody").start();
    assert_eq!(httpd.get("/app").send().status, 200);
}

/// Embedded, and so in a child: its sending end of the queue of the group that is defined first.
pub(crate) const QUEUE_OF_CHILD: &str = r"
import os, socket

def queue():
    for number in range(3, 256):
        try:
            found = socket.socket(fileno=os.dup(number))
        except OSError:
            continue
        if found.family == socket.AF_UNIX and found.type == socket.SOCK_SEQPACKET:
            return found
        found.close()
";

/// With [`QUEUE_OF_CHILD`]: puts into the queue what no child would.
const FORGER: &str = r#"
import array, struct

def send(end, message, files):
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))
    end.sendmsg([message], [rights] if files else [])

def application(environ, start_response):
    end = queue()
    ours, theirs = socket.socketpair()
    ours.sendall(b"x")
    read, write = os.pipe()
    # Nothing at all; no stream; two; one that is none.
    send(end, b"", [])
    send(end, b"", [theirs.fileno()])
    send(end, b"message", [])
    send(end, b"message", [theirs.fileno(), theirs.fileno()])
    send(end, b"message", [read])
    # An unknown frame; one that is longer than any may be; one that its child gives up.
    heads = b"\xffabcd", struct.pack("<BI", 1, 1 << 31), struct.pack("<BI", 1, 100)
    for head, rest in zip(heads, (b"x", b"x", b"")):
        ours, theirs = socket.socketpair()
        ours.sendall(rest)
        send(end, head, [theirs.fileno()])
        ours.close()
    start_response("200 OK", [])
    return [b"sent"]
"#;

#[test]
fn what_is_no_request_is_refused() {
    let httpd = group("forged", "threads=1")
        .one_child()
        .file("app/forger.wsgi", [QUEUE_OF_CHILD, FORGER].concat())
        .conf("WSGIScriptAlias /forger {root}/app/forger.wsgi process-group=%{GLOBAL}")
        .start();
    let worker = httpd.get("/app").send().text();
    httpd.expect_log("WSGI0252");
    httpd.expect_log("WSGI0033");
    httpd.expect_log("a request cannot be read: a frame of the unknown type 255");
    httpd.expect_log("a request cannot be read: a frame of type RequestHead with 2147483648 bytes");
    assert_eq!(httpd.get("/forger").send().text(), "sent");
    assert_eq!(httpd.get("/app").send().text(), worker, "the worker serves on");
    wait_until("all four are refused", || httpd.log_lines("WSGI0252").len() == 4);
}

/// In a worker, which holds the receiving end as all workers of its group do.
const VANDAL: &str = r#"
import os, socket

def application(environ, start_response):
    end = socket.socket(fileno=os.dup(3))
    assert end.type == socket.SOCK_SEQPACKET
    try:
        end.send(b"to the children")
        answer = "sent"
    except BrokenPipeError:
        answer = "nothing is sent back"
    end.shutdown(socket.SHUT_RD)
    start_response("200 OK", [])
    return [answer.encode()]
"#;

#[test]
fn a_worker_that_breaks_its_queue_hurts_its_own_group_only() {
    let httpd = group("vandal", "processes=0..1 threads=1")
        .file("app/vandal.wsgi", VANDAL)
        .conf(
            "WSGIDaemonProcess vandal threads=1 processes=0..1 idle-timeout=1 python-home={home}\n\
             WSGIScriptAlias /vandal {root}/app/vandal.wsgi process-group=vandal",
        )
        .start();
    assert_eq!(httpd.get("/vandal").send().text(), "nothing is sent back");
    httpd.expect_log("process group \"vandal\": one of its processes has shut its queue down");
    httpd.expect_log("WSGI0117");
    wait_until("its requests are refused", || httpd.get("/vandal").send().status == 503);
    assert_eq!(httpd.get("/app").send().status, 200);
    httpd.wait_for_log("process group \"vandal\": one of its processes has shut its queue down");
    httpd.graceful();
    wait_until("a graceful restart mends it", || httpd.get("/vandal").send().status == 200);
}

#[test]
fn what_waits_in_the_queue_survives_the_worker() {
    let httpd = group("survives", "threads=1").start();
    open_app(&httpd);
    httpd.expect_log("WSGI0146");
    httpd.expect_log("ended (signal: 9 (SIGKILL))");
    thread::scope(|scope| {
        let held = scope.spawn(|| httpd.get("/app/hold").send().status);
        wait_until("a request is being served", || is_held(&httpd));
        let waiting: Vec<_> = (0..3).map(|_| scope.spawn(|| httpd.get("/app").send())).collect();
        let worker = only(&httpd, Kind::Worker);
        httpd.signal(worker, Signal::SIGKILL);
        assert_eq!(held.join().unwrap(), 502, "it may have done something: it is not repeated");
        for one in waiting {
            let reply = one.join().unwrap();
            assert_eq!(reply.status, 200);
            assert_ne!(reply.text(), worker.to_string());
        }
    });
}

/// A Python that does not start anything while the file `away` is there.
const PYTHON: &str =
    "#!/bin/sh\n[ -e \"$(dirname \"$0\")/away\" ] && exit 7\nexec /usr/bin/python3 \"$@\"\n";

#[test]
fn a_group_without_a_worker_refuses_at_once_and_comes_back() {
    let httpd = Httpd::new("down")
        .program("fake/bin/python", PYTHON)
        .file("app/app.wsgi", SCRIPT)
        .file("htdocs/static.txt", "static\n")
        .conf(
            "WSGIDaemonProcess down threads=1 python-home={root}/fake\n\
             WSGIScriptAlias /app {root}/app/app.wsgi process-group=down",
        )
        .start();
    assert_eq!(httpd.get("/app").send().status, 200);
    let away = httpd.root().join("fake/bin/away");
    fs::write(&away, "").unwrap();
    httpd.allow_log("is not a Python that works");
    httpd.expect_log("ended before it was ready");
    httpd.graceful();
    // One that was waiting when it went down is refused, too; none waits for `connect-timeout`.
    httpd.expect_log("WSGI0211");
    wait_until("the group is down", || httpd.get("/app").send().status == 503);
    assert_eq!(httpd.get("/static.txt").send().status, 200);
    // The wsgid that follows knows nothing of that, and must not leave the group refused for ever.
    httpd.expect_log("has ended unasked (signal: 9 (SIGKILL))");
    httpd.signal(only(&httpd, Kind::Supervisor), Signal::SIGKILL);
    fs::remove_file(&away).unwrap();
    wait_until("it is back", || httpd.get("/app").send().status == 200);
}

#[test]
fn a_python_that_is_away_for_a_moment_is_tried_again() {
    let httpd = Httpd::new("away")
        .program("fake/bin/python", PYTHON)
        .file("app/app.wsgi", SCRIPT)
        .conf(
            "WSGIDaemonProcess away threads=1 python-home={root}/fake\n\
             WSGIScriptAlias /app {root}/app/app.wsgi process-group=away",
        )
        .start();
    assert_eq!(httpd.get("/app").send().status, 200);
    let (here, there) = (httpd.root().join("fake"), httpd.root().join("elsewhere"));
    fs::rename(&here, &there).unwrap();
    httpd.expect_log("cannot start a worker: python-home:");
    httpd.allow_log("does not exist");
    httpd.allow_log("WSGI0211");
    httpd.graceful();
    httpd.wait_for_log("cannot start a worker");
    fs::rename(&there, &here).unwrap();
    wait_until("it is back", || httpd.get("/app").send().status == 200);
}

#[test]
fn a_stalled_group_leaves_threads_for_others() {
    // A child has eight threads here, of which four may wait. Prefork's has one.
    let httpd = group("stalled", "threads=1 wait-share=50").one_child();
    let httpd = httpd.mpm(testkit::Mpm::Event).start();
    open_app(&httpd);
    httpd.expect_log("WSGI0212");
    thread::scope(|scope| {
        let waiting: Vec<_> =
            (0..7).map(|_| scope.spawn(|| httpd.get("/app/hold").send().status)).collect();
        wait_until("one is being served", || is_held(&httpd));
        wait_until("those are refused that are too many", || {
            httpd.log_lines("WSGI0212").len() == 3
        });
        assert_eq!(httpd.get("/static.txt").send().status, 200);
        // Nor is another one let in.
        assert_eq!(httpd.get("/app").send().status, 503);
        go(&httpd);
        let statuses: Vec<u16> = waiting.into_iter().map(|one| one.join().unwrap()).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 4, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 503).count(), 3, "{statuses:?}");
    });
    assert_eq!(httpd.get("/app").send().status, 200);
}

#[test]
fn knocks_leave_room_for_requests() {
    let options = "threads=1 wait-share=100 listen-backlog=5 connect-timeout=1";
    let httpd = group("knocks", options).start();
    open_app(&httpd);
    thread::scope(|scope| {
        let server = &httpd;
        let send = |path| scope.spawn(move || server.get(path).send().status);
        let mut waiting = vec![send("/app/hold")];
        wait_until("one is being served", || is_held(&httpd));
        waiting.push(send("/app"));
        // It knocks after three seconds, and after six.
        let begun = Instant::now();
        wait_until("it has knocked twice", || begun.elapsed() > Duration::from_millis(6500));
        waiting.extend((0..3).map(|_| send("/app")));
        wait_until("they have waited", || begun.elapsed() > Duration::from_secs(8));
        go(&httpd);
        let statuses: Vec<u16> = waiting.into_iter().map(|one| one.join().unwrap()).collect();
        assert_eq!(statuses, [200; 5]);
    });
}

#[test]
fn a_supervisor_that_is_killed_again_and_again_comes_back() {
    let httpd = group("killed-twice", "threads=1").start();
    for _ in 0..3 {
        let supervisor = only(&httpd, Kind::Supervisor);
        httpd.expect_log("has ended unasked (signal: 9 (SIGKILL))");
        httpd.signal(supervisor, Signal::SIGKILL);
        // Requests wait in the queue meanwhile, which httpd's parent keeps.
        let mut last = String::new();
        wait_until("another wsgid runs", || {
            last = httpd.get("/app").send().text();
            let now = httpd.pids(Kind::Supervisor);
            now.len() == 1 && now != [supervisor]
        });
        assert!(last.parse::<i32>().is_ok(), "{last}");
    }
}

#[test]
fn an_old_generation_keeps_only_what_its_connections_need() {
    let httpd = group("shrinks", "processes=3 threads=2").start();
    open_app(&httpd);
    wait_until("all workers run", || httpd.pids(Kind::Worker).len() == 3);
    let old: BTreeSet<i32> = httpd.pids(Kind::Worker).into_iter().collect();
    let supervisor = only(&httpd, Kind::Supervisor);
    thread::scope(|scope| {
        let held = scope.spawn(|| httpd.get("/app/hold").send().text());
        wait_until("a request is being served", || is_held(&httpd));
        httpd.graceful();
        wait_until("of the old workers one is there, which serves", || {
            let now: BTreeSet<i32> = httpd.pids(Kind::Worker).into_iter().collect();
            now.intersection(&old).count() == 1 && now.difference(&old).count() == 3
        });
        assert!(httpd.pids(Kind::Supervisor).contains(&supervisor));
        go(&httpd);
        let served = held.join().unwrap();
        assert!(old.contains(&served.parse().unwrap()), "{served}");
    });
    wait_until("the old wsgid has ended", || !httpd.pids(Kind::Supervisor).contains(&supervisor));
}
