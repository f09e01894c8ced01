//! The httpbin application under Dormouse and under `wsgiref.simple_server`: the same calls, made
//! by the clients `requests` and `httpx`, get the same answers (`tests/httpbin/compare.py`).

use std::process::Command;

use testkit::{Httpd, both_modes, installation};

use crate::single_run;

both_modes! {
    fn answers_are_those_of_wsgiref(mode) {
        if !single_run::is_this("httpbin") {
            return;
        }
        let venv = installation::venv().unwrap();
        let httpd = Httpd::new("httpbin")
            .app("httpbin.wsgi")
            .conf("WSGIPassAuthorization On\nTraceEnable Off\nWSGIChunkedRequest On")
            .python_home(&venv)
            .mode(mode)
            .start();
        // Its answer 407 has one, which wsgiref refuses to send.
        httpd.expect_log("the hop-by-hop header \"Proxy-Authenticate\"");
        let output = Command::new(venv.join("bin/python"))
            .arg("-B")
            .arg(installation::project().join("tests/httpbin/compare.py"))
            .arg(installation::apps().join("httpbin.wsgi"))
            .arg(format!("http://{}", httpd.address()))
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&text));
    }
}
