//! Events: which ones a request has, and what they say.

use wsgi::protocol::outcome::Outcome;

use super::{Ask, Reply, script};

/// An application whose second answer is what `body` (an expression) says; `seen` has the events so
/// far.
fn app(body: &str) -> String {
    format!(
        "
import mod_wsgi, os, sys
seen = []
@mod_wsgi.subscribe_events
def note(name, **event):
    seen.append((name, event))
def application(environ, start_response):
    start_response('201 Made', [('A', '1')])
    environ['wsgi.input'].read()
    return [str(({body}) if len(seen) > 2 else 'first').encode(), b'!']
"
    )
}

/// The response to the second request for an application.
fn second(source: &str, group: &'static str) -> String {
    let path = script(source);
    let ask = || {
        Ask::at(path.clone())
            .group(group)
            .environ("mod_wsgi.request_id", "r-1")
            .environ("mod_wsgi.server_pid", "77")
            .body(b"12345")
    };
    ask().run().text();
    ask().run().text()
}

#[test]
fn a_request_has_three_events() {
    let text = second(&app("[name for name, _ in seen]"), "events|three");
    assert_eq!(
        text,
        "['request_started', 'response_started', 'request_finished', 'request_started', \
         'response_started']!"
    );
}

#[test]
fn events_have_their_keys() {
    let keys = |event: usize| {
        second(&app(&format!("sorted(seen[{event}][1])")), "events|keys")
            .replace(['[', ']', '\'', ',', '!'], "")
    };
    assert_eq!(
        keys(0),
        "application_object application_start callable_object daemon_connects \
         daemon_restarts daemon_start queue_start \
         request_data request_environ request_id request_start server_pid thread_id"
    );
    assert_eq!(keys(1), "exception_info request_data request_id response_headers response_status");
    assert_eq!(
        keys(2),
        "application_finish application_start application_time cpu_system_time cpu_time \
         cpu_user_time daemon_start gil_wait_count gil_wait_time input_length input_reads \
         input_time output_length output_time output_writes queue_start request_data request_id \
         request_start server_pid status thread_id"
    );
}

#[test]
fn events_say_what_happened() {
    let source = app("(lambda start, answer, end: [start['request_id'], start['server_pid'], \
         start['thread_id'] == end['thread_id'] == environ['mod_wsgi.thread_id'], \
         start['request_start'], start['queue_start'], start['callable_object'], \
         start['application_object'] is application, start['request_environ']['wsgi.version'], \
         start['request_environ']['mod_wsgi.application_start'] == start['application_start'], \
         start['daemon_start'] <= start['application_start'] <= end['application_finish'], \
         start['request_data'] is answer['request_data'] is end['request_data'], \
         start['request_data'] is not mod_wsgi.request_data(), \
         answer['response_status'], answer['response_headers'], answer['exception_info'], \
         end['status'], end['input_reads'], end['input_length'], end['output_writes'], \
         end['gil_wait_count'] > 0, \
         end['application_time'] > 0, \
         end['cpu_user_time'] + end['cpu_system_time'] - end['cpu_time'] < 1e-6, \
         end['input_time'] >= 0 and end['output_time'] > 0 and end['gil_wait_time'] > 0])\
         (*[event for _, event in seen[:3]])");
    assert_eq!(
        second(&source, "events|values"),
        "['r-1', 77, True, 1.5, 2.5, 'application', True, (1, 0), True, True, True, True, \
         '201 Made', [('A', '1')], None, 201, 1, 5, 2, True, True, True, True]!"
    );
    let lengths = app("seen[2][1]['output_length']");
    assert_eq!(second(&lengths, "events|length"), "6!");
}

#[test]
fn embedded_requests_have_no_queue() {
    let source = app("[seen[0][1][key] for key in ('queue_start', 'daemon_start')]");
    let path = script(&source.replace("len(seen) > 2", "seen"));
    let reply = Ask::at(path).embedded().group("events|embedded").run();
    assert_eq!(reply.text(), "[0.0, 0.0]!");
}

#[test]
fn exceptions_of_the_application_are_events() {
    let listening = |body: &str| {
        format!(
            "
import mod_wsgi
@mod_wsgi.subscribe_events
def note(name, **event):
    if name == 'request_exception':
        kind, value, traceback = event['exception_info']
        print(kind is type(value), value, traceback.tb_frame is not None, sorted(event))
    if name == 'request_finished':
        print('finished', event['status'])
class Answer:
    def __iter__(self): yield b'one'
    def close(self): raise ValueError('close')
def late():
    yield b'one'
    raise ValueError('late')
def application(environ, start_response):
    {body}
"
        )
    };
    let heard = |reply: &Reply| {
        let lines = reply.log().into_iter().map(str::to_owned);
        lines.filter(|line| line.starts_with("True") || line.starts_with("fin")).collect::<Vec<_>>()
    };
    let ask = |group, body| Ask::of(&listening(body)).group(group).run();
    let event = |value| format!("True {value} True ['exception_info', 'request_data']");
    let reply = ask("events|early", "raise ValueError('early')");
    assert_eq!(heard(&reply), [event("early"), "finished 500".to_owned()]);
    let reply = ask("events|late", "start_response('202 So', []); return late()");
    assert_eq!(reply.outcome, Outcome::Aborted);
    assert_eq!(heard(&reply), [event("late"), "finished 202".to_owned()]);
    let reply = ask("events|close", "start_response('202 So', []); return Answer()");
    assert_eq!(reply.outcome, Outcome::Complete);
    assert_eq!(heard(&reply), [event("close"), "finished 202".to_owned()]);
    let reply = ask("events|unsent", "start_response('202 So', []); raise ValueError('unsent')");
    assert_eq!(heard(&reply), [event("unsent"), "finished 500".to_owned()]);
    let reply = ask("events|timeout", "raise mod_wsgi.RequestTimeout");
    assert_eq!(heard(&reply), ["finished 504"]);
}

#[test]
fn each_call_of_start_response_is_an_event() {
    let source = "
import mod_wsgi, sys
seen = []
@mod_wsgi.subscribe_events
def note(name, **event):
    if name == 'response_started':
        info = event['exception_info']
        seen.append((event['response_status'], info and info[0].__name__))
def application(environ, start_response):
    try: start_response('bad', [])
    except ValueError: start_response('500 No', [], sys.exc_info())
    return [str(seen).encode()]
";
    let reply = Ask::of(source).group("events|again").run();
    assert_eq!(reply.text(), "[('bad', None), ('500 No', 'ValueError')]");
    assert_eq!(reply.seen.status, "500 No");
}

#[test]
fn nothing_of_a_request_is_held_after_it() {
    let source = "
import gc, mod_wsgi, weakref
class Thing: pass
kept = []
mod_wsgi.subscribe_events(lambda name, **event: None)
def application(environ, start_response):
    alive = [ref() is not None for ref, _ in kept]
    thing = mod_wsgi.request_data()['thing'] = Thing()
    kept.append((weakref.ref(thing), start_response))
    start_response('200 OK', [])
    return [str(alive).encode()]
";
    let path = script(source);
    let ask = || Ask::at(path.clone()).group("events|held").run().text();
    assert_eq!((ask(), ask()), ("[]".to_owned(), "[False]".to_owned()));
}

#[test]
fn the_first_event_has_the_attempts() {
    let body = "[seen[0][1][key] for key in ('daemon_connects', 'daemon_restarts')]";
    assert_eq!(second(&app(body), "events|attempts"), "[3, 2]!");
}
