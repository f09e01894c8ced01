//! Where the output of applications goes.

use std::fs;

use testkit::{Httpd, Mode, both_modes, wait_until};

const TALKER: &str = "
import logging
import sys
import threading
import warnings

print('loading')
logging.basicConfig(format='%(levelname)s from logging')
warnings.simplefilter('always')


def background():
    print('from the background')


def application(environ, start_response):
    kind = environ['PATH_INFO'].strip('/')
    if kind == 'errors':
        environ['wsgi.errors'].write('to wsgi.errors\\n')
    if kind == 'print':
        print('printed')
    if kind == 'stderr':
        sys.stderr.write('to ')
        sys.stderr.write('stderr')
        sys.stderr.write(' in pieces\\n')
    if kind == 'logging':
        logging.error('x')
    if kind == 'warnings':
        warnings.warn('warned')
    if kind == 'thread':
        thread = threading.Thread(target=background)
        thread.start()
        thread.join()
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [kind.encode()]
";

/// Two virtual hosts, each with a log of its own.
const HOSTS: &str = "<VirtualHost *:{port}>
ServerName one.example
ErrorLog logs/one
WSGIScriptAlias / {root}/app/talker.wsgi
</VirtualHost>
<VirtualHost *:{port}>
ServerName two.example
ErrorLog logs/two
WSGIScriptAlias / {root}/app/talker.wsgi
</VirtualHost>";

both_modes! {
    fn output_of_a_request_is_in_the_log_of_its_virtual_host(mode) {
        let httpd = Httpd::new("logs")
            .file("app/talker.wsgi", TALKER)
            .conf(HOSTS)
            .mode(mode)
            .one_child()
            .allow_log("loading")
            .start();
        let log = |name: &str| {
            fs::read_to_string(httpd.root().join("logs").join(name)).unwrap_or_default()
        };
        for (path, text) in [
            ("errors", "to wsgi.errors"),
            ("print", "printed"),
            ("stderr", "to stderr in pieces"),
            ("logging", "ERROR from logging"),
            ("warnings", "UserWarning: warned"),
        ] {
            for (host, file, other) in
                [("one.example", "one", "two"), ("two.example", "two", "one")]
            {
                let lines = |name| log(name).lines().filter(|line| line.contains(text)).count();
                let (before, elsewhere) = (lines(file), lines(other));
                let call = httpd.get(&format!("/{path}")).header("Host", host);
                assert_eq!(call.send().status, 200);
                assert_eq!(lines(file), before + 1, "{path} of {host}:\n{}", log(file));
                assert_eq!(lines(other), elsewhere, "{path} of {host}:\n{}", log(other));
            }
        }
        let line = log("one").lines().find(|line| line.contains("printed")).unwrap().to_owned();
        assert!(line.contains("[wsgi:error]") && line.contains("[client 127.0.0.1"), "{line}");
        let script = httpd.root().join("app/talker.wsgi").display().to_string();
        assert!(line.ends_with(&format!("[script {script}] printed")), "{line}");
        httpd.allow_log("from the background");
    }

    fn output_of_no_request_is_in_the_log_of_the_process(mode) {
        let httpd = Httpd::new("logs-background")
            .file("app/talker.wsgi", TALKER)
            .conf("WSGIScriptAlias / {root}/app/talker.wsgi")
            .mode(mode)
            .start();
        httpd.expect_log("from the background");
        httpd.expect_log("loading");
        assert_eq!(httpd.get("/thread").send().status, 200);
        let line = httpd.wait_for_log("from the background");
        assert!(line.text.contains("[wsgi:error] [pid "), "{line}");
    }
}

/// Logs at two levels through a handler that counts what it formats.
const HANDLER: &str = "
import logging

import mod_wsgi


class Handler(mod_wsgi.LogHandler):
    count = 0

    def format(self, record):
        Handler.count += 1
        return super().format(record)


logger = logging.Logger('places')
logger.addHandler(Handler())


def application(environ, start_response):
    before = Handler.count
    logger.info('handled info')
    logger.error('handled error')
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [b'%d' % (Handler.count - before)]
";

/// A virtual host whose log shows the place in the source, with a level of its own in a part of it.
const PLACES: &str = "<VirtualHost *:{port}>
ServerName one.example
ErrorLog logs/one
ErrorLogFormat \"<%F> [%l] %M\"
WSGIScriptAlias / {root}/app/handler.wsgi
<Location /loud>
LogLevel wsgi:info
</Location>
<Location /quiet>
LogLevel wsgi:warn
</Location>
<Location /silent>
LogLevel wsgi:crit
</Location>
</VirtualHost>";

both_modes! {
    fn records_of_the_handler_have_level_and_place(mode) {
        let httpd = Httpd::new("logs-places")
            .file("app/handler.wsgi", HANDLER)
            .conf(PLACES)
            .mode(mode)
            .start();
        let get = |path: &str| httpd.get(path).header("Host", "one.example").send().text();
        assert_eq!(
            (get("/loud"), get("/quiet"), get("/silent")),
            ("2".into(), "1".into(), "0".into())
        );
        let log = fs::read_to_string(httpd.root().join("logs/one")).unwrap();
        let lines: Vec<_> = log.lines().filter(|line| line.contains("handled")).collect();
        let places = [
            ("handler.wsgi(21)> [info]", "handled info"),
            ("handler.wsgi(22)> [error]", "handled error"),
            ("handler.wsgi(22)> [error]", "handled error"),
        ];
        assert_eq!(lines.len(), places.len(), "{log}");
        for (line, (place, text)) in lines.into_iter().zip(places) {
            assert!(line.contains(place) && line.ends_with(text), "{place} {text}: {line}");
        }
    }
}

/// A record whose place is a line of its own, and does something to a terminal.
const FORGED: &str = "
import logging

import mod_wsgi


def application(environ, start_response):
    path = 'a.py\\nforged \\x1b[2J\\x9b2J'
    record = logging.LogRecord('x', logging.ERROR, path, 7, 'told', None, None)
    mod_wsgi.LogHandler().handle(record)
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [b'logged']
";

both_modes! {
    fn the_place_of_a_record_is_shown_as_one(mode) {
        let httpd = Httpd::new("logs-forged")
            .file("app/handler.wsgi", FORGED)
            .conf(PLACES)
            .mode(mode)
            .start();
        let reply = httpd.get("/").header("Host", "one.example").send();
        assert_eq!(reply.text(), "logged");
        let log = fs::read_to_string(httpd.root().join("logs/one")).unwrap();
        let shown = "<a.py\\x0aforged \\x1b[2J\\xc2\\x9b2J(7)>";
        assert!(log.lines().any(|line| line.starts_with(shown)), "{log}");
    }
}

#[test]
fn a_group_of_a_virtual_host_writes_to_its_log() {
    let httpd = Httpd::new("logs-group")
        .file("app/talker.wsgi", TALKER)
        .conf(
            "<VirtualHost *:{port}>\nServerName one.example\nErrorLog logs/one\n\
             WSGIDaemonProcess one threads=1 python-home={home}\n\
             WSGIScriptAlias / {root}/app/talker.wsgi process-group=one\n</VirtualHost>",
        )
        .start();
    let reply = httpd.get("/thread").header("Host", "one.example").send();
    assert_eq!(reply.status, 200);
    let log = || fs::read_to_string(httpd.root().join("logs/one")).unwrap();
    wait_until("the background's line is in the host's log", || {
        log().contains("from the background")
    });
    assert!(httpd.log_lines("from the background").is_empty(), "{}", httpd.log());
}

#[test]
fn what_wsgid_does_is_logged_at_info() {
    let httpd = Httpd::new("logs-levels").app("process.wsgi").mode(Mode::Daemon).start();
    assert_eq!(httpd.get("/facts").send().status, 200);
    assert!(httpd.wait_for_log("is ready after").text.contains("[wsgi:info]"));
    let quiet = Httpd::new("logs-quiet")
        .app("process.wsgi")
        .mode(Mode::Daemon)
        .conf("LogLevel wsgi:warn")
        .start();
    assert_eq!(quiet.get("/facts").send().status, 200);
    assert!(quiet.log_lines("[wsgi:").is_empty(), "{}", quiet.log());
}

/// Sets another time zone, as Django does from `TIME_ZONE`, and writes outside of any request.
const TRAVELLER: &str = "
import os
import sys
import time

os.environ['TZ'] = 'AAA+11'
time.tzset()
print('imported far away', file=sys.stderr)


def application(environ, start_response):
    start_response('200 OK', [])
    print('served far away', file=sys.stderr)
    return [time.strftime('%z').encode()]
";

/// Minutes of the day in the time that a line begins with: `[Mon Nov 23 06:31:00.123456 2026]`.
fn minutes(line: &str) -> i64 {
    let clock = line.split(' ').nth(3).unwrap();
    let mut parts = clock.split(':').map(|part| part.parse::<f64>().unwrap());
    let (hours, minutes) = (parts.next().unwrap(), parts.next().unwrap());
    #[expect(clippy::cast_possible_truncation, reason = "the number of a minute")]
    let minutes = (hours * 60.0 + minutes) as i64;
    minutes
}

#[test]
fn all_lines_are_in_httpds_time_zone() {
    let httpd = Httpd::new("time-zone")
        .env("TZ", "BBB-5:30")
        .file("app/app.wsgi", TRAVELLER)
        .conf(
            "WSGIScriptAlias / {root}/app/app.wsgi process-group=test application-group=%{GLOBAL}",
        )
        .mode(Mode::Daemon)
        .start();
    httpd.expect_log("imported far away");
    httpd.expect_log("served far away");
    assert_eq!(httpd.get("/").send().text(), "-1100");
    httpd.graceful();
    httpd.wait_for_log("the worker ends");
    let httpds = minutes(&httpd.wait_for_log("resuming normal operations").text);
    for part in [
        "imported far away",
        "served far away",
        "is ready after",
        "the worker ends",
        "starts as user",
    ] {
        let line = httpd.wait_for_log(part).text;
        let apart = (minutes(&line) - httpds).rem_euclid(24 * 60);
        assert!(!(30..=24 * 60 - 30).contains(&apart), "{line}\n{}", httpd.log());
    }
}

/// In a worker: it looks for a way to the error log of httpd in its descriptors.
const EDITOR: &str = r#"
import os, stat, sys

def application(environ, start_response):
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            number, data = int(name), os.fstat(int(name))
        except OSError:
            continue
        if stat.S_ISREG(data.st_mode) and "log" in os.readlink("/proc/self/fd/" + name):
            os.ftruncate(number, 0)
            found.append(name)
    os.write(2, b"written by hand\n")
    os.write(2, b"the beginning ")
    os.write(2, b"and the end\n")
    os.write(1, b"without an end")
    start_response("200 OK", [])
    return [repr(found).encode()]
"#;

#[test]
fn a_worker_cannot_make_the_error_log_shorter() {
    let httpd = Httpd::new("log-editor")
        .file("app/app.wsgi", EDITOR)
        .conf("WSGIScriptAlias / {root}/app/app.wsgi")
        .mode(Mode::Daemon)
        .start();
    let before = httpd.log();
    assert_eq!(httpd.get("/").send().text(), "[]");
    for text in ["written by hand", "the beginning and the end", "without an end"] {
        httpd.expect_log(text);
        httpd.wait_for_log(text);
    }
    assert!(httpd.log().starts_with(&before));
}
