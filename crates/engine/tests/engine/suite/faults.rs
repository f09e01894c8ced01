//! Errors and their consequences: the table of outcomes.

use wsgi::level::Level;
use wsgi::protocol::outcome::Outcome;

use super::{Ask, says};

/// An application with this body, indented.
fn app(body: &str) -> String {
    let body = body.replace('\n', "\n    ");
    format!("def application(environ, start_response):\n    {body}\n")
}

#[track_caller]
fn fails(source: &str, lines: &[&str]) {
    let reply = Ask::of(source).run();
    assert_eq!(reply.outcome, Outcome::Failed(500), "{:#?}", reply.seen);
    for line in lines {
        assert!(reply.logged(line), "{line:?} is not in {:#?}", reply.seen.log);
    }
    assert!(reply.seen.status.is_empty());
}

#[test]
fn scripts_that_cannot_be_loaded() {
    fails("def (", &["WSGI0105: cannot compile", "SyntaxError"]);
    fails("x = 1\0", &["WSGI0105: cannot compile", "NUL byte"]);
    fails("1 / 0", &["WSGI0109", "WSGI0174: exception ZeroDivisionError", "Traceback (most"]);
    fails("raise SystemExit", &["WSGI0107", "WSGI0175"]);
    let reply = Ask::at("/nowhere/app.wsgi".into()).run();
    assert_eq!(reply.outcome, Outcome::Failed(500));
    assert!(reply.logged("WSGI0105: cannot read the WSGI script \"/nowhere/app.wsgi\""));
}

#[test]
fn a_script_that_raised_is_tried_again() {
    let source = "
import sys
sys.tries = getattr(sys, 'tries', 0) + 1
if sys.tries < 3: raise ValueError('not yet')
"
    .to_owned()
        + &says("__import__('sys').tries");
    let path = super::script(&source);
    assert_eq!(Ask::at(path.clone()).run().outcome, Outcome::Failed(500));
    assert_eq!(Ask::at(path.clone()).run().outcome, Outcome::Failed(500));
    assert_eq!(Ask::at(path.clone()).run().text(), "3");
    assert_eq!(Ask::at(path).run().text(), "3");
}

#[test]
fn no_callable() {
    fails("app = 1", &["WSGI0089: there is no \"application\""]);
    assert_eq!(Ask::of("app = 1").embedded().run().outcome, Outcome::Failed(404));
    fails("application = 1", &["TypeError: 'int' object is not callable"]);
}

#[test]
fn before_any_output() {
    fails(&app("raise ValueError('so')"), &["WSGI0174: exception ValueError", "ValueError: so"]);
    fails(&app("raise SystemExit(3)"), &["WSGI0175"]);
    fails(&app("return None"), &["must return an iterable of bytes, not NoneType"]);
    fails(&app("return []"), &["RuntimeError: the application has not called start_response()"]);
    fails(&app("return [b'x']"), &["has not called start_response()"]);
    fails(&app("start_response('200 OK', [])\nreturn 'text'"), &["must be bytes, not str"]);
    fails(&app("start_response('200 OK', [])\nreturn b'x'"), &["not int; return [data]"]);
    fails(&app("start_response('200 OK', [])\nreturn [bytearray(b'x')]"), &["not bytearray"]);
    fails(
        &app("start_response('200 OK', [('Content-Length', 'x')])\nreturn [b'x']"),
        &["ValueError: the value of the Content-Length header must be digits only: \"x\""],
    );
}

#[test]
fn tracebacks_are_one_record_per_line_at_error() {
    let reply = Ask::of(&app("raise ValueError('a\\nb')")).run();
    assert!(reply.seen.log.iter().all(|(level, _)| *level == Level::Error));
    let log = reply.log();
    assert!(log[0].starts_with("WSGI0174"), "{log:?}");
    assert_eq!(log[1], "Traceback (most recent call last):");
    assert!(log[2].starts_with("  File \""), "{log:?}");
    assert_eq!(log[log.len() - 2..], ["ValueError: a", "b"]);
}

#[test]
fn bad_heads_raise_in_the_application() {
    let raised = |call: &str| {
        let body = format!(
            "start_response('200 OK', [('Old', '1')])\n\
             try: start_response({call}); kind = 'none'\n\
             except Exception as e: kind = type(e).__name__\n\
             return [kind.encode()]"
        );
        let reply = Ask::of(&app(&body)).run();
        let kept = reply.seen.headers.first().is_some_and(|(name, _)| name == "Old");
        (reply.text(), kept)
    };
    let refused = |kind: &str| (kind.to_owned(), true);
    assert_eq!(raised("b'200 OK', []"), refused("TypeError"));
    assert_eq!(raised("'20 OK', []"), refused("ValueError"));
    assert_eq!(raised("'200OK', []"), refused("ValueError"));
    assert_eq!(raised("'200 O\\nK', []"), refused("ValueError"));
    assert_eq!(raised("'200 \\u20ac', []"), refused("UnicodeEncodeError"));
    assert_eq!(raised("'200 OK', ()"), refused("TypeError"));
    assert_eq!(raised("'200 OK', [['a', 'b']]"), refused("TypeError"));
    assert_eq!(raised("'200 OK', [('a',)]"), refused("ValueError"));
    assert_eq!(raised("'200 OK', [('a', b'b')]"), refused("TypeError"));
    assert_eq!(raised("'200 OK', [('', 'b')]"), refused("ValueError"));
    assert_eq!(raised("'200 OK', [('a', 'b\\r\\nc: d')]"), refused("ValueError"));
    assert_eq!(raised("'200 OK', [('a', 'b\\0')]"), refused("ValueError"));
    assert_eq!(raised("'200 OK', [('a', '\\u20ac')]"), refused("UnicodeEncodeError"));
    assert_eq!(raised("status='200 OK', headers=[]"), refused("TypeError"));
    assert_eq!(raised("'200', [('Connection', 'close')]"), ("none".to_owned(), false));
}

#[test]
fn after_something_was_sent() {
    let reply =
        Ask::of(&app("start_response('200 OK', [])\nyield b'one'\nraise ValueError('mid stream')"))
            .run();
    assert_eq!((reply.outcome, reply.body().as_str()), (Outcome::Aborted, "one"));
    assert!(reply.logged("ValueError: mid stream"));
    let reply = Ask::of(&app("start_response('200 OK', [])\nreturn [b'1' * 20000, 'two']")).run();
    assert_eq!((reply.outcome, reply.body()), (Outcome::Aborted, "1".repeat(20000)));
    // A short response leaves when it is complete, so that nothing of this one has left.
    let reply = Ask::of(&app("start_response('200 OK', [])\nreturn [b'one', 'two']")).run();
    assert_eq!((reply.outcome, reply.body().as_str()), (Outcome::Failed(500), ""));
}

#[test]
fn request_timeouts() {
    let raise = "import mod_wsgi\n".to_owned() + &app("raise mod_wsgi.RequestTimeout");
    let reply = Ask::of(&raise).run();
    assert_eq!(reply.outcome, Outcome::Failed(504));
    assert!(reply.seen.log.iter().all(|(level, _)| *level == Level::Info), "{:?}", reply.seen.log);
    let source = "import mod_wsgi\n".to_owned()
        + &app("start_response('200 OK', [])\nyield b'1'\nraise mod_wsgi.RequestTimeout");
    assert_eq!(Ask::of(&source).run().outcome, Outcome::Aborted);
}

#[test]
fn the_client_goes_away() {
    let source = "
class Answer:
    def __init__(self, environ): self.environ = environ
    def __iter__(self):
        for _ in range(1000): yield b'x'
    def close(self): print('closed', file=self.environ['wsgi.errors'])
"
    .to_owned()
        + &app("start_response('200 OK', [])\nreturn Answer(environ)");
    let reply = Ask::of(&source).takes(3).run();
    assert_eq!((reply.outcome, reply.body().as_str()), (Outcome::Gone, "xx"));
    let closed = (Level::Error, "closed".to_owned());
    assert_eq!(reply.seen.log.last(), Some(&closed));
    assert!(!reply.logged("Traceback"));
    let source = app("write = start_response('200 OK', [])\n\
         try:\n    while True: write(b'x')\n\
         except OSError as e: print(e, file=environ['wsgi.errors'])\n\
         return []");
    let reply = Ask::of(&source).takes(2).run();
    assert_eq!(reply.outcome, Outcome::Gone);
    assert!(reply.logged("the client has closed the connection"));
}

#[cfg(feature = "panic-hook")]
#[test]
fn a_panic_is_a_500() {
    let source = says("1");
    let reply = Ask::of(&source).environ("dormouse.panic", "engine").run();
    assert_eq!(reply.outcome, Outcome::Failed(500));
    assert!(
        reply.logged("WSGI0225: internal error while running the WSGI script"),
        "{:?}",
        reply.seen.log
    );
    assert_eq!(Ask::of(&source).run().text(), "1");
}
