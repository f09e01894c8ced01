//! `wsgi.errors`, the standard streams, `LogHandler`.

use wsgi::level::Level;

use super::{Ask, process, says};

fn app(body: &str) -> String {
    let body = body.replace('\n', "\n    ");
    format!(
        "import sys\ndef application(environ, start_response):\n    {body}\n    \
         start_response('200 OK', [])\n    return []\n"
    )
}

#[track_caller]
fn logs(body: &str, lines: &[&str]) {
    let reply = Ask::of(&app(body)).run();
    reply.text();
    assert_eq!(reply.log(), lines, "{body}");
    assert!(reply.seen.log.iter().all(|(level, _)| *level == Level::Error));
}

#[test]
fn lines_are_kept_whole() {
    logs("print('a', 'b', file=environ['wsgi.errors'])", &["a b"]);
    logs("e = environ['wsgi.errors']\ne.write('a'); e.write('b\\n')", &["ab"]);
    logs("e = environ['wsgi.errors']\ne.write('a\\nb')\ne.write('c\\n')", &["a", "b", "c"]);
    logs("e = environ['wsgi.errors']\ne.write('a'); e.flush(); e.write('b')", &["a", "b"]);
    logs("environ['wsgi.errors'].writelines(['a\\n', '\\n', 'ä\\ud800\\n'])", &["a", "", "ä?"]);
    logs("environ['wsgi.errors'].buffer.write(b'a\\nb')", &["a", "b"]);
    logs("environ['wsgi.errors'].buffer.write(memoryview(b'a\\n'))", &["a"]);
    let long = "x".repeat(20_000);
    let reply = Ask::of(&app("environ['wsgi.errors'].write('x' * 20000 + '\\n')")).run();
    assert_eq!(reply.log().concat(), long);
    assert!(reply.log().iter().all(|line| line.len() <= 8192));
}

#[test]
fn standard_streams_go_to_the_request() {
    logs("print('out'); print('err', file=sys.stderr)", &["out", "err"]);
    logs("print('tail', end='')", &["tail"]);
    logs("sys.stderr.write('a'); sys.stdout.write('b'); sys.stdout.flush()", &["ab"]);
}

#[test]
fn outside_of_a_request_they_go_to_the_server() {
    let source = "
import sys, threading
print('at import', end='')
print(' of logging test')
def application(environ, start_response):
    thread = threading.Thread(target=print, args=('from a thread of logging test',))
    thread.start(); thread.join()
    start_response('200 OK', [])
    return []
";
    let reply = Ask::of(source).group("logging").run();
    reply.text();
    assert!(reply.seen.log.is_empty(), "{:?}", reply.seen.log);
    assert!(process().journal.contains("at import of logging test"));
    assert!(process().journal.contains("from a thread of logging test"));
}

#[test]
fn streams_are_what_they_are() {
    let source = says(
        "(lambda e: (type(e).__name__, e.encoding, e.errors, e.name, e.isatty(), e.closed, \
         e.buffer.readable(), e.buffer.seekable(), e.buffer.writable()))(environ['wsgi.errors'])",
    );
    assert_eq!(
        Ask::of(&source).run().text(),
        "('TextIOWrapper', 'utf-8', 'replace', '<wsgi.errors>', False, False, False, False, True)"
    );
    let source = "
import sys
def application(environ, start_response):
    seen = []
    for attempt in (lambda: sys.stdin.read(), sys.stderr.fileno):
        try: attempt()
        except OSError as e: seen.append(str(e))
    start_response('200 OK', [])
    return [repr(seen).encode()]
";
    assert_eq!(
        Ask::of(source).run().text(),
        "[\"access to sys.stdin is restricted by the server's configuration\", \
         \"a stream into Apache's error log has no file descriptor\"]"
    );
}

#[test]
fn log_handler() {
    let body = "import logging, mod_wsgi\n\
                logger = logging.Logger('x'); logger.addHandler(mod_wsgi.LogHandler())\n\
                logger.critical('c'); logger.error('e %d', 1); logger.warning('w\\nx')\n\
                logger.info('i'); logger.debug('d')\n\
                assert mod_wsgi.LogHandler is mod_wsgi.LogHandler";
    let reply = Ask::of(&app(body)).run();
    reply.text();
    let line = |level, text: &str| (level, text.to_owned());
    assert_eq!(
        reply.seen.log,
        [
            line(Level::Crit, "c"),
            line(Level::Error, "e 1"),
            line(Level::Warning, "w"),
            line(Level::Warning, "x"),
            line(Level::Info, "i"),
            line(Level::Debug, "d"),
        ]
    );
}
