//! A Flask application, used as its own users would.

use std::fs;

use serde_json::json;
use testkit::{Httpd, Mode, both_modes, installation};

fn flask(name: &str, mode: Mode) -> Httpd {
    let venv = installation::venv().unwrap();
    Httpd::new(name).app("flask_app.wsgi").python_home(venv).mode(mode).start()
}

both_modes! {
    fn urls_are_routed(mode) {
        let httpd = flask("flask-routes", mode);
        let reply = httpd.get("/hello/you%20%26%20me").send();
        assert_eq!((reply.status, reply.text().as_str()), (200, "<h1>Hello, you &amp; me!</h1>"));
        assert_eq!(reply.header("content-type"), Some("text/html; charset=utf-8"));
        assert_eq!(httpd.get("/nowhere").send().status, 404);
        let wrong = httpd.post("/hello/you", "").send();
        assert_eq!(wrong.status, 405);
        assert!(wrong.header("allow").unwrap().contains("GET"), "{wrong:?}");
        let head = httpd.call("HEAD", "/hello/you").send();
        assert_eq!((head.status, head.body.len()), (200, 0));
    }

    fn json_goes_in_and_out(mode) {
        let httpd = flask("flask-json", mode);
        let sent = json!({ "text": "ünïcode ✓", "list": [1, 2.5, null, true] });
        let call = httpd.post("/echo", sent.to_string()).header("Content-Type", "application/json");
        let reply = call.send();
        assert_eq!(reply.json(), json!({ "sent": sent, "keys": 2 }));
        let broken = httpd.post("/echo", "{").header("Content-Type", "application/json").send();
        assert_eq!(broken.status, 400);
    }

    fn a_form_is_read(mode) {
        let httpd = flask("flask-form", mode);
        let call = httpd
            .post("/form", "a=1&a=2&b=x%26y")
            .header("Content-Type", "application/x-www-form-urlencoded");
        assert_eq!(call.send().json(), json!({ "a": ["1", "2"], "b": ["x&y"] }));
    }

    fn a_stream_arrives_in_pieces(mode) {
        let httpd = flask("flask-stream", mode);
        let gate = httpd.root().join("htdocs/gate");
        let mut connection =
            httpd.get(&format!("/stream?gate={}", gate.display())).start().unwrap();
        assert_eq!(connection.head().unwrap().header("transfer-encoding"), Some("chunked"));
        // The application makes nothing more until the gate is there, so this came at once.
        assert_eq!(connection.piece().unwrap().unwrap(), b"first");
        fs::write(&gate, "").unwrap();
        assert_eq!(connection.piece().unwrap().unwrap(), b"second");
        assert_eq!(connection.piece().unwrap(), None);
    }

    fn a_session_is_kept_in_a_cookie(mode) {
        let httpd = flask("flask-session", mode);
        let kept = httpd.get("/remember?name=Ada").send();
        let cookie = kept.header("set-cookie").unwrap().split(';').next().unwrap();
        assert_eq!(httpd.get("/remembered").header("Cookie", cookie).send().text(), "Ada");
        assert_eq!(httpd.get("/remembered").send().text(), "nobody");
    }

    fn an_exception_is_a_500_with_a_traceback_in_the_log(mode) {
        let httpd = flask("flask-fail", mode);
        assert_eq!(httpd.get("/fail").send().status, 500);
        httpd.expect_log("ZeroDivisionError: division by zero");
        // The lines of the traceback, as Flask writes them to `wsgi.errors`.
        httpd.allow_log("[wsgi:error]");
        assert_eq!(httpd.get("/hello/again").send().status, 200);
    }
}
