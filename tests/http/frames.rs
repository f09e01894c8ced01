//! A worker that lies: httpd's child believes nothing that comes from a process of a group's user.

use testkit::{Httpd, Kind, Mode};

/// One thread, so that the application finds the stream of its own request.
fn liar(name: &str) -> Httpd {
    let setup = Httpd::new(name).app("liar.wsgi").mode(Mode::Daemon).one_child();
    setup.daemon("processes=1 threads=1").start()
}

#[test]
fn a_head_that_no_application_may_send_is_refused() {
    let httpd = liar("false-heads");
    let children = httpd.pids(Kind::Child);
    for (what, text) in [
        ("interim", "status must be 200 or more"),
        ("other", "status must begin with three digits"),
        ("line", "status contains a control character"),
        ("encoding", "header Transfer-Encoding is the server's"),
        ("value", "the value of header X-A contains"),
        ("name", "header name contains"),
        ("length", "the Content-Length of the response must be one number"),
        ("lengths", "the Content-Length of the response must be one number"),
    ] {
        httpd.expect_log(&format!("a head that cannot be passed on: {text}"));
        httpd.allow_log("a head that cannot be passed on");
        let reply = httpd.get(&format!("/head?{what}")).send();
        assert_eq!((reply.status, reply.header("set-cookie")), (500, None), "{what}");
        assert_eq!(httpd.get("/").send().text(), "well", "{what}");
    }
    assert_eq!(httpd.pids(Kind::Child), children, "the child has died");
}

#[test]
fn a_response_has_the_length_that_it_announces() {
    let httpd = liar("false-lengths");
    // Behind a proxy the 495 bytes beyond would be the answer to another client's request.
    httpd.expect_log("the worker sent more than its Content-Length says");
    let mut connection = httpd.connect().unwrap();
    let reply = httpd.get("/longer").send_on(&mut connection).unwrap();
    assert_eq!(reply.status, 500, "nothing had left");
    connection.closed().unwrap();
    httpd.expect_log("the worker sent 495 bytes less than its Content-Length says");
    let error = httpd.get("/shorter").try_send().unwrap_err();
    assert!(error.to_string().contains("cut short"), "{error}");
    assert_eq!(httpd.get("/").send().text(), "well");
}

#[test]
fn frames_out_of_turn_are_refused() {
    let httpd = liar("out-of-turn");
    // A body that a worker has got cannot be sent to another one.
    httpd.expect_log("a frame of type Decline out of turn");
    assert_eq!(httpd.post("/declines", "body").send().status, 500);
    httpd.expect_log("a frame of type ResponseHead out of turn");
    assert_eq!(httpd.get("/twice").send().status, 500, "nothing had left");
    assert_eq!(httpd.get("/").send().text(), "well");
}

#[test]
fn frames_with_more_than_their_type_means_are_refused() {
    let httpd = liar("padded");
    for (what, frame) in [
        ("fail", "a frame of type Fail with 3 bytes"),
        ("end", "a frame of type End with 1 bytes"),
        ("body", "a frame of type WantBody with 5 bytes"),
        ("file", "a frame of type File with 17 bytes"),
    ] {
        httpd.expect_log(frame);
        assert_eq!(httpd.get(&format!("/padded?{what}")).send().status, 500, "{what}");
        assert_eq!(httpd.get("/").send().text(), "well", "{what}");
    }
}

#[test]
fn one_request_does_not_fill_the_log() {
    let httpd = liar("flood");
    httpd.allow_log("xxxxxxxx");
    httpd.expect_log("WSGI0213");
    httpd.expect_log("lines of the worker were left out for this request");
    assert_eq!(httpd.get("/log?3000").send().text(), "well");
    httpd.wait_for_log("lines of the worker were left out");
    let lines = httpd.log_lines("xxxxxxxx").len();
    assert!((100..2000).contains(&lines), "{lines}");
    assert_eq!(httpd.log_lines("WSGI0213").len(), 1);
    // The next request has a budget of its own.
    assert_eq!(httpd.get("/log?1").send().text(), "well");
    assert_eq!(httpd.log_lines("WSGI0213").len(), 1);
}

/// One thread of httpd's, so that each request could get the stream of the one before it.
fn liar_of_one_thread(name: &str) -> Httpd {
    let sizes =
        "<IfModule !mpm_prefork_module>\nThreadsPerChild 1\n</IfModule>\nMaxRequestWorkers 1";
    let setup = Httpd::new(name).app("liar.wsgi").mode(Mode::Daemon).one_child().conf(sizes);
    setup.daemon("processes=1 threads=1").start()
}

#[test]
fn streams_are_used_again() {
    let httpd = liar_of_one_thread("streams");
    let ask = |target: &str| httpd.get(target).send();
    let first = ask("/number").text();
    for _ in 0..10 {
        assert_eq!(ask("/number").text(), first);
    }
}

/// Responses of other requests would go to whatever has the other end.
#[test]
fn a_stream_that_a_worker_puts_in_place_of_its_own_is_not_used() {
    let httpd = liar_of_one_thread("swapped");
    let ask = |target: &str| httpd.get(target).send();
    let first = ask("/number").text();
    assert_eq!(ask("/swaps").text(), "swapped");
    for _ in 0..3 {
        assert_eq!(ask("/").text(), "well");
    }
    // 0 is the end: the child has closed it.
    assert_eq!(ask("/swapped").text(), "0");
    assert_ne!(ask("/number").text(), first, "what came behind the end is left in the stream");
}
