//! Bodies at scale, bodies that break off, and the objects of a request after its end.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::thread;

use serde_json::{Value, json};
use testkit::{Httpd, LIMIT, Mode, both_modes, wait_until};

use crate::single_run;

/// Bytes of a body that must not be held in memory at once.
const LONG: usize = 1 << 30;

/// The most that any process may ever have held, in bytes.
const MEMORY: u64 = 100 << 20;

/// Many times the bytes 0 to 255; as long as what is written at once.
const BLOCK: usize = 256 << 10;

fn serve(name: &str, app: &str, mode: Mode) -> Httpd {
    Httpd::new(name).app(app).conf("WSGIChunkedRequest On").mode(mode).one_child().start()
}

fn block() -> Vec<u8> {
    (0..=255).cycle().take(BLOCK).collect()
}

/// A connection without the testkit's client, which keeps whole bodies.
fn connect(httpd: &Httpd) -> TcpStream {
    let stream = TcpStream::connect_timeout(&httpd.address(), LIMIT).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.set_write_timeout(Some(LIMIT)).unwrap();
    stream
}

/// The most memory that each process of the server has ever had resident, from `VmHWM`.
fn assert_memory_was_small(httpd: &Httpd) {
    for process in httpd.processes() {
        let status = fs::read_to_string(format!("/proc/{}/status", process.pid)).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let kilobytes: u64 = peak.trim().strip_suffix(" kB").unwrap().parse().unwrap();
        assert!(kilobytes * 1024 < MEMORY, "{kilobytes} kB at the peak in {process:?}");
    }
}

both_modes! {
    fn a_long_request_body_is_never_held_whole(mode) {
        if !single_run::is_this("streams: a long request body") {
            return;
        }
        let httpd = serve("long-request", "streams.wsgi", mode);
        let mut stream = connect(&httpd);
        write!(stream, "POST /count HTTP/1.0\r\nContent-Length: {LONG}\r\n\r\n").unwrap();
        let block = block();
        for _ in 0..LONG / BLOCK {
            stream.write_all(&block).unwrap();
        }
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        assert!(reply.ends_with(&format!("\r\n\r\n[{LONG}, true]")), "{reply}");
        assert_memory_was_small(&httpd);
    }

    fn a_body_that_is_read_whole_is_in_memory_once(mode) {
        if !single_run::is_this("streams: a body that is read whole") {
            return;
        }
        // The request's head goes first, so that the peak of before is known.
        let script = "
def peak():
    with open('/proc/self/status') as file:
        return next(int(line.split()[1]) for line in file if line.startswith('VmHWM'))


def application(environ, start_response):
    before = peak()
    length = len(environ['wsgi.input'].read())
    start_response('200 OK', [])
    return [b'%d %d' % (length, peak() - before)]
";
        let httpd = Httpd::new("whole-request")
            .file("app/whole.wsgi", script)
            .conf("WSGIScriptAlias / {root}/app/whole.wsgi")
            .mode(mode)
            .one_child()
            .start();
        let length = 200_000_000;
        let reply = httpd.post("/", vec![b'x'; length]).send().text();
        let (got, kilobytes) = reply.split_once(' ').unwrap();
        assert_eq!(got, length.to_string());
        let bytes = kilobytes.parse::<usize>().unwrap() * 1024;
        assert!(bytes < length + (16 << 20), "{bytes} bytes for a body of {length}");
    }

    fn a_long_response_body_is_never_held_whole(mode) {
        if !single_run::is_this("streams: a long response body") {
            return;
        }
        let httpd = serve("long-response", "bodies.wsgi", mode);
        let mut stream = connect(&httpd);
        // HTTP/1.0, so the body comes without chunks, up to the end of the connection.
        write!(stream, "GET /big?{LONG} HTTP/1.0\r\n\r\n").unwrap();
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).unwrap();
            head.extend_from_slice(&byte);
        }
        assert!(head.starts_with(b"HTTP/1.1 200 OK\r\n"), "{}", String::from_utf8_lossy(&head));
        let (expected, mut received) = (block(), vec![0; BLOCK]);
        for number in 0..LONG / BLOCK {
            stream.read_exact(&mut received).unwrap();
            assert!(received == expected, "block {number} is another one");
        }
        assert_eq!(stream.read(&mut received).unwrap(), 0, "more than the body");
        assert_memory_was_small(&httpd);
    }

    fn a_client_that_stops_half_way_is_not_the_end_of_input(mode) {
        let httpd = serve("half", "streams.wsgi", mode);
        let outcome = || httpd.get("/outcome").send().json();
        // A whole body first: this is what the end of input looks like.
        assert_eq!(httpd.post("/half", vec![0; 200_000]).send().status, 200);
        assert_eq!(outcome(), json!({ "read": 200_000, "error": null }));

        // The same host throughout, since each has an interpreter of its own.
        let start = format!("POST /half HTTP/1.1\r\nHost: {}\r\n", httpd.address());
        let length = format!("{start}Content-Length: 1000000\r\n\r\n");
        let chunked = format!("{start}Transfer-Encoding: chunked\r\n\r\nF4240\r\n");
        for head in [length, chunked] {
            for (how, ending) in [("closed", Shutdown::Both), ("half closed", Shutdown::Write)] {
                // Forgets the outcome of the round before.
                assert_eq!(httpd.post("/half", "").send().status, 200);
                let mut stream = connect(&httpd);
                stream.write_all(head.as_bytes()).unwrap();
                stream.write_all(&vec![0; 300_000]).unwrap();
                stream.shutdown(ending).unwrap();
                let what = format!("{how} after {head}");
                let broken = |outcome: &Value| outcome.is_object() && !outcome["error"].is_null();
                wait_until(&format!("the application has noticed: {what}"), || broken(&outcome()));
                let seen = outcome();
                assert!(seen["read"].as_u64().unwrap() <= 300_000, "{what}: {seen}");
                assert!(
                    seen["error"].as_array().unwrap().contains(&json!("OSError")),
                    "{what}: {seen}"
                );
            }
        }
        // Whatever was logged about it at level warn or above fails the test when it ends.
    }

    fn nothing_of_a_request_outlives_it(mode) {
        let httpd = serve("kept", "streams.wsgi", mode);
        assert_eq!(httpd.post("/keep", "unread").send().json(), "kept");
        let raised = httpd.get("/kept").send().json();
        for (name, class) in raised.as_object().unwrap() {
            assert_eq!(class, "RuntimeError", "{name} of {raised}");
        }
        assert_eq!(raised.as_object().unwrap().len(), 6, "{raised}");
        // The second request of the same thread, and the first one's rest of the body, are in
        // order.
        assert_eq!(
            httpd.post("/count", (0..=255).collect::<Vec<u8>>()).send().json(),
            json!([256, true])
        );
    }

    fn many_clients_stop_at_once(mode) {
        let httpd = serve("all-stop", "streams.wsgi", mode);
        thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| {
                    let mut stream = connect(&httpd);
                    let head = "POST /half HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n";
                    stream.write_all(head.as_bytes()).unwrap();
                    stream.write_all(&vec![0; 100_000]).unwrap();
                });
            }
        });
        // Those threads that waited for them serve again.
        for _ in 0..10 {
            assert_eq!(httpd.post("/count", vec![0; 1]).send().json(), json!([1, true]));
        }
    }
}
