//! Embedded mode: Python in httpd's own children.

use serde_json::{Value, json};
use testkit::{Httpd, Mode, both_modes};

#[test]
fn its_path_is_what_the_configuration_says() {
    let httpd = Httpd::new("python-path")
        .app("process.wsgi")
        .mode(Mode::Embedded)
        .conf("WSGIPythonPath /usr/share:/usr/lib")
        .start();
    let facts = httpd.get("/facts").send().json();
    assert_eq!(facts["path"].as_array().unwrap()[..2], ["/usr/share", "/usr/lib"]);
    assert_eq!(facts["argv"], serde_json::json!(["mod_wsgi"]));
}

#[test]
fn children_that_end_end_their_python_too() {
    let httpd = Httpd::new("ending")
        .file(
            "app/app.wsgi",
            "import atexit, sys\n\
             atexit.register(lambda: sys.stderr.write('atexit was run\\n'))\n\
             def application(environ, start_response):\n\
             \x20   start_response('200 OK', [])\n\
             \x20   return [b'x']\n",
        )
        .conf("WSGIScriptAlias / {root}/app/app.wsgi")
        .mode(Mode::Embedded)
        .one_child()
        .start();
    assert_eq!(httpd.get("/").send().status, 200);
    httpd.expect_log("atexit was run");
    httpd.graceful();
    httpd.wait_for_log("atexit was run");
    assert_eq!(httpd.get("/").send().status, 200);
}

/// Reads `the_request` and `protocol` of httpd's record, as C code would, in this request and of
/// the one before.
const RECORD: &str = "
import ctypes
import json

get = ctypes.pythonapi.PyCapsule_GetPointer
get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
kept = []


class Record(ctypes.Structure):
    _fields_ = [
        ('pointers', ctypes.c_void_p * 6),
        ('the_request', ctypes.c_char_p),
        ('numbers', ctypes.c_int * 4),
        ('protocol', ctypes.c_char_p),
    ]


def look(capsule):
    try:
        record = Record.from_address(get(capsule, None))
    except ValueError:
        return 'expired'
    return [record.the_request.decode(), record.protocol.decode()]


def application(environ, start_response):
    capsule = environ.get('apache.request_rec')
    answer = capsule and [look(one) for one in [capsule, *kept]]
    kept[:] = [capsule]
    start_response('200 OK', [('Content-Type', 'application/json')])
    return [json.dumps(answer).encode()]
";

const PASS_RECORD: &str = "WSGIScriptAlias / {root}/app/record.wsgi
<Location /on>
WSGIPassApacheRequest On
</Location>
<Location /on/off>
WSGIPassApacheRequest Off
</Location>";

#[test]
fn applications_may_see_httpds_record() {
    let setup = Httpd::new("record").file("app/record.wsgi", RECORD).conf(PASS_RECORD);
    let httpd = setup.mode(Mode::Embedded).one_child().start();
    let get = |path: &str| httpd.get(path).send().json();
    assert_eq!(get("/on/a"), json!([["GET /on/a HTTP/1.1", "HTTP/1.1"]]));
    assert_eq!(get("/on/b"), json!([["GET /on/b HTTP/1.1", "HTTP/1.1"], "expired"]));
    assert_eq!((get("/"), get("/on/off")), (Value::Null, Value::Null));
    let setup = Httpd::new("no-record").file("app/record.wsgi", RECORD);
    let httpd = setup.mode(Mode::Daemon).conf(PASS_RECORD).start();
    assert_eq!(httpd.get("/on/a").send().json(), Value::Null);
}

const STREAMS: &str = "
import signal
import sys


def attempt(call):
    try:
        call()
        return 'allowed'
    except Exception as error:
        return type(error).__name__


def application(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    signal.signal(signal.SIGUSR2, signal.SIG_DFL)
    answers = [
        attempt(lambda: sys.stdin.readline()),
        attempt(lambda: sys.stdout.write('')),
    ]
    return [' '.join(answers).encode()]
";

#[test]
fn a_single_process_keeps_its_standard_streams() {
    let script = "import sys\n\
         def application(environ, start_response):\n\
         \x20   print('to the real stdout', flush=True)\n\
         \x20   print('to the log', file=sys.stderr)\n\
         \x20   start_response('200 OK', [])\n\
         \x20   return [str(sys.stdin is sys.__stdin__).encode()]\n";
    let httpd = Httpd::new("single")
        .file("app/app.wsgi", script)
        .conf("WSGIScriptAlias / {root}/app/app.wsgi\nWSGIRestrictStdin On\nWSGIRestrictStdout On")
        .single_process()
        .mode(Mode::Embedded)
        .start();
    httpd.expect_log("to the real stdout");
    httpd.expect_log("to the log");
    assert_eq!(httpd.get("/").send().text(), "True");
    assert_eq!(httpd.wait_for_log("to the real stdout").text, "to the real stdout");
    assert!(httpd.wait_for_log("to the log").text.contains("[wsgi:error]"));
}

both_modes! {
    fn standard_streams_may_be_restricted(mode) {
        let restricted = "WSGIRestrictStdin On\nWSGIRestrictStdout On";
        for (conf, expected) in [("", "allowed allowed"), (restricted, "OSError OSError")] {
            let httpd = Httpd::new("restricted")
                .file("app/streams.wsgi", STREAMS)
                .conf("WSGIScriptAlias / {root}/app/streams.wsgi")
                .conf(conf)
                .mode(mode)
                .start();
            assert_eq!(httpd.get("/").send().text(), expected, "{conf}");
            // Nothing was installed, and the log says so.
            assert!(!httpd.log_lines("signal").is_empty(), "{}", httpd.log());
        }
    }

    fn htaccess_may_say_some_things(mode) {
        let script = "def answer(name):\n\
             \x20   def application(environ, start_response):\n\
             \x20       start_response('200 OK', [('Content-Type', 'text/plain')])\n\
             \x20       text = name + environ.get('HTTP_AUTHORIZATION', '')\n\
             \x20       return [text.encode()]\n\
             \x20   return application\n\
             application, other = answer('application '), answer('other ')\n";
        let httpd = Httpd::new("htaccess")
            .file("htdocs/a/a.wsgi", script)
            .file("htdocs/a/.htaccess", "WSGICallableObject other\nWSGIPassAuthorization On\n")
            .file("htdocs/b/b.wsgi", script)
            .file("htdocs/b/.htaccess", "WSGIProcessGroup x\n")
            .conf(
                "<Directory {root}/htdocs>\nAllowOverride FileInfo\nOptions ExecCGI\n\
                 AddHandler wsgi-script .wsgi\n</Directory>",
            )
            .mode(mode)
            .start();
        let get = |path: &str| httpd.get(path).header("Authorization", "Basic eA==").send();
        assert_eq!(get("/a/a.wsgi").text(), "other Basic eA==");
        httpd.expect_log("WSGIProcessGroup not allowed here");
        assert_eq!(get("/b/b.wsgi").status, 500);
    }
}

const ENCODINGS: &str = "
import json
import locale
import os
import subprocess
import sys


def application(environ, start_response):
    beside = os.path.join(os.path.dirname(__file__), 'caf\\u00e9')
    with open(beside) as file:
        content = file.read()
    answer = {
        'file_names': [sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()],
        'preferred': locale.getpreferredencoding(False).lower(),
        'content': content,
        'script': os.path.basename(environ['SCRIPT_FILENAME']),
        'in_programs': subprocess.check_output(
            [environ['python'], '-c', 'import sys; print(sys.getfilesystemencoding())'], text=True
        ).strip(),
    }
    start_response('200 OK', [('Content-Type', 'application/json')])
    return [json.dumps(answer).encode()]
";

/// Debian's envvars start httpd with `LANG=C`, where an embedded CPython takes file names for ASCII
/// unless it is told to do as the `python` program does.
#[test]
fn embedded_python_speaks_utf8_whatever_the_locale() {
    let python = testkit::installation::python();
    let locales: [&[(&str, &str)]; 6] = [
        &[("LANG", "C")],
        &[("LC_ALL", "C")],
        &[("LANG", "POSIX")],
        &[("LANG", "")],
        &[("LANG", "C.UTF-8"), ("LC_CTYPE", "C")],
        &[("LANG", "not_INSTALLED.UTF-8")],
    ];
    for (conf, locale) in ["", "WSGILazyInitialization Off"]
        .into_iter()
        .flat_map(|conf| locales.map(|locale| (conf, locale)))
    {
        let mut setup = Httpd::new("locale")
            .file("app/caf\u{e9}.wsgi", ENCODINGS)
            .file("app/caf\u{e9}", "\u{e9}\u{20ac}")
            .conf("WSGIScriptAlias / {root}/app/caf\u{e9}.wsgi\nWSGIApplicationGroup %{GLOBAL}")
            .conf(conf)
            .conf(&format!("SetEnv python {}", python.display()))
            .mode(Mode::Embedded);
        for (name, value) in locale {
            setup = setup.env(name, value);
        }
        let httpd = setup.start();
        let reply = httpd.get("/").send();
        assert_eq!(reply.status, 200, "{conf} {locale:?}\n{}", httpd.log());
        let expected = json!({
            "file_names": ["utf-8", "surrogateescape"],
            "preferred": "utf-8",
            "content": "\u{e9}\u{20ac}",
            "script": "caf\u{e9}.wsgi",
            "in_programs": "utf-8",
        });
        assert_eq!(reply.json(), expected, "{conf} {locale:?}");
    }
}
