//! The surroundings of an application: environ, modules, `sys`, signals.

use super::{Ask, process, says};

#[test]
fn the_environ_is_complete() {
    let source = says(
        "[environ['PATH_INFO'], environ['DOCUMENT_ROOT'].encode('utf-8', 'surrogateescape'), \
         'PATH' in environ, 'HTTPS' in environ, 'mod_wsgi.x-wire' in environ, \
         type(environ) is dict]",
    );
    let reply = Ask::of(&source)
        .environ("PATH_INFO", "/ä")
        .environ("DOCUMENT_ROOT", "/srv/ä")
        .environ("PATH", "/bin")
        .environ("HTTPS", "on")
        .environ("mod_wsgi.x-wire", "1")
        .run();
    let root = "b'/srv/\\xc3\\xa4'";
    assert_eq!(reply.text(), format!("['/Ã¤', {root}, False, False, False, True]"));
}

#[test]
fn the_typed_keys_are_there() {
    let source = says(
        "[environ[k] for k in ('wsgi.version', 'wsgi.url_scheme', 'wsgi.input_terminated', \
         'wsgi.multithread', 'wsgi.multiprocess', 'wsgi.run_once', 'apache.version', \
         'mod_wsgi.process_group', 'mod_wsgi.application_group', 'mod_wsgi.callable_object', \
         'mod_wsgi.request_start', 'mod_wsgi.queue_start')]",
    );
    assert_eq!(
        Ask::of(&source).environ("HTTPS", "1").run().text(),
        "[(1, 0), 'https', True, True, False, False, (2, 4, 71), 'site', '', 'application', \
         1.5, 2.5]"
    );
    let source = says(
        "[environ['mod_wsgi.daemon_start'] <= environ['mod_wsgi.application_start'], \
         environ['mod_wsgi.daemon_start'] > 1e9, isinstance(environ['mod_wsgi.thread_id'], int), \
         environ['wsgi.url_scheme'], environ['mod_wsgi.version'][0]]",
    );
    assert_eq!(Ask::of(&source).run().text(), "[True, True, True, 'http', 6]");
    let source = says("[environ['mod_wsgi.daemon_start'], environ['mod_wsgi.process_group']]");
    assert_eq!(Ask::of(&source).embedded().run().text(), "[0.0, '']");
}

#[test]
fn a_record_of_httpds_is_a_capsule_while_the_request_lasts() {
    let source = "
import ctypes, sys
get = ctypes.pythonapi.PyCapsule_GetPointer
get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
class Late:
    def __del__(self): print(get(self.capsule, None))
def application(environ, start_response):
    start_response('200 OK', [])
    late = environ['late'] = Late()
    sys.capsule = late.capsule = environ['apache.request_rec']
    return [str(get(late.capsule, None)).encode()]
";
    let reply = Ask::of(source).embedded().record(4096).run();
    assert_eq!((reply.text().as_str(), &reply.log()[..]), ("4096", &["4096"][..]));
    let source = "
import sys
def application(environ, start_response):
    start_response('200 OK', [])
    capsule = repr(sys.__dict__.pop('capsule'))
    return [('%s %s' % (capsule.split()[2], 'apache.request_rec' in environ)).encode()]
";
    assert_eq!(Ask::of(source).embedded().run().text(), "\"expired\" False");
}

#[test]
fn the_script_is_a_module() {
    let source = says(
        "[__name__, __file__, type(__mtime__).__name__, __name__ in __import__('sys').modules]",
    );
    let ask = Ask::of(&source);
    let path = ask.script.display().to_string();
    let name = ask.run().text();
    assert!(name.starts_with("['_mod_wsgi_"), "{name}");
    assert!(name.ends_with(&format!("', '{path}', 'int', True]")), "{name}");
}

#[test]
fn sub_interpreters_are_apart_and_named() {
    let source = "
import sys, mod_wsgi
sys.visits = getattr(sys, 'visits', 0)
def application(environ, start_response):
    sys.visits += 1
    start_response('200 OK', [])
    names = (environ['mod_wsgi.application_group'], mod_wsgi.application_group)
    return [repr((names, sys.visits)).encode()]
";
    let path = super::script(source);
    let visit = |group| Ask::at(path.clone()).group(group).run().text();
    assert_eq!(visit("apart|one"), "(('apart|one', 'apart|one'), 1)");
    assert_eq!(visit("apart|one"), "(('apart|one', 'apart|one'), 2)");
    assert_eq!(visit("apart|two"), "(('apart|two', 'apart|two'), 1)");
}

#[test]
fn a_named_group_may_run_in_the_main_interpreter() {
    let source = says("(environ['mod_wsgi.application_group'], __import__('sys').in_main)");
    let source = format!(
        "import ctypes, sys, threading\nsys.in_main = threading.main_thread() is not None and \
         ctypes.pythonapi.PyGILState_Check()\n{source}"
    );
    let mut ask = Ask::of(&source).group("www|/");
    ask.main = true;
    assert_eq!(ask.run().text(), "('www|/', 1)");
}

#[test]
fn pygilstate_users_work_in_the_main_interpreter() {
    let source = "
import ctypes
call = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(lambda n: n + 1)
def application(environ, start_response):
    start_response('200 OK', [])
    return [str(call(41)).encode()]
";
    let other = says("1");
    let answer = std::thread::scope(|scope| {
        let work = || {
            Ask::of(&other).group("gil|state").run().text();
            Ask::of(source).run().text()
        };
        scope.spawn(work).join().unwrap()
    });
    assert_eq!(answer, "42");
}

#[test]
fn the_modules_say_what_they_know() {
    let source = "
import mod_wsgi, apache, mod_wsgi.express
def application(environ, start_response):
    start_response('200 OK', [])
    try: mod_wsgi.nothing
    except AttributeError as e: missing = str(e)
    return [repr((mod_wsgi.version[0], mod_wsgi.process_group, mod_wsgi.maximum_processes,
        mod_wsgi.threads_per_process, apache.version, apache.maximum_processes,
        apache.threads_per_process, apache.mpm_name, mod_wsgi.express.here, missing,
        issubclass(mod_wsgi.RequestTimeout, BaseException),
        issubclass(mod_wsgi.RequestTimeout, Exception))).encode()]
";
    assert_eq!(
        Ask::of(source).group("modules").run().text(),
        "(6, 'site', 2, 4, (2, 4, 71), 16, 25, 'event', True, \
         \"module 'mod_wsgi' has no attribute 'nothing'\", True, False)"
    );
}

#[test]
fn the_module_lists_its_names() {
    let names = [
        "FileWrapper",
        "LogHandler",
        "RequestTimeout",
        "active_requests",
        "application_group",
        "event_callbacks",
        "maximum_processes",
        "process_group",
        "process_metrics",
        "request_data",
        "request_metrics",
        "server_metrics",
        "shutdown_callbacks",
        "signal_callbacks",
        "start_recording_metrics",
        "subscribe_events",
        "subscribe_shutdown",
        "subscribe_signals",
        "threads_per_process",
        "version",
    ];
    let list = "[n for n in dir(__import__('mod_wsgi')) if not n.startswith('__')]";
    let expected = names.map(|name| format!("'{name}'")).join(", ");
    for expression in [list, "(__import__('mod_wsgi').LogHandler, LIST)[1]"] {
        let source = says(&expression.replace("LIST", list));
        assert_eq!(Ask::of(&source).group("names").run().text(), format!("[{expected}]"));
    }
}

#[test]
fn the_path_is_in_order() {
    let source = says(
        "(__import__('sys').argv, [p.rsplit('/', 1)[-1] for p in __import__('sys').path[:3]])",
    );
    assert_eq!(Ask::of(&source).group("path").run().text(), "(['mod_wsgi'], ['', 'path', 'more'])");
}

#[test]
fn home_is_the_effective_users() {
    let source = says(
        "__import__('os').environ['HOME'] == \
         __import__('pwd').getpwuid(__import__('os').geteuid()).pw_dir",
    );
    assert_eq!(Ask::of(&source).run().text(), "True");
}

#[test]
fn signal_handlers_are_not_installed() {
    let source = "
import os, signal
def application(environ, start_response):
    start_response('200 OK', [])
    before = signal.getsignal(signal.SIGUSR2)
    def handler(*_): pass
    same = signal.signal(signal.SIGUSR2, handler) is handler
    return [repr((same, signal.getsignal(signal.SIGUSR2) == before)).encode()]
";
    let reply = Ask::of(source).run();
    assert_eq!(reply.text(), "(True, True)");
    assert!(reply.logged("Callback registration for signal 12 ignored."), "{:?}", reply.seen.log);
    assert!(reply.logged("in application"), "{:?}", reply.seen.log);
    let at_import = "import signal\nsignal.signal(10, print)\n".to_owned() + &says("1");
    assert_eq!(Ask::of(&at_import).run().text(), "1");
    assert!(process().journal.contains("Callback registration for signal 10 ignored."));
}

#[test]
fn request_data_is_the_requests_own() {
    let source = "
import mod_wsgi, threading
def application(environ, start_response):
    start_response('200 OK', [])
    data = mod_wsgi.request_data()
    data['x'] = 1
    same = mod_wsgi.active_requests['r-1'] is data
    def elsewhere():
        try: mod_wsgi.request_data()
        except RuntimeError: data['refused'] = True
    thread = threading.Thread(target=elsewhere); thread.start(); thread.join()
    return [repr((same, mod_wsgi.request_data())).encode()]
";
    let ask = Ask::of(source).environ("mod_wsgi.request_id", "r-1");
    assert_eq!(ask.run().text(), "(True, {'x': 1, 'refused': True})");
    let after = "import mod_wsgi\n".to_owned() + &says("'r-1' in mod_wsgi.active_requests");
    assert_eq!(Ask::of(&after).run().text(), "False");
}
