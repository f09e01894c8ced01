//! Clients that are slower than anything else keep no worker.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use testkit::{Httpd, LIMIT, Mode, Setup, wait_until};

/// `/digest` reads the body and tells its length; `/large?N` answers N MiB in pieces; `/trickle`
/// answers a piece, waits for the file `go`, and answers 4 MiB; `/` answers.
const SCRIPT: &str = r#"
import os, time
HERE = os.path.dirname(os.path.abspath(__file__))
PIECE = bytes(range(256)) * 256

def application(environ, start_response):
    path = environ["PATH_INFO"]
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    if path == "/digest":
        return [str(len(environ["wsgi.input"].read())).encode()]
    if path == "/large":
        return (PIECE for _ in range(16 * int(environ["QUERY_STRING"])))
    if path == "/trickle":
        return trickle()
    return [b"well"]

def trickle():
    yield b"first"
    while not os.path.exists(os.path.join(HERE, "go")):
        time.sleep(0.005)
    for _ in range(64):
        yield PIECE
"#;

/// Two workers with a thread each, and a child with room for all slow clients and some more.
fn site(name: &str) -> Setup {
    Httpd::new(name)
        .mode(Mode::Daemon)
        .daemon("processes=2 threads=1")
        .file("app/app.wsgi", SCRIPT)
        .conf("WSGIScriptAlias / {root}/app/app.wsgi")
}

fn connect(httpd: &Httpd) -> TcpStream {
    let stream = TcpStream::connect_timeout(&httpd.address(), LIMIT).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream
}

const SLOW: usize = 6;

#[test]
fn slow_uploads_keep_no_worker() {
    let httpd = site("slow-uploads").start();
    let half = vec![b'x'; 50_000];
    let mut slow: Vec<TcpStream> = (0..SLOW)
        .map(|_| {
            let mut stream = connect(&httpd);
            write!(stream, "POST /digest HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
                .unwrap();
            stream.write_all(&half).unwrap();
            stream
        })
        .collect();
    for _ in 0..20 {
        assert_eq!(httpd.get("/").send().text(), "well");
    }
    for stream in &mut slow {
        stream.write_all(&half).unwrap();
        let mut reply = vec![0; 16 << 10];
        let count = stream.read(&mut reply).unwrap();
        let reply = String::from_utf8_lossy(&reply[..count]).into_owned();
        assert!(reply.starts_with("HTTP/1.1 200") && reply.contains("100000"), "{reply}");
    }
}

#[test]
fn slow_readers_keep_no_worker() {
    let httpd = site("slow-readers").start();
    let mut slow: Vec<TcpStream> = (0..SLOW)
        .map(|_| {
            let mut stream = connect(&httpd);
            write!(stream, "GET /large?8 HTTP/1.0\r\nHost: x\r\n\r\n").unwrap();
            let mut first = [0; 1];
            stream.read_exact(&mut first).unwrap();
            stream
        })
        .collect();
    for _ in 0..20 {
        assert_eq!(httpd.get("/").send().text(), "well");
    }
    thread::scope(|scope| {
        for stream in &mut slow {
            scope.spawn(|| {
                let mut reply = Vec::new();
                stream.read_to_end(&mut reply).unwrap();
                let end = reply.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
                let body = &reply[end + 4..];
                assert_eq!(body.len(), 8 << 20);
                let expected = (0..=255_u8).cycle();
                assert!(body.iter().copied().eq(expected.take(8 << 20)), "other bytes");
            });
        }
    });
}

#[test]
fn pieces_leave_at_once_and_what_follows_waits_for_a_slow_client_only() {
    let httpd = site("trickle").start();
    fs::set_permissions(httpd.root().join("app"), {
        use std::os::unix::fs::PermissionsExt as _;
        fs::Permissions::from_mode(0o777)
    })
    .unwrap();
    let mut connection = httpd.get("/trickle").start().unwrap();
    connection.head().unwrap();
    assert_eq!(connection.piece().unwrap().unwrap(), b"first");
    fs::write(httpd.root().join("app/go"), "").unwrap();
    let mut total = 0;
    while let Some(piece) = connection.piece().unwrap() {
        total += piece.len();
    }
    assert_eq!(total, 4 << 20);
}

#[test]
fn a_response_beyond_the_buffer_waits_for_its_client() {
    let httpd = site("beyond").daemon("processes=2 threads=1 response-buffer-size=65536").start();
    let mut stream = connect(&httpd);
    write!(stream, "GET /large?32 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut first = [0; 1];
    stream.read_exact(&mut first).unwrap();
    assert_eq!(httpd.get("/").send().text(), "well", "the other worker serves");
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).unwrap();
    assert!(reply.len() > 32 << 20 && reply.ends_with(b"\r\n0\r\n\r\n"));
}

#[test]
fn a_client_that_stops_reading_is_given_up() {
    let httpd = site("stops").daemon("processes=1 threads=1 response-socket-timeout=1").start();
    let mut stream = connect(&httpd);
    write!(stream, "GET /large?64 HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    stream.read_exact(&mut [0; 1]).unwrap();
    wait_until("the only worker is free again", || httpd.get("/").send().text() == "well");
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut reply = Vec::new();
    let _ = stream.read_to_end(&mut reply);
    assert!(!reply.ends_with(b"\r\n0\r\n\r\n"), "it is cut short");
}

#[test]
fn without_room_for_what_is_kept_everything_goes_on() {
    // As on a full disk: no file can be made where spools are.
    let httpd = site("no-room").env("TMPDIR", "/no/such/directory").start();
    let body: Vec<u8> = (0..=255).cycle().take(900_000).collect();
    assert_eq!(httpd.post("/digest", body).send().text(), "900000");
    let mut connection = httpd.get("/large?8").start().unwrap();
    connection.head().unwrap();
    let mut total = 0;
    while let Some(piece) = connection.piece().unwrap() {
        total += piece.len();
    }
    assert_eq!(total, 8 << 20);
}
