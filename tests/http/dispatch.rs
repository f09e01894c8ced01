//! `WSGIDispatchScript`: where a request runs.

use serde_json::Value;
use testkit::{Httpd, Mode, Setup, both_modes};

use crate::hooks::{guarded, place};

/// Says where it runs.
const APP: &str = "
import json

def say(name):
    def answer(environ, start_response):
        keys = ['process_group', 'application_group', 'callable_object']
        start_response('200 OK', [('Content-Type', 'application/json')])
        return [json.dumps([name] + [environ['mod_wsgi.' + key] for key in keys]).encode()]
    return answer

application, other = say('application'), say('other')
";

/// An application at `/` that may run in the groups `test` (with the mode) and `other`.
fn dispatched(name: &str, mode: Mode, conf: &str) -> Setup {
    let conf = format!(
        "WSGIDaemonProcess other python-home={{home}}\nWSGIScriptAlias / {{root}}/app/app.wsgi\n\
         WSGIApplicationGroup static\nWSGIDispatchScript {{hook}}\n{conf}"
    );
    guarded(name, mode, &conf).file("app/app.wsgi", APP)
}

fn ask(httpd: &Httpd, answers: &[(&str, &str)]) -> Value {
    let call = httpd.get("/");
    let reply = answers.iter().fold(call, |call, (name, value)| call.header(name, value)).send();
    assert_eq!(reply.status, 200, "{answers:?} {}", httpd.log());
    reply.json()
}

both_modes! {
    fn functions_say_where_a_request_runs(mode) {
        let httpd = dispatched("dispatch", mode, "SetEnv GROUP other").start();
        let group = if mode == Mode::Daemon { "test" } else { "" };
        let server = format!("localhost:{}", httpd.address().port());
        let here = |callable: &str, group: &str, application: &str| {
            serde_json::json!([callable, group, application, callable])
        };
        assert_eq!(ask(&httpd, &[]), here("application", group, "static"));
        assert_eq!(ask(&httpd, &[("X-Process", "None")]), here("application", group, "static"));
        let rows: [(&[(&str, &str)], Value); 8] = [
            (&[("X-Process", "'other'")], here("application", "other", "static")),
            (&[("X-Process", "b'other'")], here("application", "other", "static")),
            (&[("X-Process", "'%{ENV:GROUP}'")], here("application", "other", "static")),
            (&[("X-Process", "'%{GLOBAL}'")], here("application", "", "static")),
            (&[("X-Application", "'%{SERVER}'")], here("application", group, &server)),
            (
                &[("X-Application", "'%{RESOURCE}'")],
                here("application", group, &format!("{server}|")),
            ),
            (&[("X-Callable", "'other'")], here("other", group, "static")),
            (
                &[("X-Process", "'other'"), ("X-Application", "'x'"), ("X-Callable", "'other'")],
                here("other", "other", "x"),
            ),
        ];
        for (answers, expected) in rows {
            assert_eq!(ask(&httpd, answers), expected, "{answers:?}");
        }
    }

    fn its_word_counts_more_than_an_alias(mode) {
        let conf = "WSGIDaemonProcess other python-home={home}\n\
            WSGIScriptAlias /alias {root}/app/app.wsgi process-group=other application-group=a \
            callable-object=other\nWSGIDispatchScript {hook}";
        let httpd = guarded("dispatch-alias", mode, conf).file("app/app.wsgi", APP).start();
        let get = |name: &str, value: &str| httpd.get("/alias").header(name, value).send().json();
        assert_eq!(get("X-None", ""), serde_json::json!(["other", "other", "a", "other"]));
        assert_eq!(
            get("X-Callable", "'application'"),
            serde_json::json!(["application", "other", "a", "application"])
        );
        assert_eq!(
            get("X-Application", "'b'"),
            serde_json::json!(["other", "other", "b", "other"])
        );
    }

    fn no_answer_is_an_error(mode) {
        let httpd = dispatched("dispatch-fail", mode, "").start();
        httpd.allow_log("guard.py");
        let rows = [
            ("X-Process", "1", "process_group() must return None, str or bytes, not int"),
            ("X-Application", "'\\u20ac'", "application_group() returned a name with characters"),
            ("X-Callable", "'a\\0b'", "callable_object() returned a name with characters"),
            ("X-Process", "fail('some fault')", "ValueError: some fault"),
            ("X-Callable", "leave()", "WSGI0175"),
        ];
        for (name, value, line) in rows {
            assert_eq!(httpd.get("/").header(name, value).send().status, 500, "{name} {value}");
            httpd.wait_for_log(line);
        }
        // What comes behind a function that fails is not called.
        let call = httpd.get("/").header("X-Process", "1");
        assert_eq!(call.header("X-Callable", "tell('called')").send().status, 500);
        assert!(httpd.log_lines("called").is_empty());
        httpd.expect_log("WSGI0151: there is no process group \"nobody\"");
        assert_eq!(httpd.get("/").header("X-Process", "'nobody'").send().status, 500);
    }

    fn a_script_that_cannot_be_loaded_is_an_error(mode) {
        for (name, source, line) in
            [("missing", None, "WSGI0105"), ("raises", Some("1 / 0"), "WSGI0109")]
        {
            let conf = format!("WSGIDispatchScript {{root}}/app/{name}.py {}", place(mode));
            let mut setup = dispatched("dispatch-none", mode, &conf);
            if let Some(source) = source {
                setup = setup.file(&format!("app/{name}.py"), source);
            }
            let httpd = setup.allow_log(&format!("{name}.py")).start();
            assert_eq!(httpd.get("/").send().status, 500, "{name}");
            httpd.wait_for_log(line);
        }
        // Without its functions it leaves everything as it is.
        let conf = format!("WSGIDispatchScript {{root}}/empty.py {}", place(mode));
        let httpd = dispatched("dispatch-empty", mode, &conf).file("empty.py", "").start();
        assert_eq!(ask(&httpd, &[])[0], "application");
    }

    fn its_environ_is_that_of_the_request(mode) {
        let conf = "SetEnv FROM_CONFIG 1\nWSGIPassAuthorization On";
        let httpd = dispatched("dispatch-environ", mode, conf).start();
        httpd.expect_log("told: ");
        let call = httpd.post("/a?b", "body").header("X-Process", "tell(dict(environ))");
        let call =
            call.header("Authorization", "Basic dTpw").header("Proxy", "http://evil.example/");
        assert_eq!(call.send().status, 200);
        let line = httpd.wait_for_log("told: ").text;
        let environ: Value = serde_json::from_str(line.split_once("told: ").unwrap().1).unwrap();
        let environ = environ.as_object().unwrap();
        for (name, value) in [
            ("PATH_INFO", "/a"),
            ("QUERY_STRING", "b"),
            ("REQUEST_METHOD", "POST"),
            ("FROM_CONFIG", "1"),
            ("HTTP_AUTHORIZATION", "Basic dTpw"),
            ("mod_wsgi.request_handler", "wsgi-script"),
            ("mod_wsgi.process_group", if mode == Mode::Daemon { "test" } else { "" }),
            ("mod_wsgi.application_group", ""),
        ] {
            assert_eq!(environ.get(name).and_then(Value::as_str), Some(value), "{name}");
        }
        for name in ["SCRIPT_FILENAME", "REQUEST_SCHEME", "wsgi.errors", "apache.version"] {
            assert!(environ.contains_key(name), "{name}");
        }
        for name in [
            "HTTP_PROXY",
            "wsgi.input",
            "wsgi.version",
            "wsgi.url_scheme",
            "mod_wsgi.callable_object",
            "mod_ssl.is_https",
        ] {
            assert!(!environ.contains_key(name), "{name}");
        }
    }

    fn restrictions_hold_for_what_it_says(mode) {
        let conf = "WSGIRestrictEmbedded On\nWSGIProcessGroup other";
        let httpd = dispatched("dispatch-restricted", mode, conf).start();
        assert_eq!(ask(&httpd, &[])[1], "other");
        httpd.expect_log("WSGI0143");
        assert_eq!(httpd.get("/").header("X-Process", "''").send().status, 500);
    }

    fn only_groups_that_are_permitted_can_be_chosen(mode) {
        let group = if mode == Mode::Daemon { "test" } else { "%{GLOBAL}" };
        let httpd =
            dispatched("dispatch-permitted", mode, &format!("WSGIRestrictProcess {group}")).start();
        assert_eq!(ask(&httpd, &[])[0], "application");
        httpd.expect_log("WSGI0149");
        assert_eq!(httpd.get("/").header("X-Process", "'other'").send().status, 500);
    }

    fn handler_scripts_are_dispatched_too(mode) {
        let script = APP.replace(
            "application, other = say('application')",
            "handle_request, other = say('handler')",
        );
        let conf = "WSGIDaemonProcess other python-home={home}\nWSGIApplicationGroup static\n\
            WSGIHandlerScript mine {root}/app/handler.py\nWSGIDispatchScript {hook}\n\
            <Location />\nSetHandler mine\n</Location>";
        let httpd = guarded("dispatch-handler", mode, conf).file("app/handler.py", script).start();
        let get = |name: &str, value: &str| {
            let reply = httpd.get("/x.txt").header(name, value).send();
            assert_eq!(reply.status, 200, "{}", httpd.log());
            reply.json()[0].clone()
        };
        assert_eq!(get("X-None", ""), "handler");
        assert_eq!(get("X-Process", "'other'"), "handler");
        assert_eq!(get("X-Callable", "'other'"), "other");
    }

    fn htaccess_may_not_dispatch(mode) {
        let conf = "<Directory {root}/htdocs>\nAllowOverride All\n</Directory>";
        let httpd = guarded("dispatch-htaccess", mode, conf)
            .file("htdocs/.htaccess", "WSGIDispatchScript /x.py\n")
            .start();
        httpd.expect_log("WSGIDispatchScript not allowed here");
        assert_eq!(httpd.get("/x.txt").send().status, 500);
    }
}
