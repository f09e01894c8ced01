//! Embedded mode: Python in httpd's own children.

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
