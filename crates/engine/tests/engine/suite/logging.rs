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
    let items = "[b'a\\n', bytearray(b'b\\n'), memoryview(b'c'), b'd\\n']";
    logs(&format!("environ['wsgi.errors'].buffer.writelines({items})"), &["a", "b", "cd"]);
    let items = "(line for line in [b'a\\n', b'b\\n'])";
    logs(&format!("__import__('sys').stderr.buffer.writelines({items})"), &["a", "b"]);
    let long = "x".repeat(20_000);
    let reply = Ask::of(&app("environ['wsgi.errors'].write('x' * 20000 + '\\n')")).run();
    assert_eq!(reply.log().concat(), long);
    assert!(reply.log().iter().all(|line| line.len() <= 8192));
}

#[test]
fn a_stream_that_nobody_has_touched_serves_the_next_request() {
    let ask = |body: &str| Ask::of(&app(body)).group("logging|again").run();
    ask("import weakref\nsys.seen = weakref.ref(environ['wsgi.errors'])").text();
    let again = "import weakref\ne = environ['wsgi.errors']\nassert sys.seen() is e\n";
    ask(again).text();
    let reply = ask(&format!("{again}e.write('mine')"));
    reply.text();
    assert_eq!(reply.log(), ["mine"]);
    ask("assert sys.seen() is None").text();
    for trace in [
        "e.colour = 'red'",
        "e.reconfigure(encoding='ascii', errors='strict', line_buffering=False)",
        "e.close()",
        "sys.raw = e.detach()",
        "e.flush()",
        "e.buffer.readable()",
        "sys.kept = e",
        "sys.kept = e.buffer",
        "sys.kept = environ",
        "e.write('left'); e.loop = e",
    ] {
        ask(&format!("e = environ['wsgi.errors']\n{trace}")).text();
        let reply = ask("\
            e = environ['wsgi.errors']\n\
            assert (e.encoding, e.errors, e.line_buffering) == ('utf-8', 'replace', True)\n\
            assert not e.closed and not hasattr(e, 'colour') and not hasattr(e, 'loop')\n\
            kept = getattr(sys, 'kept', None)\n\
            assert e is not kept and e.buffer is not kept\n\
            assert getattr(kept, 'get', lambda key: None)('wsgi.errors') is not e\n\
            e.write('clean')");
        reply.text();
        assert_eq!(reply.log(), ["clean"], "{trace}");
    }
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
fn a_restricted_stream_refuses_everything() {
    let source = says(
        "[attempt(f) for f in (lambda: sys.stdout.write, lambda: print('x'), \
         lambda: sys.stdout.encoding, lambda: sys.stdout.fileno(), lambda: sys.stdin.fileno(), \
         lambda: hasattr(sys.stdin, 'nothing'))]",
    );
    let source = "import sys\ndef attempt(f):\n    try: return f()\n    \
                  except OSError as e: return str(e).split()[2]\n"
        .to_owned()
        + &source;
    assert_eq!(
        Ask::of(&source).embedded().group("logging|restricted").run().text(),
        "['sys.stdout', 'sys.stdout', 'sys.stdout', 'sys.stdout', 'sys.stdin', 'sys.stdin']"
    );
}

#[test]
fn faulthandler_needs_the_real_stream() {
    let source = "
import faulthandler, sys, tempfile
def application(environ, start_response):
    start_response('200 OK', [])
    try: faulthandler.enable(); refused = None
    except OSError as e: refused = str(e)
    faulthandler.enable(file=sys.__stderr__)
    enabled = faulthandler.is_enabled()
    faulthandler.disable()
    with tempfile.TemporaryFile() as file:
        faulthandler.dump_traceback(file)
        file.seek(0)
        shown = b'in application' in file.read()
    return [repr((refused, enabled, shown)).encode()]
";
    for group in ["", "logging|fault"] {
        assert_eq!(
            Ask::of(source).group(group).run().text(),
            "(\"a stream into Apache's error log has no file descriptor\", True, True)"
        );
    }
}

#[test]
fn modules_that_write_to_stderr_write_to_the_request() {
    logs("import logging\nlogging.getLogger('lost').error('last')", &["last"]);
    logs(
        "import logging\nlogger = logging.Logger('x')\nlogger.addHandler(logging.StreamHandler())\n\
         logger.error('a\\nb')",
        &["a", "b"],
    );
    let reply = Ask::of(&app("import warnings\nwarnings.warn('careful')")).run();
    assert!(reply.log()[0].ends_with("UserWarning: careful"), "{:?}", reply.log());
    let body = "import traceback\ntry: 1 / 0\nexcept Exception: traceback.print_exc()";
    let reply = Ask::of(&app(body)).run();
    assert_eq!(reply.log()[0], "Traceback (most recent call last):");
    assert_eq!(*reply.log().last().unwrap(), "ZeroDivisionError: division by zero");
}

#[test]
fn text_where_bytes_belong_is_written_with_a_warning() {
    let body = "import warnings\n\
                with warnings.catch_warnings(record=True) as caught:\n    \
                warnings.simplefilter('always')\n    \
                count = environ['wsgi.errors'].buffer.write('text\\n')\n\
                print(count, [w.category.__name__ for w in caught])";
    logs(body, &["text", "5 ['DeprecationWarning']"]);
}

#[test]
fn log_handler_reports_its_own_faults() {
    let body = "import logging, mod_wsgi\n\
                class Handler(mod_wsgi.LogHandler):\n    \
                def handleError(self, record): print('fault of', record.msg)\n\
                logger = logging.Logger('x'); logger.addHandler(Handler())\n\
                logger.error('%d', 'no number')\nlogger.error('fine')";
    logs(body, &["fault of %d", "fine"]);
}

#[test]
fn log_handler_writes_tracebacks_and_odd_levels() {
    let body = "import logging, mod_wsgi\n\
                logger = logging.Logger('x'); handler = mod_wsgi.LogHandler()\n\
                handler.setFormatter(logging.Formatter('%(levelno)d %(message)s'))\n\
                logger.addHandler(handler)\n\
                for level in (1, 25, 35, 45, 99): logger.log(level, 'x')\n\
                try: 1 / 0\n\
                except Exception: logger.exception('y')";
    let reply = Ask::of(&app(body)).run();
    reply.text();
    let levels: Vec<_> = reply.seen.log.iter().map(|(level, _)| *level).take(5).collect();
    let (crit, error) = (Level::Crit, Level::Error);
    assert_eq!(levels, [Level::Debug, Level::Info, Level::Warning, error, crit]);
    assert_eq!(reply.log()[5..7], ["40 y", "Traceback (most recent call last):"]);
    assert_eq!(*reply.log().last().unwrap(), "ZeroDivisionError: division by zero");
}

#[test]
fn log_handler_outside_of_a_request() {
    let source = "
import logging, logging.config, mod_wsgi, threading
logging.config.dictConfig({'version': 1, 'disable_existing_loggers': False,
    'handlers': {'apache': {'class': 'mod_wsgi.LogHandler'}},
    'loggers': {'dormouse.test': {'handlers': ['apache'], 'level': 'INFO', 'propagate': False}}})
logger = logging.getLogger('dormouse.test')
logger.warning('handler at import')
def application(environ, start_response):
    thread = threading.Thread(target=logger.info, args=('handler in a\\nthread',))
    thread.start(); thread.join()
    logger.info('handler in a request')
    start_response('200 OK', [])
    return []
";
    let reply = Ask::of(source).group("logging|handler").run();
    assert_eq!(reply.seen.log, [(Level::Info, "handler in a request".to_owned())]);
    let lines = process().journal.0.lock().unwrap();
    let at = |level, text: &str| assert!(lines.contains(&(level, text.to_owned())), "{text}");
    at(Level::Warning, "handler at import");
    at(Level::Info, "handler in a");
    at(Level::Info, "thread");
}

#[test]
fn log_handler_formats_what_is_logged_only() {
    let source = "
import logging, mod_wsgi, threading
class Handler(mod_wsgi.LogHandler):
    formatted = []
    def format(self, record):
        self.formatted.append(record.msg)
        return record.msg
logger = logging.Logger('x'); logger.addHandler(Handler())
def application(environ, start_response):
    print('an error all the same')
    logger.debug('debug'); logger.info('info'); logger.warning('warning')
    # Outside of a request the process's level holds.
    thread = threading.Thread(target=lambda: (logger.debug('d'), logger.info('quiet info')))
    thread.start(); thread.join()
    start_response('200 OK', [])
    return [str(Handler.formatted).encode()]
";
    let reply = Ask::of(source).log_level(Level::Warning).run();
    assert_eq!(reply.text(), "['warning', 'quiet info']");
    assert_eq!(reply.log(), ["an error all the same", "warning"]);
    assert!(process().journal.contains("quiet info"));
    let reply = Ask::of(source).log_level(Level::Crit).run();
    assert_eq!(reply.text(), "['quiet info']");
    assert!(reply.log().is_empty(), "{:?}", reply.log());
}

#[test]
fn log_handler_says_where_records_come_from() {
    let body = "import logging, mod_wsgi\n\
                logger = logging.Logger('x'); logger.addHandler(mod_wsgi.LogHandler())\n\
                logger.error('a\\nb')\n\
                odd = {'msg': 'odd', 'levelno': 40, 'lineno': -1, 'pathname': 'ä\\ud800'}\n\
                logger.handle(logging.makeLogRecord(odd))\n\
                print('plain')";
    let ask = Ask::of(&app(body));
    let script = ask.script.display().to_string();
    let reply = ask.run();
    assert_eq!(reply.log(), ["a", "b", "odd", "plain"]);
    let sources =
        [(script.clone(), 5), (script, 5), ("ä\\ud800".to_owned(), 0), (String::new(), 0)];
    assert_eq!(reply.seen.sources, sources);
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
