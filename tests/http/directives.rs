//! Directives that say how requests are taken, answered and shown, and what Python is told.

use std::fs;

use serde_json::{Value, json};
use testkit::{Httpd, Kind, Level, Mode, Setup, both_modes, installation, wait_until};

fn runtime(name: &str, mode: Mode, conf: &str) -> Setup {
    quiet(name, mode, conf).app("runtime.wsgi")
}

/// The application says something when it ends.
fn quiet(name: &str, mode: Mode, conf: &str) -> Setup {
    let setup = Httpd::new(name).conf(conf).mode(mode);
    setup.allow_log("atexit has run").allow_log("stopping was told")
}

fn facts(httpd: &Httpd) -> Value {
    httpd.get("/").send().json()
}

both_modes! {
    fn chunked_bodies_are_taken_where_that_is_said(mode) {
        let taken = "<Location /chunks>\nWSGIChunkedRequest On\n</Location>";
        let httpd = runtime("chunked", mode, taken).start();
        let post = |path: &str| httpd.call("POST", path).chunked(["one ", "two"]).send();
        assert_eq!(post("/chunks").text(), "7");
        httpd.expect_log("WSGI0139");
        let refused = post("/other");
        assert_eq!(refused.status, 411);
        assert!(httpd.log_lines("WSGI0139")[0].text.contains("WSGIChunkedRequest On"));
    }

    fn handler_scripts_serve_files(mode) {
        let httpd = runtime("handler", mode, "")
            .file("htdocs/page.rst", "content")
            .conf(
                "WSGIHandlerScript rst {apps}/runtime.wsgi application-group=%{GLOBAL} \
                 pass-authorization=On\n\
                 Alias /files {root}/htdocs\n\
                 <Directory {root}/htdocs>\nAddHandler rst .rst\n</Directory>\n\
                 <Location /odd>\nSetHandler none-of-ours\n</Location>",
            )
            .start();
        let call = httpd.get("/files/page.rst/more").header("Authorization", "Basic eDp5");
        let facts = call.send().json();
        assert_eq!(facts["callable"], "handle_request");
        assert_eq!(facts["request_handler"], "rst");
        assert_eq!(facts["application_group"], "");
        assert_eq!(facts["authorization"], "Basic eDp5");
        assert!(facts["handler_script"].as_str().unwrap().ends_with("/runtime.wsgi"));
        assert!(facts["script"].as_str().unwrap().ends_with("htdocs/page.rst"));
        // A handler takes files that are not there, too.
        assert_eq!(httpd.get("/files/none.rst").send().status, 200);
    }

    fn processes_may_be_restricted(mode) {
        let own = match mode {
            Mode::Daemon => "TEST",
            Mode::Embedded => "%{GLOBAL}",
        };
        let conf = format!(
            "WSGIRestrictProcess {own} other\n\
             <Location /closed>\nWSGIRestrictProcess other\n</Location>"
        );
        let httpd = runtime("restrict-process", mode, &conf).start();
        assert_eq!(httpd.get("/").send().status, 200);
        httpd.expect_log("WSGI0149");
        assert_eq!(httpd.get("/closed").send().status, 500);
        assert!(httpd.log_lines("WSGI0149")[0].text.contains("WSGIRestrictProcess"));
    }

    fn names_of_scripts_may_have_no_case(mode) {
        let conf = "WSGICaseSensitivity Off\nWSGIApplicationGroup %{RESOURCE}";
        let httpd =
            quiet("case", mode, conf).conf("WSGIScriptAlias /Mixed {apps}/runtime.wsgi").start();
        let mixed = httpd.get("/Mixed").send().json();
        let group = mixed["application_group"].as_str().unwrap();
        assert!(group.ends_with("|/mixed"), "{group}");
        let path = installation::apps().join("runtime.wsgi");
        let name = python_md5(&path.display().to_string().to_lowercase());
        assert_eq!(mixed["module"], format!("_mod_wsgi_{name}"));
    }

    fn python_is_told_what_the_directives_say(mode) {
        let conf = "WSGIPythonOptimize 1\nWSGIDontWriteBytecode On\nWSGIPythonHashSeed 7\n\
                    WSGIPythonWarnings ignore\nWSGIPythonWarnings error::UserWarning\n\
                    WSGISwitchInterval 0.02";
        let httpd = runtime("python-options", mode, conf).env("PYTHONOPTIMIZE", "2").start();
        let first = facts(&httpd);
        assert_eq!((&first["optimize"], &first["assertions"]), (&json!(1), &json!(false)));
        assert_eq!(first["dont_write_bytecode"], true);
        assert_eq!(first["warnings"], json!(["error", "ignore"]));
        assert_eq!(first["switch_interval"], 0.02);
        httpd.restart();
        let second = facts(&httpd);
        assert_ne!(first["pid"], second["pid"]);
        assert_eq!(first["hash"], second["hash"], "the seed is the same");
    }

    fn hashes_are_random_unless_something_else_is_said(mode) {
        for conf in ["", "WSGIPythonHashSeed random"] {
            let httpd = runtime("random", mode, conf).start();
            let first = facts(&httpd);
            assert_eq!(first["hash_randomization"], 1);
            assert_eq!((&first["optimize"], &first["assertions"]), (&json!(0), &json!(true)));
            httpd.restart();
            assert_ne!(first["hash"], facts(&httpd)["hash"]);
        }
    }

    fn interpreters_are_left_alone_where_that_is_said(mode) {
        for (conf, runs) in [("", true), ("WSGIDestroyInterpreter Off", false)] {
            let httpd = runtime("destroy", mode, conf)
                .conf("WSGIApplicationGroup %{GLOBAL}")
                .one_child()
                .start();
            facts(&httpd);
            httpd.restart();
            httpd.wait_for_log("stopping was told");
            assert_eq!(httpd.log_lines("atexit has run").len() == 1, runs, "{conf}");
        }
    }

    fn slow_requests_are_noted(mode) {
        let httpd = runtime("slow", mode, "WSGISlowRequests 0.3").start();
        facts(&httpd);
        httpd.expect_log("slow request");
        if mode == Mode::Daemon {
            httpd.expect_log("WSGISlowRequests 0.3: GET /slow?0.8 is still running");
            httpd.allow_log("WSGI0256");
        }
        assert_eq!(httpd.get("/slow?0.8").send().status, 200);
        let line = httpd.wait_for_log("slow request: GET /slow?0.8 took");
        assert!(line.text.contains("status 200"), "{line}");
        if mode == Mode::Daemon {
            httpd.wait_for_log("in application");
        }
    }

    fn signals_stay_with_the_server(mode) {
        let script = "
import signal
before = signal.getsignal(signal.SIGWINCH)
try:
    signal.signal(signal.SIGWINCH, signal.SIG_IGN)
except ValueError:
    pass
same = signal.getsignal(signal.SIGWINCH) == before

def application(environ, start_response):
    start_response('200 OK', [])
    return [str(same).encode()]
";
        let setup = |conf| {
            Httpd::new("signals")
                .file("app/app.wsgi", script)
                .conf("WSGIScriptAlias / {root}/app/app.wsgi\nWSGIApplicationGroup %{GLOBAL}")
                .conf(conf)
                .mode(mode)
                .start()
        };
        let httpd = setup("");
        httpd.expect_log("Callback registration for signal 28 ignored");
        httpd.allow_log("File \"");
        httpd.allow_log("signal.signal");
        assert_eq!(httpd.get("/").send().text(), "True");
        // In a process group Python itself refuses it then, since this is not the thread that has
        // started it; in embedded mode it is.
        let same = if mode == Mode::Daemon { "True" } else { "False" };
        assert_eq!(setup("WSGIRestrictSignal Off").get("/").send().text(), same);
    }

    fn files_may_be_sent_by_the_kernel(mode) {
        let httpd = runtime("sendfile", mode, "WSGIEnableSendfile On\nEnableSendfile On").start();
        let script = fs::read(installation::apps().join("runtime.wsgi")).unwrap();
        assert_eq!(httpd.get("/file").send().body, script);
    }

    fn sections_hold_for_some_interpreters(mode) {
        let group = match mode {
            Mode::Daemon => "test",
            Mode::Embedded => "%{GLOBAL}",
        };
        let conf = format!(
            "WSGIScriptAlias /main {{apps}}/runtime.wsgi application-group=%{{GLOBAL}}\n\
             WSGIScriptAlias /sub {{apps}}/runtime.wsgi application-group=sub\n\
             <WSGIInterpreterOptions process-group={group}>\nWSGIPythonPath /all\n\
             WSGISwitchInterval 0.03\n</WSGIInterpreterOptions>\n\
             <WSGIInterpreterOptions process-group={group} application-group=sub>\n\
             WSGIPythonPath /only-sub\n</WSGIInterpreterOptions>\n\
             <WSGIInterpreterOptions process-group=nowhere>\nWSGIPythonPath /nowhere\n\
             </WSGIInterpreterOptions>"
        );
        let httpd = quiet("sections", mode, &conf).start();
        let paths = |url: &str| -> Vec<String> {
            let facts = httpd.get(url).send().json();
            assert_eq!(facts["switch_interval"], 0.03);
            let path = facts["path"].as_array().unwrap().iter().take(2);
            path.map(|entry| entry.as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(paths("/sub"), ["/only-sub", "/all"]);
        assert_eq!(paths("/main")[0], "/all");
    }

    fn what_is_old_is_accepted(mode) {
        let httpd = runtime(
            "old",
            mode,
            "WSGIAcceptMutex flock\nWSGIPy3kWarningFlag On\nWSGIReloadMechanism Process\n\
             WSGINewRelicConfigFile /etc/newrelic.ini\nWSGINewRelicEnvironment production\n\
             WSGIUserAuthoritative Off\nWSGITelemetryService unix:/run/t.sock interval=2\n\
             WSGITelemetryOptions +CaptureUserAgent\nWSGIVerboseDebugging On\nWSGIFreeThreading On",
        );
        let httpd = httpd.allow_log("has no effect").start();
        assert_eq!(httpd.get("/").send().status, 200);
        for name in [
            "WSGIPy3kWarningFlag",
            "WSGIReloadMechanism",
            "WSGINewRelicConfigFile",
            "WSGINewRelicEnvironment",
            "WSGIUserAuthoritative",
            "WSGITelemetryService",
            "WSGITelemetryOptions",
            "WSGIFreeThreading On",
        ] {
            let lines = httpd.log_lines(&format!("{name} has no effect"));
            assert_eq!(lines.len(), 1, "{name}");
            assert!(
                lines[0].text.contains("httpd.conf:") && lines[0].level == Level::Warn,
                "{name}"
            );
        }
        assert_eq!(httpd.log_lines("WSGIVerboseDebugging has no effect")[0].level, Level::Info);
    }
}

#[test]
fn errors_may_be_overridden_in_process_groups() {
    let httpd =
        runtime("override", Mode::Daemon, "WSGIErrorOverride On\nErrorDocument 500 our-words")
            .start();
    let reply = httpd.get("/error").send();
    assert_eq!((reply.status, reply.text().as_str()), (500, "our-words"));
    let reply = httpd.get("/challenge").send();
    assert_eq!(reply.status, 401);
    assert_eq!(reply.header("www-authenticate"), Some("Basic realm=\"us\""));
    assert!(!reply.text().contains("own words"));
    assert_eq!(httpd.get("/").send().status, 200);
    for (mode, conf) in [(Mode::Daemon, ""), (Mode::Embedded, "WSGIErrorOverride On")] {
        let httpd = runtime("no-override", mode, conf).start();
        assert_eq!(httpd.get("/error").send().text(), "the application's own words");
    }
}

#[test]
fn eggs_have_a_place_in_embedded_mode() {
    let httpd = runtime("eggs", Mode::Embedded, "WSGIPythonEggs /tmp/eggs").start();
    assert_eq!(facts(&httpd)["environment"]["PYTHON_EGG_CACHE"], "/tmp/eggs");
}

#[test]
fn directives_about_sockets_change_nothing() {
    let httpd = runtime(
        "no-sockets",
        Mode::Daemon,
        "WSGISocketPrefix /no/such/dir/wsgi\nWSGISocketRotation Off",
    )
    .start();
    let before = facts(&httpd)["pid"].clone();
    let mut kept = httpd.connect().unwrap();
    httpd.get("/").send_on(&mut kept).unwrap();
    let [old] = httpd.pids(Kind::Supervisor)[..] else { panic!("one wsgid") };
    httpd.graceful();
    assert_ne!(facts(&httpd)["pid"], before);
    wait_until("the old generation is gone", || !httpd.pids(Kind::Supervisor).contains(&old));
    assert_eq!(httpd.get("/").send().status, 200);
}

fn python_md5(text: &str) -> String {
    let code = "import hashlib, sys; print(hashlib.md5(sys.argv[1].encode()).hexdigest())";
    let output = std::process::Command::new("/usr/bin/python3").args(["-c", code, text]).output();
    String::from_utf8(output.unwrap().stdout).unwrap().trim().to_owned()
}
