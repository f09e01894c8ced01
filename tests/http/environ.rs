//! The environ: keys and values as PEP 3333 and mod_wsgi promise them, in both modes.

use serde_json::{Map, Value, json};
use testkit::{Httpd, Kind, Mode, Mpm, Reply, both_modes};

fn object(reply: &Reply) -> Map<String, Value> {
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json().as_object().unwrap().clone()
}

#[track_caller]
fn holds(environ: &Map<String, Value>, expected: &Value) {
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(environ.get(key), Some(value), "{key} in {environ:#?}");
    }
}

both_modes! {
    fn the_request_is_described(mode) {
        let httpd = Httpd::new("environ").app("environ.wsgi").mode(mode).start();
        let reply = httpd.get("/a%20b//c?x=%20y").header("X-Some-Thing", "one").send();
        let port = httpd.address().port().to_string();
        let environ = object(&reply);
        holds(&environ, &json!({
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": "/a b/c",
            "QUERY_STRING": "x=%20y",
            "REQUEST_URI": "/a%20b//c?x=%20y",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_ADDR": "127.0.0.1",
            "SERVER_PORT": port,
            "REMOTE_ADDR": "127.0.0.1",
            "REQUEST_SCHEME": "http",
            "DOCUMENT_ROOT": httpd.root().join("htdocs").to_str().unwrap(),
            "SCRIPT_FILENAME": testkit::installation::apps().join("environ.wsgi").to_str().unwrap(),
            "HTTP_HOST": httpd.address().to_string(),
            "HTTP_X_SOME_THING": "one",
        }));
        for absent in ["CONTENT_TYPE", "CONTENT_LENGTH", "GATEWAY_INTERFACE", "PATH_TRANSLATED",
            "SERVER_SIGNATURE", "REMOTE_HOST", "REMOTE_IDENT", "PATH", "HTTPS", "REMOTE_USER"]
        {
            assert!(!environ.contains_key(absent), "{absent} in {environ:#?}");
        }
    }

    fn the_gateway_is_described(mode) {
        let httpd = Httpd::new("environ-wsgi").app("environ.wsgi").mode(mode).start();
        let environ = object(&httpd.get("/").send());
        let embedded = mode == Mode::Embedded;
        let prefork = Mpm::from_environment().unwrap() == Mpm::Prefork;
        holds(&environ, &json!({
            "wsgi.version": [1, 0],
            "wsgi.url_scheme": "http",
            "wsgi.multithread": !(embedded && prefork),
            "wsgi.multiprocess": true,
            "wsgi.run_once": false,
            "wsgi.input_terminated": true,
            "wsgi.file_wrapper": "FileWrapper",
            "mod_wsgi.process_group": if embedded { "" } else { "test" },
            "mod_wsgi.application_group": format!("localhost:{}|", httpd.address().port()),
            "mod_wsgi.callable_object": "application",
            "mod_wsgi.request_handler": "wsgi-script",
            "mod_wsgi.handler_script": "",
            "mod_wsgi.script_name": "",
            "mod_wsgi.path_info": "/",
            "mod_wsgi.listener_port": httpd.address().port().to_string(),
        }));
        for version in ["apache.version", "mod_wsgi.version"] {
            let parts = environ[version].as_array().unwrap();
            assert!(parts.len() == 3 && parts.iter().all(Value::is_u64), "{version}: {parts:?}");
        }
        let child: i32 = environ["mod_wsgi.server_pid"].as_str().unwrap().parse().unwrap();
        assert!(httpd.pids(Kind::Child).contains(&child), "{child} is a child of httpd");
        assert!(environ["mod_wsgi.thread_id"].is_u64());
        let start = environ["mod_wsgi.request_start"].as_f64().unwrap();
        let daemon_start = environ["mod_wsgi.daemon_start"].as_f64().unwrap();
        assert!(start > 1.0e9, "{start} is a time");
        assert_eq!(daemon_start == 0.0, embedded, "{daemon_start}");
    }

    fn a_mount_point_is_the_script_name(mode) {
        let alias = "WSGIScriptAlias /mounted/here {apps}/environ.wsgi";
        let httpd = Httpd::new("environ-mount").conf(alias).mode(mode).start();
        let environ = object(&httpd.get("/mounted/here/and/there").send());
        holds(&environ, &json!({ "SCRIPT_NAME": "/mounted/here", "PATH_INFO": "/and/there" }));
        let environ = object(&httpd.get("/mounted/here").send());
        holds(&environ, &json!({ "SCRIPT_NAME": "/mounted/here", "PATH_INFO": "" }));
        assert_eq!(httpd.get("/mounted/hereafter").send().status, 404);
    }

    fn text_is_decoded_as_latin_1(mode) {
        let httpd = Httpd::new("environ-latin1").app("environ.wsgi").mode(mode).start();
        let environ = object(&httpd.get("/caf%C3%A9").header("X-Raw", [b'a', 0xe9]).send());
        holds(&environ, &json!({ "PATH_INFO": "/caf\u{c3}\u{a9}", "HTTP_X_RAW": "a\u{e9}" }));
    }

    fn a_body_has_type_and_length(mode) {
        let httpd = Httpd::new("environ-body").app("environ.wsgi").mode(mode).start();
        let call = httpd.post("/", "12345").header("Content-Type", "text/x-test");
        let environ = object(&call.send());
        holds(&environ, &json!({
            "REQUEST_METHOD": "POST", "CONTENT_TYPE": "text/x-test", "CONTENT_LENGTH": "5",
        }));
        assert!(!environ.contains_key("HTTP_CONTENT_LENGTH"), "{environ:#?}");
    }

    fn dangerous_headers_stay_out(mode) {
        let httpd = Httpd::new("environ-headers").app("environ.wsgi").mode(mode).start();
        let call = httpd
            .get("/")
            .header("Proxy", "http://evil.example/")
            .header("X_Under_Score", "1")
            .header("Authorization", "Basic Zm9vOmJhcg==");
        let environ = object(&call.send());
        for absent in ["HTTP_PROXY", "HTTP_X_UNDER_SCORE", "HTTP_AUTHORIZATION"] {
            assert!(!environ.contains_key(absent), "{absent} in {environ:#?}");
        }
    }

    fn authorization_is_passed_when_asked_for(mode) {
        let httpd = Httpd::new("environ-authorization")
            .app("environ.wsgi")
            .conf("WSGIPassAuthorization On")
            .mode(mode)
            .start();
        let environ = object(&httpd.get("/").header("Authorization", "Basic Zm9v").send());
        holds(&environ, &json!({ "HTTP_AUTHORIZATION": "Basic Zm9v" }));
    }

    fn variables_of_httpd_are_seen(mode) {
        let httpd = Httpd::new("environ-setenv")
            .app("environ.wsgi")
            .conf("SetEnv some.key \"a value\"")
            .mode(mode)
            .start();
        holds(&object(&httpd.get("/").send()), &json!({ "some.key": "a value" }));
    }
}
