//! `WSGIAccessScript`: the clients that may have a file, regardless of the user.

use serde_json::{Value, json};
use testkit::{Httpd, Mode, both_modes};

use crate::hooks::{guarded, place};

const ACCESS: &str = "<Location />\nWSGIAccessScript {hook}\n</Location>";

/// The facts that the hook logged.
fn told(httpd: &Httpd) -> Value {
    let line = httpd.wait_for_log("told: ").text;
    serde_json::from_str(line.split_once("told: ").unwrap().1).unwrap()
}

both_modes! {
    fn what_a_hook_returns_decides(mode) {
        let httpd = guarded("access", mode, ACCESS).start();
        let rows = [
            ("None", 200, None),
            ("True", 200, None),
            ("False", 403, None),
            ("1", 403, Some("WSGI0055: allow_access() must return None, True or False, not int")),
            ("'yes'", 403, Some("not str")),
            ("fail('some fault')", 403, Some("ValueError: some fault")),
            ("leave()", 403, Some("WSGI0175")),
        ];
        for (expression, status, line) in rows {
            httpd.allow_log("guard.py");
            let reply = httpd.get("/x.txt").header("X-Access", expression).send();
            assert_eq!(reply.status, status, "{expression}");
            if let Some(line) = line {
                httpd.wait_for_log(line);
            }
        }
        assert_eq!(httpd.log_lines("WSGI0057").len(), 5);
    }

    fn scripts_may_see_httpds_record(mode) {
        let conf = format!("{ACCESS}\nWSGIPassApacheRequest On");
        let httpd = guarded("access-record", mode, &conf).start();
        let present = match mode {
            Mode::Embedded => "'apache.request_rec' in environ",
            Mode::Daemon => "'apache.request_rec' not in environ",
        };
        assert_eq!(httpd.get("/x.txt").header("X-Access", present).send().status, 200);
    }

    fn a_script_that_cannot_be_asked_refuses(mode) {
        let rows = [
            ("missing", None, "WSGI0105"),
            ("syntax", Some("def"), "WSGI0105"),
            ("raises", Some("1 / 0"), "WSGI0109"),
            ("leaves", Some("import sys; sys.exit(1)"), "WSGI0107"),
            ("empty", Some(""), "WSGI0056: there is no function \"allow_access\""),
            ("no-function", Some("allow_access = 1"), "TypeError"),
        ];
        for (name, source, line) in rows {
            let mut setup = guarded("access-none", mode, "")
                .conf(&format!("WSGIAccessScript {{root}}/app/{name}.py {}", place(mode)));
            if let Some(source) = source {
                setup = setup.file(&format!("app/{name}.py"), source);
            }
            let httpd = setup.allow_log(&format!("{name}.py")).start();
            for _ in 0..2 {
                assert_eq!(httpd.get("/x.txt").send().status, 403, "{name}");
            }
            httpd.wait_for_log(line);
        }
    }

    fn the_environ_is_that_of_a_hook(mode) {
        let conf = format!(
            "{ACCESS}\nSetEnv FROM_CONFIG 1\nServerAdmin admin@localhost\nServerSignature On\n\
            WSGIPassAuthorization On"
        );
        let httpd = guarded("access-environ", mode, &conf).start();
        httpd.expect_log("told: ");
        let reply = httpd
            .call("HEAD", "//x.txt?a=1&b=%20")
            .header("X-Access", "tell({**environ, 'host': host})")
            .header("Proxy", "http://evil.example/")
            .header("Authorization", "Basic dTpw")
            .header("Proxy-Authorization", "Basic dTpw")
            .header("X-Two", "1")
            .header("X-Two", "2")
            .header("Under_Score", "x")
            .header("Content-Type", "text/plain")
            .send();
        assert_eq!(reply.status, 200, "{}", httpd.log());
        let environ = told(&httpd);
        let port = httpd.address().port().to_string();
        let root = httpd.root().display();
        let expected = json!({
            "REQUEST_METHOD": "HEAD",
            "REQUEST_URI": "//x.txt?a=1&b=%20",
            "QUERY_STRING": "a=1&b=%20",
            "SCRIPT_NAME": "/x.txt",
            "PATH_INFO": "",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_ADDR": "127.0.0.1",
            "SERVER_PORT": port,
            "SERVER_ADMIN": "admin@localhost",
            "REMOTE_ADDR": "127.0.0.1",
            "DOCUMENT_ROOT": format!("{root}/htdocs"),
            "CONTENT_TYPE": "text/plain",
            "HTTP_X_TWO": "1, 2",
            "mod_wsgi.process_group": if mode == Mode::Daemon { "test" } else { "" },
            "mod_wsgi.application_group": "",
            "mod_wsgi.version": [6, 0, 5],
        });
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(environ.get(name), Some(value), "{name}");
        }
        let keys = environ.as_object().unwrap();
        for name in [
            "SERVER_SIGNATURE",
            "SERVER_SOFTWARE",
            "REMOTE_PORT",
            "apache.version",
            "wsgi.errors",
            "mod_ssl.is_https",
            "mod_ssl.var_lookup",
        ] {
            assert!(keys.contains_key(name), "{name}");
        }
        for name in [
            "HTTP_PROXY",
            "HTTP_AUTHORIZATION",
            "HTTP_PROXY_AUTHORIZATION",
            "HTTP_UNDER_SCORE",
            "FROM_CONFIG",
            "wsgi.input",
            "wsgi.version",
            "wsgi.url_scheme",
            "REMOTE_USER",
            "AUTH_TYPE",
            "SCRIPT_FILENAME",
            "REQUEST_SCHEME",
            "CONTEXT_PREFIX",
            "mod_wsgi.script_name",
            "mod_wsgi.request_handler",
            "apache.request_rec",
            "PATH",
            "HTTPS",
        ] {
            assert!(!keys.contains_key(name), "{name}");
        }
        // The loopback address has a name in most places; it counts if it leads back.
        let host = environ["host"].as_str().unwrap();
        assert!(host.starts_with("localhost") || host == "127.0.0.1", "{host}");
    }

    fn trusted_proxies_are_believed(mode) {
        let conf = format!(
            "{ACCESS}\nWSGITrustedProxyHeaders X-Forwarded-For\nWSGITrustedProxies 127.0.0.1"
        );
        let httpd = guarded("access-proxy", mode, &conf).start();
        let reply = httpd
            .get("/x.txt")
            .header("X-Forwarded-For", "192.0.2.7")
            .header(
                "X-Access",
                "(host, environ['REMOTE_ADDR'], environ.get('REMOTE_HOST')) == \
                ('192.0.2.7', '192.0.2.7', None)",
            )
            .send();
        assert_eq!(reply.status, 200);
    }

    fn what_is_kept_of_an_environ_expires(mode) {
        let httpd = guarded("access-kept", mode, ACCESS).one_child().start();
        let ask =
            |expression: &str| httpd.get("/x.txt").header("X-Access", expression).send().status;
        assert_eq!(ask("seen.update(environ)"), 200);
        for (call, line) in [
            ("seen['mod_ssl.is_https']()", "RuntimeError"),
            ("seen['mod_ssl.var_lookup']('HTTPS')", "RuntimeError"),
            ("environ['mod_ssl.var_lookup'](1)", "TypeError"),
        ] {
            httpd.allow_log("guard.py");
            assert_eq!(ask(call), 403, "{call}");
            httpd.wait_for_log(line);
        }
        assert_eq!(ask("environ['mod_ssl.is_https']() == 0"), 200);
        assert_eq!(ask("environ['mod_ssl.var_lookup']('HTTPS') is None"), 200);
    }

    fn tls_is_known(mode) {
        let setup = guarded("access-tls", mode, ACCESS);
        let (setup, port) = crate::environ::with_tls(setup, "");
        let httpd = setup.start();
        let status = |expression: &str| {
            let output = std::process::Command::new("curl")
                .args([
                    "--silent",
                    "--insecure",
                    "--output",
                    "/dev/null",
                    "--write-out",
                    "%{http_code}",
                ])
                .args(["--header", &format!("X-Access: {expression}")])
                .arg(format!("https://127.0.0.1:{port}/x.txt"))
                .output()
                .unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        let look = "environ['mod_ssl.var_lookup']";
        assert_eq!(status("environ['mod_ssl.is_https']() == 1"), "200", "{}", httpd.log());
        assert_eq!(status(&format!("{look}('SSL_PROTOCOL').startswith('TLSv1')")), "200");
        assert_eq!(status(&format!("{look}(b'SSL_PROTOCOL') == {look}('SSL_PROTOCOL')")), "200");
        assert_eq!(
            status(&format!("not {look}('SSL_CLIENT_S_DN') and not {look}('NONSENSE')")),
            "200"
        );
    }

    fn a_panic_refuses(mode) {
        let rules = "<Location />\nWSGIDispatchScript {hook}\nWSGIAuthUserScript {hook}\n\
            WSGIAuthGroupScript {hook}\n</Location>\n\
            <Location /a>\nWSGIAccessScript {hook}\n</Location>\n<Location /b>\nAuthType Basic\n\
            AuthName x\nAuthBasicProvider wsgi\nRequire valid-user\n</Location>\n\
            WSGIScriptAlias / {apps}/environ.wsgi";
        let httpd = guarded("hook-panic", mode, rules)
            .module("authn_core")
            .module("auth_basic")
            .module("authz_user")
            .start();
        httpd.expect_log("WSGI0225: internal error while checking the request: ");
        httpd.expect_log("WSGI0225: internal error while serving the request: ");
        for path in ["/a", "/b", "/c"] {
            let call = httpd.get(path).header("Authorization", "Basic dTpw");
            assert_eq!(call.header("X-Dormouse-Panic", "hook").send().status, 500, "{path}");
        }
        assert_eq!(httpd.get("/a").send().status, 200);
    }

    fn other_access_rules_count_too(mode) {
        let rules =
            "<Location />\nWSGIAccessScript {hook}\nOrder allow,deny\nDeny from all\n</Location>";
        let setup = guarded("access-compat", mode, rules);
        let httpd = setup.module("access_compat").module("authz_host").start();
        httpd.allow_log("AH01797");
        httpd.allow_log("WSGI0057");
        for expression in ["None", "True", "False"] {
            assert_eq!(httpd.get("/x.txt").header("X-Access", expression).send().status, 403);
        }
    }

    fn satisfy_any_takes_a_user_instead(mode) {
        let rules = "<Location />\nWSGIAccessScript {hook}\nWSGIAuthUserScript {hook}\n\
                     AuthType Basic\n\
            AuthName x\nAuthBasicProvider wsgi\nRequire valid-user\nSatisfy any\n</Location>";
        let httpd = guarded("satisfy", mode, rules)
            .module("access_compat")
            .module("authn_core")
            .module("auth_basic")
            .module("authz_user")
            .start();
        let call = |expression: &str| httpd.get("/x.txt").header("X-Access", expression);
        assert_eq!(call("True").send().status, 200);
        assert_eq!(call("False").send().status, 401);
        let with_user = call("False").header("Authorization", "Basic dTpw");
        assert_eq!(with_user.header("X-Password", "True").send().status, 200);
        // Nothing was refused for good.
        assert!(httpd.log_lines("WSGI0057").is_empty());
    }
}
