//! Threads, leases, shutdown.

use std::sync::Barrier;
use std::thread;

use super::{Ask, directory, process, read, says, script};

#[test]
fn thread_locals_last_from_request_to_request() {
    let source = "
import threading
local = threading.local()
def application(environ, start_response):
    local.count = getattr(local, 'count', 0) + 1
    start_response('200 OK', [])
    return [str((local.count, environ['mod_wsgi.thread_id'])).encode()]
";
    for group in ["", "life|locals"] {
        let path = script(source);
        let visits =
            || (0..3).map(|_| Ask::at(path.clone()).group(group).run().text()).collect::<Vec<_>>();
        let (here, there) = thread::scope(|scope| {
            let there = scope.spawn(visits);
            (visits(), there.join().unwrap())
        });
        for texts in [&here, &there] {
            let counts: Vec<_> = texts.iter().map(|text| &text[..2]).collect();
            assert_eq!(counts, ["(1", "(2", "(3"]);
            assert!(texts.iter().all(|text| text[2..] == texts[0][2..]), "one number per thread");
        }
        assert_ne!(here[0], there[0], "threads have numbers of their own");
    }
}

#[test]
fn what_is_kept_of_a_request_is_of_no_use() {
    let keep = "
import sys
def application(environ, start_response):
    write = start_response('200 OK', [])
    sys.kept = (environ['wsgi.input'].read, environ['wsgi.input'].readline,
        environ['wsgi.input'].close, lambda: next(environ['wsgi.input']),
        lambda: start_response('200 OK', []), lambda: write(b'x'),
        lambda: environ['wsgi.errors'].write('x\\n'))
    environ['wsgi.errors'].write('in time')
    return []
";
    let reply = Ask::of(keep).group("life|lease").run();
    assert_eq!(reply.log(), ["in time"]);
    let look = "
import sys
def application(environ, start_response):
    seen = []
    for call in sys.kept:
        try: call(); seen.append(None)
        except Exception as e: seen.append(type(e).__name__)
    start_response('200 OK', [])
    return [str(seen).encode()]
";
    let reply = Ask::of(look).group("life|lease").run();
    assert_eq!(reply.text(), format!("{:?}", ["RuntimeError"; 7]).replace('"', "'"));
}

#[test]
fn requests_run_side_by_side() {
    const THREADS: usize = 4;
    let source = "
import threading, time
meet = threading.Barrier(4, timeout=10)
def application(environ, start_response):
    meet.wait()
    data = environ['wsgi.input'].read()
    start_response('200 OK', [])
    for _ in range(50):
        yield data
    meet.wait()
";
    for group in ["", "life|side"] {
        let path = script(source);
        // Loaded once, though all ask at the same time.
        let start = Barrier::new(THREADS);
        thread::scope(|scope| {
            let ask = |body: &'static [u8]| {
                start.wait();
                Ask::at(path.clone()).group(group).rest(&[body]).run().text()
            };
            let bodies: [&'static [u8]; THREADS] = [b"a", b"b", b"c", b"d"];
            let running = bodies.map(|body| scope.spawn(move || ask(body)));
            for (thread, body) in running.into_iter().zip(["a", "b", "c", "d"]) {
                assert_eq!(thread.join().unwrap(), body.repeat(50));
            }
        });
    }
}

#[test]
fn a_slow_import_keeps_nobody_else_waiting() {
    let gate = directory().join("gate");
    let slow = script(&format!(
        "import os, threading\nopened = threading.Event()\n\
         open({gate:?} + '.loading', 'w').close()\n\
         while not os.path.exists({gate:?}): opened.wait(0.005)\n{}",
        says("'slow'")
    ));
    let fast = script(&says("'fast'"));
    assert_eq!(Ask::at(fast.clone()).run().text(), "fast");
    thread::scope(|scope| {
        let loading = scope.spawn(|| Ask::at(slow).run().text());
        let mark = directory().join("gate.loading");
        while !mark.exists() {
            thread::yield_now();
        }
        assert_eq!(Ask::at(fast).run().text(), "fast");
        std::fs::write(&gate, "").unwrap();
        assert_eq!(loading.join().unwrap(), "slow");
    });
}

#[test]
fn an_input_shared_by_threads_is_read_once() {
    let source = "
import threading
def application(environ, start_response):
    pieces = []
    def reader():
        while piece := environ['wsgi.input'].read(7): pieces.append(piece)
    threads = [threading.Thread(target=reader) for _ in range(4)]
    for t in threads: t.start()
    for t in threads: t.join()
    start_response('200 OK', [])
    return [str(sum(map(len, pieces))).encode()]
";
    let piece = [b'x'; 1000];
    let pieces = [piece.as_slice(); 20];
    assert_eq!(Ask::of(source).rest(&pieces).run().text(), "20000");
}

/// In a process of its own, because it ends what all other tests need.
#[test]
fn shutdown_joins_threads_and_runs_atexit() {
    let name = "suite::life::shutdown_joins_threads_and_runs_atexit";
    if let Some(mark) = std::env::var_os("ENGINE_SHUTDOWN") {
        let source = format!(
            "import atexit, threading\n\
             mark = lambda text: open({mark:?}, 'a').write(text)\n\
             done = threading.Event()\n\
             threading.Thread(target=lambda: (done.wait(), mark('t'))).start()\n\
             atexit.register(mark, 'e')\n\
             def application(environ, start_response):\n\
             \x20   start_response('200 OK', [])\n\
             \x20   done.set()\n\
             \x20   return []\n"
        );
        Ask::of(&source).run().text();
        Ask::of(&source).group("life|down").run().text();
        process().daemon.shutdown("shutdown_signal");
        return;
    }
    let mark = directory().join("shutdown");
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env("ENGINE_SHUTDOWN", &mark)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut text: Vec<char> = read(&mark).chars().collect();
    text.sort_unstable();
    assert_eq!(text, ['e', 'e', 't', 't']);
}
