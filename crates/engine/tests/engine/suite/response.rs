//! `start_response`, `write`, iteration, `close`, files.

use std::path::PathBuf;
use std::sync::OnceLock;

use wsgi::protocol::outcome::Outcome;

use super::{Ask, directory};

fn app(body: &str) -> String {
    let body = body.replace('\n', "\n    ");
    format!("def application(environ, start_response):\n    {body}\n")
}

#[test]
fn heads_and_pieces() {
    let reply = Ask::of(&app(
        "start_response('200 OK', [('X-A', '1'), ('X-A', 'ä')])\nreturn [b'', b'one', b'', b'two']",
    ))
    .run();
    assert_eq!(reply.text(), "onetwo");
    assert_eq!(reply.seen.status, "200 OK");
    let header = |value: &str| ("X-A".to_owned(), value.to_owned());
    assert_eq!(reply.seen.headers, [header("1"), header("ä")]);
    assert_eq!(reply.seen.pieces, [b"onetwo"], "the pieces of a list leave together");
    let reply = Ask::of(&app("start_response('204', [])\nreturn []")).run();
    assert_eq!((reply.outcome, reply.seen.status.as_str()), (Outcome::Complete, "204"));
}

#[test]
fn write_comes_first() {
    let reply = Ask::of(&app(
        "write = start_response('200 OK', [])\nwrite(b'')\nwrite(b'one')\nreturn [b'two']",
    ))
    .run();
    assert_eq!(reply.text(), "onetwo");
    let reply = Ask::of(&app("start_response('200 OK', [])('text')\nreturn []")).run();
    assert_eq!(reply.outcome, Outcome::Failed(500));
    assert!(reply.logged("write() takes bytes, not str"));
}

#[test]
fn a_late_start_response_in_a_generator_counts() {
    let reply = Ask::of(&app("yield b''\nstart_response('201 Made', [])\nyield b'x'")).run();
    assert_eq!((reply.text().as_str(), reply.seen.status.as_str()), ("x", "201 Made"));
}

#[test]
fn start_response_again() {
    let reply = Ask::of(&app(
        "start_response('200 OK', [('A', '1')])\nstart_response('500 No', [('B', '2')])\nreturn []",
    ))
    .run();
    assert_eq!(reply.seen.status, "500 No");
    assert_eq!(reply.seen.headers, [("B".to_owned(), "2".to_owned())]);
    let again = |arguments: &str| {
        let source = app(&format!(
            "import sys\nstart_response('200 OK', [])(b'x')\n\
             try: raise KeyError('first')\n\
             except KeyError: exc = sys.exc_info()\n\
             try: start_response('500 No', []{arguments})\n\
             except Exception as e: yield repr(e).encode()"
        ));
        Ask::of(&source).run().text()
    };
    assert!(again("").starts_with("xRuntimeError('start_response() was called again"));
    assert_eq!(again(", exc"), "xKeyError('first')");
    assert!(again(", exc[:2]").starts_with("xTypeError("));
    assert!(again(", 7").starts_with("xRuntimeError('exc_info must be a tuple"));
}

#[test]
fn the_content_length_is_kept() {
    let reply = Ask::of(&app(
        "start_response('200 OK', [('content-length', '4')])\nreturn [b'abc', b'def', b'ghi']",
    ))
    .run();
    assert_eq!(reply.text(), "abcd");
    assert!(reply.logged("Content-Length mismatch: 5 bytes too many were dropped"));
    let reply =
        Ask::of(&app("start_response('200 OK', [('Content-Length', '4')])\nreturn [b'abc']")).run();
    assert_eq!(reply.text(), "abc");
    assert!(reply.logged("1 bytes are missing"));
}

#[test]
fn close_is_called_once() {
    let source = |close: &str, items: &str| {
        format!(
            "class Answer:\n\
             \x20   def __init__(self, environ): self.errors = environ['wsgi.errors']\n\
             \x20   def __iter__(self): {items}\n\
             \x20   {close}\n"
        ) + &app("start_response('200 OK', [])\nreturn Answer(environ)")
    };
    let counted = "def close(self): print('closed', file=self.errors)";
    let closes = |reply: &super::Reply| reply.log().iter().filter(|l| **l == "closed").count();
    let reply = Ask::of(&source(counted, "return iter([b'x'])")).run();
    assert_eq!((reply.text().as_str(), closes(&reply)), ("x", 1));
    let reply = Ask::of(&source(counted, "raise ValueError")).run();
    assert_eq!((reply.outcome, closes(&reply)), (Outcome::Failed(500), 1));
    assert_eq!(*reply.log().last().unwrap(), "closed");
    let reply = Ask::of(&source("def close(self): 1 / 0", "return iter([b'x'])")).run();
    assert_eq!(reply.text(), "x");
    assert!(reply.logged("ZeroDivisionError"));
    let odd = "close = property(lambda self: 1 / 0)";
    let reply = Ask::of(&source(odd, "return iter([b'x'])")).run();
    assert_eq!(reply.text(), "x");
    assert!(reply.logged("ZeroDivisionError"));
}

const PIPED: &str = "
def piped():
    import os
    read, write = os.pipe()
    os.write(write, b'abc')
    os.close(write)
    return open(read, 'rb', 0)
";

/// An application that sends a file of 10 digits.
fn file_app(open: &str, headers: &str) -> String {
    static DIGITS: OnceLock<PathBuf> = OnceLock::new();
    let path = DIGITS.get_or_init(|| {
        let path = directory().join("digits");
        std::fs::write(&path, "0123456789").unwrap();
        path
    });
    let body = format!("file = {open}\nstart_response('200 OK', {headers})");
    format!("import io, mod_wsgi\npath = '{}'\n{PIPED}", path.display())
        + &app(&(body + "\nreturn environ['wsgi.file_wrapper'](file)"))
}

#[test]
fn files_are_sent_by_the_server() {
    let reply = Ask::of(&file_app("open(path, 'rb')", "[]")).run();
    assert_eq!((reply.text().as_str(), &reply.seen.files[..]), ("0123456789", &[(0, 10)][..]));
    assert_eq!(reply.seen.headers, [("Content-Length".to_owned(), "10".to_owned())]);
    let seek = "open(path, 'rb'); file.seek(4)";
    let reply = Ask::of(&file_app(seek, "[]")).run();
    assert_eq!((reply.text().as_str(), &reply.seen.files[..]), ("456789", &[(4, 6)][..]));
    let reply = Ask::of(&file_app(seek, "[('Content-Length', '2')]")).run();
    assert_eq!((reply.text().as_str(), &reply.seen.files[..]), ("45", &[(4, 2)][..]));
    let reply = Ask::of(&file_app(seek, "[('Content-Length', '99')]")).run();
    assert_eq!((reply.text().as_str(), &reply.seen.files[..]), ("456789", &[(4, 6)][..]));
    assert!(reply.logged("93 bytes are missing"));
}

#[test]
fn what_is_no_regular_file_is_iterated() {
    let bytes = "io.BytesIO(b'abc')";
    let pipe = "piped()";
    for open in [bytes, pipe, "type('F', (), {'read': io.BytesIO(b'abc').read})()"] {
        let reply = Ask::of(&file_app(open, "[]")).run();
        assert_eq!((reply.text().as_str(), reply.seen.files.len()), ("abc", 0), "{open}");
    }
    let reply = Ask::of(&file_app("io.StringIO('abc')", "[]")).run();
    assert_eq!(reply.outcome, Outcome::Failed(500));
    assert!(reply.logged("read() of the wrapped file must return bytes, not str"));
    let source = file_app("open(path, 'rb')", "[]")
        .replace("start_response('200 OK', [])", "start_response('200 OK', [])(b'first ')");
    let reply = Ask::of(&source).run();
    assert_eq!((reply.text().as_str(), reply.seen.files.len()), ("first 0123456789", 0));
}

#[test]
fn file_wrappers_are_closed_and_can_be_derived_from() {
    let source = file_app("open(path, 'rb')", "[]").replace(
        "return environ['wsgi.file_wrapper'](file)",
        "environ['wsgi.errors'].write('kept\\n')\n    global kept; kept = Mine(file)\n    return \
         kept",
    ) + "
class Mine(mod_wsgi.FileWrapper):
    def close(self):
        inner = self.filelike
        super().close(); super().close()
        try: self.filelike
        except ValueError: print('closed', inner.closed, self.blksize)
";
    let reply = Ask::of(&source).run();
    assert_eq!((reply.text().as_str(), reply.seen.files.len()), ("0123456789", 1));
    assert_eq!(reply.log(), ["kept", "closed True 8192"]);
    let raised = |call: &str| {
        let text = format!(
            "import io\nw = environ['wsgi.file_wrapper']\nstart_response('200 OK', [])\n\
             try: return [str({call}).encode()]\n\
             except Exception as e: return [type(e).__name__.encode()]"
        );
        Ask::of(&app(&text)).run().text()
    };
    assert_eq!(raised("w(io.BytesIO(), blksize=-1)"), "ValueError");
    assert_eq!(raised("w()"), "TypeError");
    assert_eq!(raised("list(w(filelike=io.BytesIO(b'abcde'), blksize=2))"), "[b'ab', b'cd', b'e']");
}

#[test]
fn short_pieces_of_a_list_leave_in_front_of_a_long_one() {
    let source = "start_response('200 OK', [])\nreturn (b'a', b'b' * 20000, b'c', b'd')";
    let reply = Ask::of(&app(source)).run();
    assert_eq!(reply.text(), "a".to_owned() + &"b".repeat(20000) + "cd");
    let lengths: Vec<_> = reply.seen.pieces.iter().map(Vec::len).collect();
    assert_eq!(lengths, [1, 20000, 2]);
}

#[test]
fn a_list_is_cut_at_its_content_length() {
    let source = "start_response('200 OK', [('Content-Length', '3')])\nreturn [b'ab', b'cd', b'e']";
    let reply = Ask::of(&app(source)).run();
    assert_eq!((reply.outcome, reply.text().as_str()), (Outcome::Complete, "abc"));
    let source = "start_response('200 OK', [('Content-Length', 'x')])\nreturn [b'ab']";
    let reply = Ask::of(&app(source)).run();
    assert_eq!((reply.outcome, reply.body().as_str()), (Outcome::Failed(500), ""));
}
