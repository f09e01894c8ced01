//! The subscribers of events, and what they can change.

use wsgi::level::Level;

use super::{Ask, alone, directory, process, read, script};

#[test]
fn nothing_is_published_without_a_subscriber() {
    let source = "
import mod_wsgi
calls = []
def application(environ, start_response):
    start_response('200 OK', [])
    if not mod_wsgi.event_callbacks:
        mod_wsgi.subscribe_events(lambda name, **event: calls.append(name))
    return [str(calls).encode()]
";
    let path = script(source);
    let ask = || Ask::at(path.clone()).group("subscribers|late").run().text();
    assert_eq!(ask(), "[]");
    // Subscribed in a request, it is called for the next one.
    assert_eq!(ask(), "['request_started', 'response_started']");
}

#[test]
fn what_subscribers_return_is_merged() {
    let source = "
import mod_wsgi
heard = []
mod_wsgi.subscribe_events(lambda name, **event: {'mine': 'first'})
mod_wsgi.subscribe_events(lambda name, **event: 'no dict')
mod_wsgi.event_callbacks.append(lambda name, **event: heard.append(event['mine']))
@mod_wsgi.subscribe_events
def wrap(name, **event):
    if name == 'request_started':
        inner = event['application_object']
        event['request_environ']['seen'] = 'in place'
        def outer(environ, start_response):
            return [b'<', *inner(environ, start_response), b'>']
        return {'application_object': outer, 'request_environ': {}}
def application(environ, start_response):
    start_response('200 OK', [])
    return [repr((heard, environ['seen'])).encode()]
";
    let reply = Ask::of(source).group("subscribers|merge").run();
    assert_eq!(reply.text(), "<(['first', 'first'], 'in place')>");
}

#[test]
fn what_subscribers_raise_is_logged() {
    let source = "
import mod_wsgi
after = []
@mod_wsgi.subscribe_events
def bad(name, **event):
    raise ValueError('from ' + name)
@mod_wsgi.subscribe_events
def worse(name, **event):
    raise SystemExit
mod_wsgi.subscribe_events(7)
mod_wsgi.subscribe_events(lambda name, **event: after.append(name))
def application(environ, start_response):
    start_response('200 OK', [])
    return [str(after).encode()]
";
    let reply = Ask::of(source).group("subscribers|raise").run();
    assert_eq!(reply.text(), "['request_started', 'response_started']");
    for line in [
        "WSGI0112: exception ValueError raised by a callback of request_started was ignored",
        "ValueError: from response_started",
        "ValueError: from request_finished",
        "WSGI0190: SystemExit raised by a callback of request_finished was ignored",
        "TypeError: 'int' object is not callable",
    ] {
        assert!(reply.logged(line), "{line:?} is not in {:#?}", reply.seen.log);
    }
    assert!(reply.seen.log.iter().all(|(level, _)| *level == Level::Error));
}

#[test]
fn subscriptions_return_the_callback_and_fill_the_lists() {
    let source = "
import mod_wsgi
kinds = ('event', 'shutdown', 'signal')
def application(environ, start_response):
    start_response('200 OK', [])
    say = []
    for kind in kinds:
        name = 'subscribe_' + kind + ('' if kind == 'shutdown' else 's')
        same = getattr(mod_wsgi, name)(print) is print
        found = getattr(mod_wsgi, kind + '_callbacks')
        say.append((same, found == [print]))
        found.clear()
    return [str(say).encode()]
";
    let reply = Ask::of(source).group("subscribers|lists").run();
    assert_eq!(reply.text(), "[(True, True), (True, True), (True, True)]");
    assert!(reply.seen.log.is_empty(), "{:?}", reply.seen.log);
    // Signals are for process groups.
    let reply = Ask::of(source).embedded().group("subscribers|lists").run();
    assert_eq!(reply.text(), "[(True, True), (True, True), (True, False)]");
    let ignored = "subscribe_signals() was ignored: it works in process groups only.";
    assert_eq!(reply.seen.log[0], (Level::Info, ignored.to_owned()));
    assert!(reply.logged("in application"), "{:?}", reply.seen.log);
}

#[test]
fn the_end_of_the_process_is_announced_once_everywhere() {
    alone("suite::subscribers::the_end_of_the_process_is_announced_once_everywhere", || {
        let mark = directory().join("stopping");
        let source = format!(
            "
import mod_wsgi
def note(kind):
    def callback(name, **event):
        open({mark:?}, 'a').write(repr((mod_wsgi.application_group, kind, name, event)) + '\\n')
    return callback
mod_wsgi.subscribe_events(note('event'))
mod_wsgi.subscribe_shutdown(note('shutdown'))
@mod_wsgi.subscribe_shutdown
def bad(name, **event): raise ValueError('from shutdown')
def application(environ, start_response):
    start_response('200 OK', [])
    mod_wsgi.event_callbacks.clear()
    mod_wsgi.subscribe_events(note('event'))
    return []
"
        );
        Ask::of(&source).run().text();
        Ask::of(&source).group("subscribers|end").run().text();
        std::fs::remove_file(&mark).unwrap();
        let engine = &process().daemon;
        engine.stopping("script_reload");
        engine.shutdown("shutdown_signal");
        let text = read(&mark);
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        let line = |group, kind| {
            format!(
                "('{group}', '{kind}', 'process_stopping', {{'shutdown_reason': 'script_reload'}})"
            )
        };
        assert_eq!(
            lines,
            [
                line("", "event"),
                line("", "shutdown"),
                line("subscribers|end", "event"),
                line("subscribers|end", "shutdown"),
            ]
        );
        assert!(process().journal.contains("ValueError: from shutdown"));
    });
}
