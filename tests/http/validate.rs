//! The test applications once more, under `wsgiref.validate`: it checks what the application gets
//! and what it does, and each fault that it finds is an exception, which is logged and fails the
//! test.

use serde_json::json;
use testkit::{Httpd, Mode, both_modes, installation};

fn serve(mode: Mode) -> Httpd {
    let venv = installation::venv().unwrap();
    let setup = Httpd::new("validate")
        .app("validated.wsgi")
        .conf("WSGIChunkedRequest On")
        .python_home(venv)
        .mode(mode);
    match mode {
        Mode::Daemon => setup.start(),
        // NumPy and others work in the main interpreter only.
        Mode::Embedded => setup.conf("WSGIApplicationGroup %{GLOBAL}").start(),
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

both_modes! {
    fn bodies_follow_the_rules(mode) {
        let httpd = serve(mode);
        let body = vec![b'x'; 200_000];
        for path in ["digest", "late", "ignore"] {
            let reply = httpd.post(&format!("/bodies/{path}"), body.clone()).send();
            assert_eq!(reply.status, 200, "{path}");
            let chunked = httpd.call("POST", &format!("/bodies/{path}")).chunked([&body]).send();
            assert_eq!(chunked.body, reply.body, "{path}");
        }
        assert_eq!(httpd.post("/bodies/echo", body.clone()).send().body, body);
        assert_eq!(httpd.get("/bodies/big?100000").send().body.len(), 100_000);
        assert_eq!(httpd.post("/bodies/pieces?2", "a\nb\n").send().text(), "0 a\n1 b\n");
        assert_eq!(httpd.post("/bodies/lines", "a\nb").send().json(), json!(["a\n", "b"]));
        assert_eq!(httpd.get("/bodies/length?5").send().text(), "five\n");
        let script = std::fs::read(installation::apps().join("bodies.wsgi")).unwrap();
        assert_eq!(httpd.get("/bodies/file").send().body, script);
        // (Not /read-twice: the validator wants read() to be told a size, which PEP 3333 does not.)
        assert_eq!(httpd.post("/streams/count", "\u{0}\u{1}").send().json(), json!([2, true]));
    }

    fn the_environ_follows_the_rules(mode) {
        let httpd = serve(mode);
        for path in
            ["/environ", "/environ/", "/environ/a/b", "/environ//a", "/environ/%FF%C3%BC?q=%FF"]
        {
            let reply = httpd.get(path).header("X-Latin", b"\xe9").header("Cookie", "a=b").send();
            assert_eq!(reply.json()["wsgi.input"], "InputWrapper", "{path}");
        }
        let reply = httpd.post("/environ/", "a=1").header("Content-Type", FORM).send();
        assert_eq!(reply.json()["CONTENT_TYPE"], FORM);
        for method in ["PUT", "PATCH", "DELETE", "OPTIONS"] {
            let shown = httpd.call(method, "/method").send();
            assert_eq!(shown.header("x-method"), Some(method));
        }
        let head = httpd.call("HEAD", "/method").send();
        assert_eq!((head.status, head.body.len()), (200, 0));
        assert_eq!(httpd.get("/process/facts").send().status, 200);
        assert_eq!(httpd.get("/process/interpreter").send().json()["calls"], 1);
    }

    fn frameworks_follow_the_rules(mode) {
        let httpd = serve(mode);
        assert_eq!(httpd.get("/flask/hello/you").send().text(), "<h1>Hello, you!</h1>");
        let sent = json!({ "a": 1 }).to_string();
        let echo = httpd.post("/flask/echo", sent).header("Content-Type", "application/json");
        assert_eq!(echo.send().json()["keys"], 1);
        let form = httpd.post("/flask/form", "a=1").header("Content-Type", FORM);
        assert_eq!(form.send().json(), json!({ "a": ["1"] }));
        assert_eq!(httpd.get("/flask/remember?name=Ada").send().text(), "kept");
        assert_eq!(httpd.get("/flask/nowhere").send().status, 404);

        let words = httpd.get("/django/words?n=500").send();
        assert_eq!(words.text().split_whitespace().count(), 500);
        let file = "--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n\
            content\r\n--edge--\r\n";
        let upload = httpd
            .post("/django/upload", file)
            .header("Content-Type", "multipart/form-data; boundary=edge");
        assert_eq!(upload.send().json()["size"], 7);

        assert_eq!(httpd.get("/httpbin/get?a=1").send().json()["args"], json!({ "a": "1" }));
        let chunked = httpd.call("POST", "/httpbin/post").chunked(["one ", "two"]).send();
        assert_eq!(chunked.json()["data"], "one two");
        assert_eq!(httpd.get("/httpbin/stream/3").send().text().lines().count(), 3);
        assert_eq!(httpd.get("/httpbin/status/304").send().status, 304);
        assert_eq!(httpd.get("/extensions/lxml").send().text(), "text");
    }
}

#[test]
fn a_fault_would_be_seen() {
    // The validator refuses read() without a size: so it is there, and an exception of it is
    // logged.
    let httpd = serve(Mode::Daemon);
    httpd.expect_log("AssertionError");
    httpd.allow_log("[wsgi:error]");
    assert_eq!(httpd.post("/bodies/read-twice", "abc").send().status, 500);
}
