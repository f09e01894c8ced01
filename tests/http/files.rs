//! Files that applications have httpd send: httpd's child outlives all of them.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use testkit::{Httpd, Kind, LIMIT, Mode, Setup, both_modes, wait_until};

/// More than all buffers between the file and a client that does not read hold together.
const LONG: usize = 24 << 20;

fn files(name: &str, mode: Mode) -> Setup {
    Httpd::new(name).app("files.wsgi").mode(mode).one_child()
}

/// One thread, so that the application finds the connection of its own request.
fn lying(name: &str) -> Setup {
    files(name, Mode::Daemon).daemon("processes=1 threads=1")
}

/// A file that does not compress well, which the application may read.
fn long_file(httpd: &Httpd) -> PathBuf {
    let path = httpd.root().join("long");
    let mut state = 1_u32;
    let mut bytes = Vec::with_capacity(LONG);
    while bytes.len() < LONG {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    fs::write(&path, bytes).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    path
}

/// A client begins to read a long file, then the file becomes empty, then the client reads on.
fn shrink_under_way(httpd: &Httpd, encoding: &str) {
    let path = long_file(httpd);
    let children = httpd.pids(Kind::Child);
    let mut stream = TcpStream::connect_timeout(&httpd.address(), LIMIT).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    write!(
        stream,
        "GET /file?{} HTTP/1.1\r\nHost: x\r\nAccept-Encoding: {encoding}\r\n\r\n",
        path.display()
    )
    .unwrap();
    let mut reply = vec![0; 64 << 10];
    stream.read_exact(&mut reply).unwrap();
    assert!(reply.starts_with(b"HTTP/1.1 200 OK\r\n"), "{}", String::from_utf8_lossy(&reply));
    File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
    // A connection that is reset is cut short as well.
    let _ = stream.read_to_end(&mut reply);
    assert!(reply.len() < LONG, "the response is complete: {} bytes", reply.len());
    assert!(!reply.ends_with(b"\r\n0\r\n\r\n"), "the response seems to be complete");
    assert_eq!(httpd.get("/").send().text(), "well");
    assert_eq!(httpd.pids(Kind::Child), children, "the child has died");
}

both_modes! {
    fn a_file_that_shrinks_while_it_is_read_is_a_response_cut_short(mode) {
        shrink_under_way(&files("shrink", mode).start(), "identity");
    }

    fn a_file_that_shrinks_before_a_filter_reads_it_is_a_response_cut_short(mode) {
        let conf = "SetOutputFilter DEFLATE";
        let httpd = files("deflate", mode)
            .allow_log("failed reading from HEAP bucket")
            .module("filter")
            .module("deflate")
            .conf(conf)
            .start();
        shrink_under_way(&httpd, "gzip");
    }

    fn a_file_that_shrinks_is_no_harm_to_the_kernel_either(mode) {
        let conf = "WSGIEnableSendfile On\nEnableSendfile On";
        shrink_under_way(&files("shrink-sendfile", mode).conf(conf).start(), "identity");
    }
}

#[test]
fn a_worker_that_promises_more_than_its_file_has_is_refused() {
    // What runs in a worker can speak frames itself, as the group's user: httpd's child believes
    // nothing.
    let httpd = lying("claim").start();
    let children = httpd.pids(Kind::Child);
    for (what, text) in [
        (
            "short",
            "the worker sent a file of 10 bytes, of which 1048576 bytes from 0 on are to be sent",
        ),
        (
            "far",
            "the worker sent a file of 10 bytes, of which 1048576 bytes from 18446744073709551606",
        ),
        ("pipe", "the worker sent a descriptor that is no regular file"),
        ("directory", "the worker sent a descriptor that is no regular file"),
        ("write-only", "the worker sent a file that is not open for reading"),
        ("path", "the worker sent a file that is not open for reading"),
    ] {
        httpd.expect_log(text);
        let error = httpd.get(&format!("/claim?{what}")).try_send().unwrap_err();
        assert!(error.to_string().contains("cut short"), "{what}: {error}");
    }
    assert_eq!(httpd.get("/").send().text(), "well");
    assert_eq!(httpd.pids(Kind::Child), children, "the child has died");
}

#[test]
fn descriptors_that_a_worker_sends_beyond_the_rules_are_not_kept() {
    let httpd = lying("flood").start();
    let child = httpd.pids(Kind::Child)[0];
    let open = || fs::read_dir(format!("/proc/{child}/fd")).unwrap().count();
    assert_eq!(httpd.get("/").send().text(), "well");
    let before = open();
    // With more than the child has room for, with more than a frame needs, many files, with no
    // file.
    for (path, text) in [
        ("/flood?100,1", "the worker sent more descriptors than"),
        ("/flood?2,1", "the worker sent more descriptors than"),
        ("/flood?1,100", "the worker sent"),
        ("/stray?1,100", "the worker sent more descriptors than"),
    ] {
        httpd.expect_log(text);
        for _ in 0..10 {
            match httpd.get(path).try_send() {
                Ok(reply) => assert_eq!(reply.status, 500, "{path}"),
                // The beginning has left already.
                Err(error) => assert!(error.to_string().contains("cut short"), "{path}: {error}"),
            }
        }
    }
    // Connections to clients and workers come and go.
    wait_until("the child has closed them", || open() <= before + 3);
    assert_eq!(httpd.get("/").send().text(), "well");
    assert_eq!(httpd.pids(Kind::Child), [child], "the child has died");
}
