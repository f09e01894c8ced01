//! The environ: keys and values as PEP 3333 and mod_wsgi promise them, in both modes.

use std::fs;

use serde_json::{Map, Value, json};
use testkit::{Httpd, Kind, Mode, Mpm, Reply, Setup, both_modes, wait_until};

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
        let script = testkit::installation::apps().join("environ.wsgi");
        let port = httpd.address().port().to_string();
        let environ = object(&reply);
        holds(
            &environ,
            &json!({
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
                "SCRIPT_FILENAME": script.to_str().unwrap(),
                "HTTP_HOST": httpd.address().to_string(),
                "HTTP_X_SOME_THING": "one",
            }),
        );
        for absent in [
            "CONTENT_TYPE",
            "CONTENT_LENGTH",
            "GATEWAY_INTERFACE",
            "PATH_TRANSLATED",
            "SERVER_SIGNATURE",
            "REMOTE_HOST",
            "REMOTE_IDENT",
            "PATH",
            "HTTPS",
            "REMOTE_USER",
        ] {
            assert!(!environ.contains_key(absent), "{absent} in {environ:#?}");
        }
    }

    fn the_gateway_is_described(mode) {
        let httpd = Httpd::new("environ-wsgi").app("environ.wsgi").mode(mode).start();
        let environ = object(&httpd.get("/").send());
        let embedded = mode == Mode::Embedded;
        let prefork = Mpm::from_environment().unwrap() == Mpm::Prefork;
        holds(
            &environ,
            &json!({
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
            }),
        );
        // 0 is the first thread of a process, which serves requests under prefork only.
        let thread = environ["mod_wsgi.thread_id"].as_i64().unwrap();
        assert_eq!(thread == 0, embedded && prefork, "{thread}");
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

    fn slashes_collapse_whatever_httpd_does_with_them(mode) {
        let httpd = Httpd::new("environ-slashes")
            .conf(
                "MergeSlashes Off\nWSGIScriptAlias /app {apps}/environ.wsgi\n\
                 WSGIScriptAlias / {apps}/environ.wsgi",
            )
            .mode(mode)
            .start();
        let environ = object(&httpd.get("/a//b///c/").send());
        holds(&environ, &json!({ "SCRIPT_NAME": "", "PATH_INFO": "/a/b/c/" }));
        let environ = object(&httpd.get("/app//x").send());
        holds(&environ, &json!({ "SCRIPT_NAME": "/app", "PATH_INFO": "/x" }));
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
        holds(
            &environ,
            &json!({
                "REQUEST_METHOD": "POST", "CONTENT_TYPE": "text/x-test", "CONTENT_LENGTH": "5",
            }),
        );
        assert!(!environ.contains_key("HTTP_CONTENT_LENGTH"), "{environ:#?}");
    }

    fn dangerous_headers_stay_out(mode) {
        let httpd = Httpd::new("environ-headers")
            .app("environ.wsgi")
            .conf("CustomLog logs/headers \"%{X_Under_Score}i %{X-Fine}i\"")
            .mode(mode)
            .start();
        let call = httpd
            .get("/")
            .header("X-Fine", "2")
            .header("Proxy", "http://evil.example/")
            .header("X_Under_Score", "1")
            .header("Authorization", "Basic Zm9vOmJhcg==");
        let environ = object(&call.send());
        for absent in ["HTTP_PROXY", "HTTP_X_UNDER_SCORE", "HTTP_AUTHORIZATION"] {
            assert!(!environ.contains_key(absent), "{absent} in {environ:#?}");
        }
        // Modules that run after the application do not see it either.
        let log = || fs::read_to_string(httpd.root().join("logs/headers")).unwrap_or_default();
        wait_until("the request is logged", || !log().is_empty());
        assert_eq!(log(), "- 2\n");
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

    fn httpds_own_cgi_directives_count(mode) {
        let httpd = Httpd::new("environ-cgi")
            .conf(
                "WSGIScriptAlias /app {apps}/environ.wsgi\n\
                 <Location /app>\nCGIPassAuth On\nCGIVar REQUEST_URI current-uri\n</Location>\n\
                 ErrorDocument 404 /app/now",
            )
            .mode(mode)
            .start();
        let reply = httpd.get("/before").header("Proxy-Authorization", "Basic eA==").send();
        let environ = reply.json().as_object().unwrap().clone();
        holds(
            &environ,
            &json!({
                "REQUEST_URI": "/app/now",
                "HTTP_PROXY_AUTHORIZATION": "Basic eA==",
            }),
        );
    }

    fn variables_of_httpd_are_seen(mode) {
        let httpd = Httpd::new("environ-setenv")
            .app("environ.wsgi")
            .conf("SetEnv some.key \"a value\"")
            .mode(mode)
            .start();
        holds(&object(&httpd.get("/").send()), &json!({ "some.key": "a value" }));
    }

    fn headers_of_proxies_are_believed_where_configured(mode) {
        let httpd = Httpd::new("environ-proxies")
            .conf(
                "WSGIScriptAlias / {apps}/environ.wsgi\n\
                 WSGITrustedProxyHeaders X-Forwarded-For X-Forwarded-Proto X-Forwarded-Host\n\
                 WSGITrustedProxies 127.0.0.0/8\n\
                 <Location /strangers>\nWSGITrustedProxies 10.0.0.0/8\n</Location>",
            )
            .mode(mode)
            .start();
        let ask = |path: &str| {
            let call = httpd
                .get(path)
                .header("X-Forwarded-For", "6.6.6.6, 192.0.2.7, 127.0.0.2")
                .header("X-Forwarded-Proto", "https")
                .header("X-Forwarded-Host", "www.example.com")
                .header("X-Real-IP", "6.6.6.6");
            object(&call.send())
        };
        let believed = ask("/");
        holds(
            &believed,
            &json!({
                "REMOTE_ADDR": "192.0.2.7",
                "HTTP_X_FORWARDED_FOR": "192.0.2.7, 127.0.0.2",
                "wsgi.url_scheme": "https",
                "HTTP_HOST": "www.example.com",
            }),
        );
        let strangers = ask("/strangers");
        holds(
            &strangers,
            &json!({
                "REMOTE_ADDR": "127.0.0.1",
                "wsgi.url_scheme": "http",
                "HTTP_HOST": httpd.address().to_string(),
            }),
        );
        for environ in [&believed, &strangers] {
            assert!(!environ.contains_key("HTTP_X_REAL_IP"), "{environ:#?}");
        }
        assert!(!strangers.contains_key("HTTP_X_FORWARDED_FOR"), "{strangers:#?}");
    }

    fn head_is_shown_as_configured(mode) {
        let httpd = Httpd::new("environ-head")
            .conf(
                "WSGIScriptAlias / {apps}/method.wsgi\n\
                 <Location /on>\nWSGIMapHEADToGET On\n</Location>\n\
                 <Location /off>\nWSGIMapHEADToGET Off\nSetOutputFilter DEFLATE\n</Location>\n\
                 <Location /filtered>\nSetOutputFilter DEFLATE\n</Location>",
            )
            .module("filter")
            .module("deflate")
            .mode(mode)
            .start();
        let shown = |path: &str| {
            let reply = httpd.call("HEAD", path).send();
            reply.header("X-Method").unwrap().to_owned()
        };
        assert_eq!(shown("/on"), "GET");
        assert_eq!(shown("/off"), "HEAD");
        assert_eq!(shown("/filtered"), "GET");
        assert_eq!(shown("/plain"), "HEAD");
    }

    fn an_internal_redirect_is_described(mode) {
        let httpd = Httpd::new("environ-redirect")
            .conf(
                "WSGIScriptAlias /app {apps}/environ.wsgi\nErrorDocument 404 /app/missing?why=404",
            )
            .mode(mode)
            .start();
        let reply = httpd.get("/not/there?x=1").send();
        let environ = reply.json().as_object().unwrap().clone();
        holds(
            &environ,
            &json!({
                "SCRIPT_NAME": "/app",
                "PATH_INFO": "/missing",
                "QUERY_STRING": "why=404",
                "REQUEST_URI": "/not/there?x=1",
                "REDIRECT_URL": "/not/there",
                "REDIRECT_QUERY_STRING": "x=1",
                "REDIRECT_STATUS": "404",
            }),
        );
    }

    fn addresses_of_ipv6_are_shown_as_they_are(mode) {
        let httpd = Httpd::new("environ-ipv6")
            .app("environ.wsgi")
            .conf("Listen [::1]:{port}")
            .mode(mode)
            .start();
        let address = format!("[::1]:{}", httpd.address().port()).parse().unwrap();
        let reply = testkit::Call::new(address, "GET", "/").send();
        holds(
            &object(&reply),
            &json!({
                "REMOTE_ADDR": "::1",
                "SERVER_ADDR": "::1",
                "SERVER_NAME": "[::1]",
                "HTTP_HOST": address.to_string(),
            }),
        );
    }
}

/// Runs curl, which speaks what the client here does not.
fn curl(arguments: &[&str]) -> Map<String, Value> {
    let output = std::process::Command::new("curl")
        .args(["--silent", "--show-error", "--max-time", "30"])
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice::<Value>(&output.stdout).unwrap().as_object().unwrap().clone()
}

/// Adds a virtual host with TLS and these lines, and tells its port.
pub(crate) fn with_tls(setup: Setup, lines: &str) -> (Setup, u16) {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let made = std::process::Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-subj", "/CN=localhost", "-keyout", &file("key"), "-out", &file("certificate")])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let read = |name: &str| std::fs::read(file(name)).unwrap();
    let port = testkit::free_address().unwrap().port();
    let setup = setup
        .file("tls/key", read("key"))
        .file("tls/certificate", read("certificate"))
        .conf(&format!(
            "SSLSessionCache shmcb:{{root}}/run/ssl(512000)\n\
             Listen 127.0.0.1:{port}\n<VirtualHost 127.0.0.1:{port}>\nServerName localhost\n\
             SSLEngine on\nSSLCertificateFile {{root}}/tls/certificate\n\
             SSLCertificateKeyFile {{root}}/tls/key\n{lines}\n</VirtualHost>"
        ))
        .module("socache_shmcb")
        .module("ssl")
        // The distribution's OpenSSL may be older than the one that mod_ssl was built with.
        .allow_log("AH01882");
    (setup, port)
}

both_modes! {
    fn tls_is_seen(mode) {
        let lines = "SSLOptions +StdEnvVars\nWSGIScriptAlias / {apps}/environ.wsgi";
        let (setup, port) = with_tls(Httpd::new("environ-tls").mode(mode), lines);
        let httpd = setup.start();
        let url = format!("https://127.0.0.1:{port}/");
        let environ = curl(&["--insecure", &url]);
        holds(
            &environ,
            &json!({
                "wsgi.url_scheme": "https",
                "REQUEST_SCHEME": "https",
                "SERVER_PORT": port.to_string(),
            }),
        );
        assert!(environ.contains_key("SSL_PROTOCOL"), "{environ:#?}");
        assert!(!environ.contains_key("HTTPS"), "{environ:#?}");
        drop(httpd);
    }

    fn http2_is_seen(mode) {
        let httpd = Httpd::new("environ-h2")
            .app("environ.wsgi")
            .conf("Protocols h2c http/1.1")
            .module("http2")
            .mode(mode)
            .start();
        let url = format!("http://{}/a?b", httpd.address());
        if Mpm::from_environment().unwrap() == Mpm::Prefork {
            // mod_http2 refuses to serve under prefork, whichever module answers.
            httpd.expect_log("AH10034");
            let environ = curl(&["--http2", &url]);
            holds(&environ, &json!({ "SERVER_PROTOCOL": "HTTP/1.1", "HTTP_UPGRADE": "h2c" }));
            return;
        }
        let environ = curl(&["--http2-prior-knowledge", "--data", "x=1", &url]);
        holds(
            &environ,
            &json!({
                "SERVER_PROTOCOL": "HTTP/2.0",
                "REQUEST_METHOD": "POST",
                "REQUEST_URI": "/a?b",
                "CONTENT_LENGTH": "3",
            }),
        );
    }
}
