//! The arguments that `start_response` refuses, and how it names the fault.

use wsgi::protocol::outcome::Outcome;

use super::Ask;

fn app(body: &str) -> String {
    let body = body.replace('\n', "\n    ");
    format!("def application(environ, start_response):\n    {body}\n")
}

/// The exception that a call of `start_response` raises.
fn raised(call: &str) -> String {
    let body = format!(
        "error = None\n\
         try: start_response({call})\n\
         except Exception as e: error = type(e).__name__ + ': ' + str(e)\n\
         start_response('200 OK', [('Content-Type', 'text/plain; charset=utf-8')])\n\
         return [str(error).encode()]"
    );
    Ask::of(&app(&body)).run().text()
}

#[track_caller]
fn refuses(call: &str, error: &str) {
    assert_eq!(raised(call), error, "{call}");
}

#[test]
fn a_status_names_its_fault() {
    refuses("None, []", "TypeError: status must be a str, not NoneType");
    refuses("b'200 OK', []", "TypeError: status must be a str, not bytes");
    refuses("200, []", "TypeError: status must be a str, not int");
    for bad in ["", "20", "20 OK", "2000", "abc OK", " 200 OK", "-20 OK"] {
        let error = raised(&format!("'{bad}', []"));
        let wanted = ["ValueError: status must begin", "ValueError: the three digits of a status"];
        assert!(wanted.iter().any(|text| error.starts_with(text)), "{bad:?}: {error}");
        assert!(error.ends_with(&format!("{bad:?}")), "{bad:?}: {error}");
    }
    refuses("'200 O\\rK', []", "ValueError: status contains a control character: \"200 O\\rK\"");
    refuses("'200 O\\0K', []", "ValueError: status contains a control character: \"200 O\\0K\"");
    assert!(raised("'200 \\u0100', []").starts_with("UnicodeEncodeError: 'latin-1' codec"));
}

#[test]
fn a_status_may_be() {
    for good in ["'200'", "'200 '", "'299 \\xe4'", "type('S', (str,), {})('200 OK')", "'999 X'"] {
        refuses(&format!("{good}, []"), "None");
    }
    let reply = Ask::of(&app("start_response('200 Error', [])\nreturn [b'x']")).run();
    assert_eq!((reply.text().as_str(), reply.seen.status.as_str()), ("x", "200 Error"));
}

#[test]
fn headers_name_their_fault() {
    refuses("'200 OK', None", "TypeError: headers must be a list, not NoneType");
    refuses("'200 OK', {'a': 'b'}", "TypeError: headers must be a list, not dict");
    refuses("'200 OK', iter([])", "TypeError: headers must be a list, not list_iterator");
    refuses(
        "'200 OK', [['a', 'b']]",
        "TypeError: each header must be a tuple (name, value), not list",
    );
    refuses("'200 OK', ['ab']", "TypeError: each header must be a tuple (name, value), not str");
    refuses(
        "'200 OK', [('a', 'b', 'c')]",
        "ValueError: each header must be a tuple (name, value), not of 3 items",
    );
    refuses(
        "'200 OK', [(b'a', 'b')]",
        "TypeError: the name of header b'a' must be a str, not bytes",
    );
    refuses("'200 OK', [('a', 1)]", "TypeError: the value of header a must be a str, not int");
    refuses(
        "'200 OK', [('a', None)]",
        "TypeError: the value of header a must be a str, not NoneType",
    );
    refuses("'200 OK', [('', 'b')]", "ValueError: a header has an empty name");
    for (name, bad) in [("a b", ' '), ("a\\n", '\n'), ("a\\x7f", '\u{7f}'), ("a:", ':')] {
        let error = raised(&format!("'200 OK', [('{name}', 'b')]"));
        let wanted =
            format!("ValueError: header name contains {bad:?}, which is not allowed there");
        assert!(error.starts_with(&wanted), "{name}: {error}");
    }
    for (value, bad) in [("a\\rb", '\r'), ("a\\nb", '\n'), ("a\\0b", '\0')] {
        let error = raised(&format!("'200 OK', [('X-Bad', '{value}')]"));
        let wanted =
            format!("ValueError: the value of header X-Bad contains {bad:?}, which would break");
        assert!(error.starts_with(&wanted), "{value}: {error}");
    }
    assert!(raised("'200 OK', [('\\u0100', 'b')]").starts_with("UnicodeEncodeError"));
    assert!(raised("'200 OK', [('a', '\\u0100')]").starts_with("UnicodeEncodeError"));
}

#[test]
fn headers_may_be() {
    for good in [
        "[]",
        "type('L', (list,), {})([('a', 'b')])",
        "[type('T', (tuple,), {})(('a', 'b'))]",
        "[('a', ''), ('a', '\\t\\x01\\xff')]",
        "[('Connection', 'close'), ('Transfer-Encoding', 'x'), ('Status', '1')]",
    ] {
        refuses(&format!("'200 OK', {good}"), "None");
    }
}

#[test]
fn arguments_are_positional_and_counted() {
    refuses("", "TypeError: start_response() is missing required argument 1 (0 given, 2 needed)");
    refuses(
        "'200 OK'",
        "TypeError: start_response() is missing required argument 2 (1 given, 2 needed)",
    );
    refuses(
        "'200 OK', [], None, None",
        "TypeError: start_response() takes at most 3 arguments (4 given)",
    );
    refuses("'200 OK', headers=[]", "TypeError: start_response() takes no keyword arguments");
    refuses("'200 OK', [], None", "None");
}

#[test]
fn nothing_is_kept_of_a_refused_head() {
    let reply = Ask::of(&app("try: start_response('200 OK', [('Good', '1'), ('Bad', '\\n')])\n\
         except ValueError: pass\n\
         return [b'x']"))
    .run();
    assert_eq!(reply.outcome, Outcome::Failed(500));
    assert!(reply.logged("has not called start_response()"));
    // A good head stays when a bad one follows.
    let reply = Ask::of(&app("start_response('202 So', [('Good', '1')])\n\
         try: start_response('200 OK', [('Bad', '\\n')])\n\
         except ValueError: pass\n\
         return [b'x']"))
    .run();
    assert_eq!((reply.text().as_str(), reply.seen.status.as_str()), ("x", "202 So"));
    assert_eq!(reply.seen.headers, [("Good".to_owned(), "1".to_owned())]);
}

#[test]
fn an_uncaught_refusal_is_a_500() {
    let reply = Ask::of(&app("start_response('200 OK', [('a', 'b\\n')])\nreturn []")).run();
    assert_eq!(reply.outcome, Outcome::Failed(500));
    assert!(reply.logged("ValueError: the value of header a contains '\\n'"), "{:?}", reply.log());
}

#[test]
fn exc_info_before_anything_was_sent_replaces_the_head() {
    let reply = Ask::of(&app("import sys\n\
         start_response('200 OK', [('Old', '1')])\n\
         yield b''\n\
         try: raise KeyError('gone')\n\
         except KeyError: start_response('500 Replaced', [('New', '1')], sys.exc_info())\n\
         yield b'page'"))
    .run();
    assert_eq!((reply.text().as_str(), reply.seen.status.as_str()), ("page", "500 Replaced"));
    assert_eq!(reply.seen.headers, [("New".to_owned(), "1".to_owned())]);
    assert!(reply.seen.log.is_empty(), "{:?}", reply.seen.log);
}

#[test]
fn exc_info_after_something_was_sent_is_raised() {
    let reply = Ask::of(&app("import sys\n\
         start_response('200 OK', [])\n\
         yield b'one'\n\
         try: raise KeyError('the cause')\n\
         except KeyError: start_response('500 No', [], sys.exc_info())\n\
         yield b'never'"))
    .run();
    assert_eq!((reply.outcome, reply.body().as_str()), (Outcome::Aborted, "one"));
    assert_eq!(reply.seen.status, "200 OK");
    assert!(reply.logged("KeyError: 'the cause'"), "{:?}", reply.log());
}

#[test]
fn a_content_length_must_be_one() {
    for bad in ["-1", "+1", "1.0", "", "1 2", "0x1", "99999999999999999999999"] {
        let body =
            format!("start_response('200 OK', [('Content-Length', '{bad}')])\nreturn [b'x']");
        let reply = Ask::of(&app(&body)).run();
        assert_eq!(reply.outcome, Outcome::Failed(500), "{bad:?}");
        let wanted = format!("Content-Length header must be digits only: {bad:?}");
        assert!(reply.logged(&wanted), "{bad:?}: {:?}", reply.log());
    }
    // Blanks around a value are no part of it.
    let blanks = "start_response('200 OK', [('Content-Length', ' 2\t')])\nreturn [b'xyz']";
    let reply = Ask::of(&app(blanks)).run();
    assert_eq!(reply.text(), "xy");
    assert_eq!(reply.seen.headers, [("Content-Length".to_owned(), "2".to_owned())]);
    // The last one counts.
    let two = "[('Content-Length', 'x'), ('Content-Length', '1')]";
    let reply = Ask::of(&app(&format!("start_response('200 OK', {two})\nreturn [b'xy']"))).run();
    assert_eq!(reply.text(), "x");
}

#[test]
fn headers_of_the_connection_are_passed_on_and_named_once() {
    let source = app("start_response('200 OK', [('Keep-Alive', 'x')])\nreturn [b'x']");
    let complaint = "hop-by-hop header \"Keep-Alive\"";
    let first = Ask::of(&source).run();
    assert!(first.logged(complaint), "{:?}", first.log());
    assert_eq!(first.text(), "x");
    assert!(!Ask::of(&source).run().logged(complaint));
}
