//! The modules `mod_wsgi` and `apache` inside of an application: attributes, events, metrics.

use std::fs;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use testkit::{Httpd, Kind, Mode, Mpm, Setup, both_modes, wait_until};

/// One process with the application, so that all requests see the same.
fn setup(name: &str, mode: Mode) -> Setup {
    // What a subscriber of the shutdown prints may come at the end of any child.
    Httpd::new(name)
        .app("python_module.wsgi")
        .mode(mode)
        .one_child()
        .allow_log("process_stopping: ")
}

#[track_caller]
fn json_of(httpd: &Httpd, path: &str) -> Value {
    let reply = httpd.get(path).send();
    assert_eq!(reply.status, 200, "{path}: {}", reply.text());
    reply.json()
}

/// The events with this name.
fn named<'a>(events: &'a Value, name: &str) -> Vec<&'a Value> {
    events.as_array().unwrap().iter().filter(|event| event["name"] == name).collect()
}

both_modes! {
    fn the_modules_know_where_they_are(mode) {
        let httpd = setup("module-facts", mode).start();
        let facts = json_of(&httpd, "/facts");
        assert_eq!(facts["version"], json!([6, 0, 5]));
        assert_eq!(facts["environ"], json!([facts["version"], facts["apache"][0]]));
        assert_eq!(facts["apache"][0][0], 2);
        assert_eq!(facts["process_group"] == "", mode == Mode::Embedded);
        for name in ["maximum_processes", "threads_per_process"] {
            assert!(facts[name].as_i64().unwrap() >= 1, "{name}: {facts}");
        }
        if mode == Mode::Embedded {
            assert_eq!(facts["maximum_processes"], facts["apache"][1]);
            assert_eq!(facts["threads_per_process"], facts["apache"][2]);
        }
        assert_eq!(facts["active"], true);
        assert_eq!(facts["request_data"], json!({ "mine": 1 }));
        assert_eq!(facts["elsewhere"], json!(["refused"]));
    }

    fn requests_have_events(mode) {
        let httpd = setup("module-events", mode).start();
        json_of(&httpd, "/forget");
        let reply = httpd.post("/events", "0123456789").send();
        assert_eq!(reply.status, 200);
        let length = reply.body.len();
        let events = json_of(&httpd, "/events");
        let (starts, ends) =
            (named(&events, "request_started"), named(&events, "request_finished"));
        // The end of the request that forgot, the one with a body, and the start of this one.
        assert_eq!((starts.len(), ends.len()), (2, 2), "{events:#}");
        let (start, end) = (starts[0], ends[1]);
        assert_eq!(end["input_length"], 10);
        assert_eq!(end["output_length"], length);
        assert_eq!((&end["output_writes"], &end["status"]), (&json!(1), &json!(200)));
        assert_eq!(
            (&start["request_id"], &start["thread_id"]),
            (&end["request_id"], &end["thread_id"])
        );
        assert!(start["request_id"].as_str().is_some_and(|id| !id.is_empty()), "{start}");
        assert_ne!(start["request_id"], starts[1]["request_id"]);
        assert_eq!(start["callable_object"], "application");
        let time = |event: &Value, key: &str| event[key].as_f64().unwrap();
        assert!(time(start, "request_start") > 1e9);
        assert!(time(start, "request_start") <= time(start, "application_start"));
        assert!(time(start, "application_start") <= time(end, "application_finish"));
        assert!(time(end, "application_time") > 0.0);
        let pid = i32::try_from(start["server_pid"].as_i64().unwrap()).unwrap();
        assert!(httpd.pids(Kind::Child).contains(&pid), "{pid}");
        if mode == Mode::Embedded {
            assert_eq!((time(start, "queue_start"), time(start, "daemon_start")), (0.0, 0.0));
            assert_eq!(start["pid"], pid);
        } else {
            assert!(time(start, "queue_start") <= time(start, "daemon_start"));
            assert_ne!(start["pid"], pid);
        }
        let answer = named(&events, "response_started")[1];
        assert_eq!(answer["response_status"], "200 OK");
        assert_eq!(answer["response_headers"], json!([["Content-Type", "application/json"]]));
    }

    fn exceptions_are_events(mode) {
        let httpd = setup("module-exceptions", mode).start();
        json_of(&httpd, "/forget");
        httpd.expect_log("WSGI0174: exception ValueError");
        httpd.allow_log("[wsgi:error]");
        assert_eq!(httpd.get("/raise").send().status, 500);
        let events = json_of(&httpd, "/events");
        assert_eq!(named(&events, "request_exception").len(), 1, "{events:#}");
        assert_eq!(named(&events, "request_finished")[1]["status"], 500, "{events:#}");
    }

    fn a_subscriber_can_wrap_the_application(mode) {
        let httpd = setup("module-wrap", mode).start();
        assert_eq!(httpd.get("/wrapped").send().text(), "around null");
        assert_eq!(httpd.get("/other").send().text(), "null");
    }

    fn metrics_report_what_was_served(mode) {
        let httpd = setup("module-metrics", mode).start();
        for path in ["/requests", "/process", "/server", "/record", "/record"] {
            assert_eq!(json_of(&httpd, path), Value::Null, "{path}");
        }
        json_of(&httpd, "/requests");
        for _ in 0..10 {
            assert_eq!(httpd.get("/wrapped").send().status, 200);
        }
        let report = json_of(&httpd, "/requests");
        // The request that made the last report ended in this period.
        assert_eq!(report["request_count"], 11, "{report:#}");
        assert_eq!((&report["status_2xx"], &report["status_5xx"]), (&json!(11), &json!(0)));
        assert!(report["output_bytes"].as_i64().unwrap() > 110, "{report:#}");
        for phase in ["server_time", "application_time", "request_time"] {
            let buckets = report[format!("{phase}_buckets")].as_array().unwrap();
            assert_eq!(buckets.len(), 65);
            assert_eq!(buckets.iter().filter_map(Value::as_i64).sum::<i64>(), 11, "{phase}");
        }
        let queued = report["queue_time"].is_f64() && report["daemon_time"].is_f64();
        assert_eq!(queued, mode == Mode::Daemon, "{report:#}");
        assert!(report["start_time"].as_f64() < report["stop_time"].as_f64());
        let process = json_of(&httpd, "/process");
        assert_eq!(process["pid"], report["pid"]);
        assert_eq!(process["active_requests"], 1);
        assert!(process["request_count"].as_i64().unwrap() >= 13, "{process:#}");
        assert!(process["memory_rss"].as_i64().unwrap() > 1 << 20);
        let kind = if mode == Mode::Daemon { Kind::Worker } else { Kind::Child };
        let pid = i32::try_from(process["pid"].as_i64().unwrap()).unwrap();
        assert!(httpd.pids(kind).contains(&pid));
    }

    fn the_scoreboard_is_shown_where_that_is_allowed(mode) {
        let (directive, option) = ("WSGIServerMetrics On", "threads=1 server-metrics=On");
        let (on, off) = match mode {
            Mode::Embedded => ((directive, "threads=1"), ("", option)),
            Mode::Daemon => (("", option), (directive, "threads=1")),
        };
        let start = |(conf, options): (&str, &str)| {
            let setup = setup("module-server", mode).conf("ExtendedStatus On");
            setup.conf(conf).daemon(options).start()
        };
        assert_eq!(json_of(&start(off), "/server"), Value::Null);
        let httpd = start(on);
        json_of(&httpd, "/server?first");
        let served = |board: &Value| -> i64 {
            let processes = board["processes"].as_array().unwrap().iter();
            let workers = processes.flat_map(|process| process["workers"].as_array().unwrap());
            workers.map(|worker| worker["access_count"].as_i64().unwrap()).sum()
        };
        let mut board = Value::Null;
        // httpd counts a request once it is logged, which may be after its client has the answer.
        wait_until("the first request is counted", || {
            board = json_of(&httpd, "/server?second");
            served(&board) >= 1
        });
        let processes = board["processes"].as_array().unwrap();
        assert_eq!(board["server_limit"], processes.len());
        assert_eq!(board["running_generation"], 0);
        assert!(board["restart_time"].as_f64() <= board["current_time"].as_f64(), "{board:#}");
        let pids = httpd.pids(Kind::Child);
        let process = processes.iter().find(|process| process["pid"] == pids[0]).unwrap();
        assert_eq!(process["quiescing"], false);
        let workers = process["workers"].as_array().unwrap();
        assert_eq!(board["thread_limit"], workers.len());
        // This request.
        let busy = workers.iter().any(|worker| {
            worker["status"] == "W"
                && worker["client"] == "127.0.0.1"
                && worker["request"] == "GET /server?second HTTP/1.1"
        });
        assert!(busy, "{process:#}");
    }

    fn signals_are_for_process_groups(mode) {
        let httpd = setup("module-signals", mode).conf("LogLevel wsgi:info").start();
        assert_eq!(json_of(&httpd, "/signals"), json!([true, mode == Mode::Daemon]));
        if mode == Mode::Embedded {
            httpd.wait_for_log("subscribe_signals() was ignored");
        }
    }

    fn faulthandler_takes_the_real_stream(mode) {
        let httpd = setup("module-faults", mode).start();
        let refused = "a stream into Apache's error log has no file descriptor";
        assert_eq!(json_of(&httpd, "/faulthandler"), json!([refused, true]));
    }

    fn the_log_handler_maps_levels(mode) {
        let httpd =
            setup("module-log", mode).conf("LogLevel wsgi:info").allow_log("handled: ").start();
        json_of(&httpd, "/log");
        for (text, level) in [
            ("info", "[wsgi:info]"),
            ("warning", "[wsgi:warn]"),
            ("error", "[wsgi:error]"),
            ("critical", "[wsgi:crit]"),
        ] {
            let line = httpd.wait_for_log(&format!("handled: {text}"));
            assert!(line.text.contains(level), "{line}");
        }
        assert!(httpd.log_lines("handled: debug").is_empty());
    }

    fn the_end_of_the_process_is_announced(mode) {
        let httpd = setup("module-end", mode).start();
        json_of(&httpd, "/facts");
        let reason = if mode == Mode::Daemon { "'shutdown_signal'" } else { "''" };
        httpd.expect_log(&format!("process_stopping: {reason}"));
        assert!(httpd.stop().success());
    }
}

#[test]
fn a_scoreboard_of_any_size_reaches_a_worker() {
    // More than a mebibyte of places.
    let (children, threads) = (16, 1300);
    let limits = format!("ServerLimit {children}\nThreadLimit {threads}");
    let setup = setup("module-server-large", Mode::Daemon).mpm(Mpm::Event).conf(&limits);
    let httpd = setup.daemon("threads=1 server-metrics=On").start();
    for _ in 0..2 {
        let board = json_of(&httpd, "/server");
        let processes = board["processes"].as_array().unwrap();
        let workers: usize =
            processes.iter().map(|process| process["workers"].as_array().unwrap().len()).sum();
        assert_eq!((processes.len(), workers), (children, children * threads));
    }
}

#[test]
fn a_changed_script_is_a_reason_to_stop() {
    let script = "
import mod_wsgi
mod_wsgi.subscribe_shutdown(lambda name, **event: print(name, event))
def application(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [b'ok']
";
    let httpd = Httpd::new("module-reload")
        .file("app/app.wsgi", script)
        .conf("WSGIScriptAlias / {root}/app/app.wsgi")
        .mode(Mode::Daemon)
        .allow_log("process_stopping {'shutdown_reason': 'shutdown_signal'}")
        .start();
    assert_eq!(httpd.get("/").send().text(), "ok");
    let file = fs::File::options().write(true).open(httpd.root().join("app/app.wsgi")).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000)).unwrap();
    httpd.expect_log("process_stopping {'shutdown_reason': 'script_reload'}");
    assert_eq!(httpd.get("/").send().text(), "ok");
    httpd.wait_for_log("process_stopping {'shutdown_reason': 'script_reload'}");
}
