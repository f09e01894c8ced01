//! Iteration and closing of results: `close()` once, whatever happens; generators; odd items.

use wsgi::protocol::outcome::Outcome;

use super::{Ask, Reply};

/// An application that returns an object with `items` (the body of a generator) and a `close()`
/// that says so.
fn closing(items: &str, before: &str) -> String {
    let indented = items.replace('\n', "\n        ");
    format!(
        "
class Answer:
    def __init__(self, environ): self.environ = environ
    def __iter__(self):
        {indented}
    def close(self): print('closed', file=self.environ['wsgi.errors'])
def application(environ, start_response):
    {before}
    return Answer(environ)
"
    )
}

const START: &str = "write = start_response('200 OK', [])";

fn closed(reply: &Reply) -> usize {
    reply.log().iter().filter(|line| **line == "closed").count()
}

#[track_caller]
fn closes(ask: Ask, outcome: Outcome, body: &str) {
    let reply = ask.run();
    assert_eq!((reply.outcome, reply.body().as_str()), (outcome, body), "{:?}", reply.log());
    assert_eq!(closed(&reply), 1, "{:?}", reply.log());
}

#[test]
fn close_is_called_once_whatever_happens() {
    let ask = |items: &str| Ask::of(&closing(items, START));
    closes(ask("yield b'a'\nyield b'b'"), Outcome::Complete, "ab");
    closes(ask("return iter(())"), Outcome::Complete, "");
    closes(ask("yield b'a'\nraise ValueError"), Outcome::Aborted, "a");
    closes(ask("yield 'text'"), Outcome::Failed(500), "");
    closes(ask("yield b'a'\nyield None"), Outcome::Aborted, "a");
    closes(ask("yield b'a'\nraise SystemExit"), Outcome::Aborted, "a");
    closes(ask("return 7"), Outcome::Failed(500), "");
    closes(ask("while True: yield b'a'").takes(3), Outcome::Gone, "aa");
    closes(ask("yield b'a'").takes(0), Outcome::Gone, "");
    closes(Ask::of(&closing("yield b'a'", "pass")), Outcome::Failed(500), "");
    let short = "start_response('200 OK', [('Content-Length', '9')])";
    closes(Ask::of(&closing("yield b'a'", short)), Outcome::Complete, "a");
    let written = format!("{START}; write(b'w')");
    closes(Ask::of(&closing("yield b'a'", &written)), Outcome::Complete, "wa");
}

#[test]
fn close_comes_last() {
    let items = "yield b'a'\nprint('iterated', file=self.environ['wsgi.errors'])\nraise ValueError";
    let reply = Ask::of(&closing(items, START)).run();
    let log = reply.log();
    assert_eq!(log.first(), Some(&"iterated"));
    assert!(log[1].starts_with("WSGI0174: exception ValueError"), "{log:?}");
    assert_eq!(log.last(), Some(&"closed"));
}

#[test]
fn an_application_that_raises_has_nothing_to_close() {
    let reply =
        Ask::of(&closing("yield b'a'", &format!("{START}; answer = Answer(environ); 1 / 0"))).run();
    assert_eq!((reply.outcome, closed(&reply)), (Outcome::Failed(500), 0));
}

#[test]
fn what_close_raises_changes_nothing() {
    let source = closing("yield b'a'", START);
    let raising =
        |what: &str| source.replace("print('closed', file=self.environ['wsgi.errors'])", what);
    let reply = Ask::of(&raising("raise SystemExit(1)")).run();
    assert_eq!(reply.text(), "a");
    assert!(reply.logged("WSGI0175: SystemExit"), "{:?}", reply.log());
    let reply = Ask::of(&raising("raise KeyboardInterrupt")).run();
    assert_eq!(reply.text(), "a");
    assert!(reply.logged("WSGI0174: exception KeyboardInterrupt"), "{:?}", reply.log());
}

#[test]
fn generators_are_closed_where_they_stand() {
    let source = "
def application(environ, start_response):
    start_response('200 OK', [])
    try:
        while True: yield b'x'
    except GeneratorExit:
        print('left', file=environ['wsgi.errors'])
        raise
    finally:
        print('finally', file=environ['wsgi.errors'])
";
    let reply = Ask::of(source).takes(3).run();
    assert_eq!(reply.outcome, Outcome::Gone);
    let said: Vec<_> = reply.log().into_iter().filter(|line| !line.contains("client")).collect();
    assert_eq!(said, ["left", "finally"]);
    assert!(!reply.logged("Traceback"));
}

#[test]
fn any_iterable_of_bytes_will_do() {
    let answers = |answer: &str| {
        let source = format!(
            "def application(environ, start_response):\n    start_response('200 OK', [])\n    \
             return {answer}\n"
        );
        Ask::of(&source).run()
    };
    for (answer, body) in [
        ("(b'a', b'b')", "ab"),
        ("{b'a': 1}", "a"),
        ("iter([b'a'])", "a"),
        ("map(str.encode, 'ab')", "ab"),
        ("type('Old', (), {'__getitem__': lambda self, i: [b'a', b'b'][i]})()", "ab"),
        ("[type('B', (bytes,), {})(b'a')]", "a"),
        ("[b'', b'', b'']", ""),
        ("b''", ""),
    ] {
        assert_eq!(answers(answer).text(), body, "{answer}");
    }
    for (answer, found) in [
        ("'text'", "the items of a response must be bytes, not str"),
        ("b'text'", "the items of a response must be bytes, not int"),
        ("[None]", "the items of a response must be bytes, not NoneType"),
        ("[memoryview(b'a')]", "the items of a response must be bytes, not memoryview"),
        ("[[b'a']]", "the items of a response must be bytes, not list"),
        ("7", "the application must return an iterable of bytes, not int"),
    ] {
        let reply = answers(answer);
        assert_eq!(reply.outcome, Outcome::Failed(500), "{answer}");
        assert!(reply.logged(found), "{answer}: {:?}", reply.log());
    }
}

#[test]
fn each_piece_goes_out_by_itself() {
    let source = closing("yield b'a'\nyield b''\nyield b'b'\nyield b'c'", START);
    let reply = Ask::of(&source).run();
    assert_eq!(reply.seen.pieces, [b"a", b"b", b"c"]);
}

#[test]
fn what_write_takes() {
    let wrote = |call: &str| {
        let source = format!(
            "def application(environ, start_response):\n    \
             write = start_response('200 OK', [])\n    \
             try: result = write({call})\n    \
             except Exception as e: result = type(e).__name__ + ': ' + str(e)\n    \
             return [b'|', str(result).encode()]\n"
        );
        Ask::of(&source).run().text()
    };
    assert_eq!(wrote("b'a'"), "a|None");
    assert_eq!(wrote("type('B', (bytes,), {})(b'a')"), "a|None");
    assert_eq!(wrote("b''"), "|None");
    assert_eq!(wrote("bytearray(b'a')"), "|TypeError: write() takes bytes, not bytearray");
    assert_eq!(wrote("None"), "|TypeError: write() takes bytes, not NoneType");
    assert_eq!(wrote(""), "|TypeError: write() is missing required argument 1 (0 given, 1 needed)");
    assert_eq!(wrote("data=b'a'"), "|TypeError: write() takes no keyword arguments");
}

#[test]
fn writes_beyond_the_content_length_are_dropped() {
    let source = "
def application(environ, start_response):
    write = start_response('200 OK', [('Content-Length', '3')])
    write(b'ab'); write(b'cd'); write(b'ef')
    return [b'gh']
";
    let reply = Ask::of(source).run();
    assert_eq!((reply.text().as_str(), reply.seen.pieces.len()), ("abc", 2));
    assert!(reply.logged("Content-Length mismatch: 5 bytes too many were dropped"));
    let none = source.replace("'3'", "'0'");
    let reply = Ask::of(&none).run();
    assert_eq!((reply.text().as_str(), reply.seen.pieces.len()), ("", 0));
    assert_eq!(reply.seen.status, "200 OK");
}

#[test]
fn a_write_that_nobody_takes_raises_once_and_again() {
    let source = "
def application(environ, start_response):
    write = start_response('200 OK', [])
    for _ in range(3):
        try: write(b'x')
        except OSError as e: print('refused', file=environ['wsgi.errors'])
    return []
";
    let reply = Ask::of(source).takes(2).run();
    assert_eq!((reply.outcome, reply.body().as_str()), (Outcome::Gone, "x"));
    assert_eq!(reply.log().iter().filter(|line| **line == "refused").count(), 2);
    let uncaught = source.replace("except OSError as e", "except ValueError as e");
    let reply = Ask::of(&uncaught).takes(2).run();
    assert_eq!(reply.outcome, Outcome::Gone);
    assert!(reply.logged("OSError: response data write error"), "{:?}", reply.log());
}
