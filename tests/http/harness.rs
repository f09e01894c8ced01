//! The harness itself, with plain httpd: a test that cannot fail would prove nothing.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use testkit::{ClientError, Httpd, Kind, Setup, Signal, wait_until};

fn plain(name: &str) -> Setup {
    Httpd::new(name).without_wsgi().file("htdocs/hello.txt", "hello\n")
}

/// Answers with 403 and one line at level error.
const DENIED: &str = "<Location \"/denied\">\n    Require all denied\n</Location>";
const DENIED_CODE: &str = "AH01630";

#[test]
fn a_static_file_is_served() {
    let httpd = plain("static").start();
    let reply = httpd.get("/hello.txt").send();
    assert_eq!((reply.status, reply.text().as_str()), (200, "hello\n"));
    assert_eq!(reply.header("content-type"), Some("text/plain"));
    wait_until("the access log has the request", || {
        httpd.access_log() == "\"GET /hello.txt HTTP/1.1\" 200 6\n"
    });
}

#[test]
fn a_kept_connection_carries_several_requests() {
    let httpd = plain("kept").start();
    let conversation = || -> Result<(), ClientError> {
        let mut connection = httpd.connect()?;
        for _ in 0..3 {
            let reply = httpd.get("/hello.txt").send_on(&mut connection)?;
            assert_eq!(reply.text(), "hello\n");
        }
        let head = httpd.call("HEAD", "/hello.txt").send_on(&mut connection)?;
        assert_eq!((head.header("content-length"), head.body.len()), (Some("6"), 0));
        assert_eq!(httpd.get("/none").send_on(&mut connection)?.status, 404);
        Ok(())
    };
    // While its threads are still starting, the event MPM closes kept connections to have some
    // idle.
    wait_until("it keeps a connection", || conversation().is_ok());
}

#[test]
fn raw_bytes_can_be_sent() {
    let httpd = plain("raw").allow_log("AH").start();
    let mut connection = httpd.connect().unwrap();
    connection.send(b"NONSENSE\r\n\r\n").unwrap();
    assert_eq!(connection.reply().unwrap().status, 400);
    connection.closed().unwrap();
}

#[test]
fn an_announced_error_is_accepted() {
    let httpd = plain("announced").conf(DENIED).start();
    assert_eq!(httpd.get("/denied").send().status, 403);
    httpd.expect_log(DENIED_CODE);
    httpd.finish().unwrap();
}

#[test]
fn an_error_that_nobody_announced_fails() {
    let httpd = plain("unannounced").conf(DENIED).start();
    assert_eq!(httpd.get("/denied").send().status, 403);
    httpd.wait_for_log(DENIED_CODE);
    let report = failure_of(httpd);
    assert!(report.contains("not announced: ") && report.contains(DENIED_CODE), "{report}");
    assert!(report.contains("Require all denied"), "the configuration is shown: {report}");
}

#[test]
fn an_announced_error_that_does_not_come_fails() {
    let httpd = plain("missing").end_limit(Duration::from_secs(1)).start();
    httpd.expect_log("WSGI9999");
    let report = failure_of(httpd);
    assert!(report.contains("announced, but never logged: WSGI9999"), "{report}");
}

#[test]
fn a_process_that_stays_fails() {
    // A piped log's program lives until its pipe ends; this one does not look at it.
    let httpd = plain("left")
        .conf("CustomLog \"||/bin/sleep 1000\" testkit")
        .end_limit(Duration::from_secs(1))
        .start();
    wait_until("the program runs", || httpd.processes().iter().any(|p| p.exe.ends_with("sleep")));
    let sleeper = httpd.processes().into_iter().find(|p| p.exe.ends_with("sleep")).unwrap();
    httpd.signal(sleeper.pid, Signal::SIGSTOP);
    httpd.kill_parent();
    let report = failure_of(httpd);
    assert!(report.contains(&format!("left behind: process {}", sleeper.pid)), "{report}");
}

#[test]
fn a_server_that_died_fails() {
    let httpd = plain("died").start();
    let parent = httpd.pids(Kind::Parent)[0];
    httpd.signal(parent, Signal::SIGKILL);
    wait_until("it has died", || httpd.pids(Kind::Parent).is_empty());
    let report = failure_of(httpd);
    assert!(report.contains("httpd had ended by itself"), "{report}");
}

#[test]
fn both_restarts_leave_it_serving() {
    let httpd = plain("restart").start();
    let parent = httpd.pids(Kind::Parent);
    let children = httpd.pids(Kind::Child);
    httpd.graceful();
    assert_eq!(httpd.get("/hello.txt").send().status, 200);
    httpd.restart();
    assert_eq!(httpd.get("/hello.txt").send().status, 200);
    assert_eq!(httpd.pids(Kind::Parent), parent);
    assert!(httpd.pids(Kind::Child).iter().all(|child| !children.contains(child)));
}

#[test]
fn a_stopped_server_is_gone() {
    let httpd = plain("stopped").start();
    assert!(httpd.stop().success());
    assert!(httpd.get("/hello.txt").try_send().is_err());
}

#[test]
fn a_wrong_configuration_is_refused() {
    Httpd::new("good").without_wsgi().configtest().assert_accepted();
    let wrong = Httpd::new("wrong").without_wsgi().conf("NoSuchDirective On");
    wrong.clone().configtest().assert_refused("NoSuchDirective");
    let error = wrong.try_start().unwrap_err();
    assert!(error.to_string().contains("Invalid command 'NoSuchDirective'"), "{error:#}");
}

/// The result of the check at the end; the directory that it keeps is removed.
fn failure_of(httpd: Httpd) -> String {
    let root: PathBuf = httpd.root().to_owned();
    let report = httpd.finish().expect_err("the check at the end should fail").to_string();
    assert!(root.is_dir(), "the directory is kept");
    fs::remove_dir_all(root).unwrap();
    report
}
