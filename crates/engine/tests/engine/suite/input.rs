//! `wsgi.input`.

use super::Ask;

/// An application that answers with an expression of `i`, the input.
fn input(expression: &str) -> Ask {
    let source = format!(
        "def application(environ, start_response):\n\
         \x20   i = environ['wsgi.input']\n\
         \x20   start_response('200 OK', [])\n\
         \x20   return [str(({expression})).encode()]\n"
    );
    Ask::of(&source)
}

#[test]
fn reads() {
    let all = |expression| input(expression).body(b"ab").rest(&[b"cd", b"ef"]).run().text();
    assert_eq!(all("i.read()"), "b'abcdef'");
    assert_eq!(all("i.read(None), i.read()"), "(b'abcdef', b'')");
    assert_eq!(all("i.read(-1)"), "b'abcdef'");
    assert_eq!(all("i.read(3), i.read(1), i.read(99), i.read(1)"), "(b'abc', b'd', b'ef', b'')");
    assert_eq!(all("i.read(0), i.read(2)"), "(b'', b'ab')");
    let short = |expression| input(expression).body(b"abc").run();
    assert_eq!(short("i.read(9)").text(), "b'abc'");
    assert!(short("i.read()").seen.reads.is_empty(), "the whole body came with the request");
}

#[test]
fn lines() {
    let all = |expression| {
        input(expression).body(b"on").rest(&[b"e\ntwo", b"\n\nthr", b"ee"]).run().text()
    };
    assert_eq!(all("list(i)"), "[b'one\\n', b'two\\n', b'\\n', b'three']");
    assert_eq!(all("i.readlines()"), "[b'one\\n', b'two\\n', b'\\n', b'three']");
    assert_eq!(all("i.readlines(5), i.readline()"), "([b'one\\n', b'two\\n'], b'\\n')");
    assert_eq!(all("i.readline(2), i.readline(0), i.readline(9)"), "(b'on', b'', b'e\\n')");
    assert_eq!(
        all("i.readline(-1), i.readline(None), i.read(1)"),
        "(b'one\\n', b'two\\n', b'\\n')"
    );
    assert_eq!(all("iter(i) is i, next(i), i.read()"), "(True, b'one\\n', b'two\\n\\nthree')");
}

#[test]
fn buffers_are_filled() {
    let all = |expression| input(expression).body(b"ab").rest(&[b"cd"]).run().text();
    assert_eq!(all("(b := bytearray(3), i.readinto(b), b)[1:]"), "(3, bytearray(b'abc'))");
    assert_eq!(all("(b := bytearray(9), i.readinto(b), bytes(b[:4]))[1:]"), "(4, b'abcd')");
    let source =
        "def application(environ, start_response):\n    environ['wsgi.input'].readinto(b'x')";
    assert!(Ask::of(source).run().logged("TypeError"));
}

#[test]
fn a_first_empty_read_asks_for_100_continue() {
    let reply = input("i.read(0), i.read(0)").rest(&[b"x"]).run();
    assert_eq!(reply.text(), "(b'', b'')");
    assert_eq!(reply.seen.reads, [0]);
    assert!(input("1").rest(&[b"x"]).run().seen.reads.is_empty());
}

#[test]
fn memory_grows_with_what_arrives() {
    let reply = input("i.read(1 << 62)").rest(&[b"abc"]).run();
    assert_eq!(reply.text(), "b'abc'");
    assert!(reply.seen.reads.iter().all(|size| *size <= 1 << 20), "{:?}", reply.seen.reads);
    let piece = vec![b'x'; 300_000];
    let pieces = [piece.as_slice(); 10];
    assert_eq!(input("len(i.read())").rest(&pieces).run().text(), "3000000");
    assert_eq!(input("len(i.readline())").rest(&pieces).run().text(), "3000000");
}

#[test]
fn large_reads_are_whole() {
    // Pieces that end within steps and at their ends.
    for (piece, count) in [(1_000_003, 3), (1 << 20, 3), (1 << 20, 1), ((1 << 20) + 1, 1)] {
        let body: Vec<u8> = (0..=250).cycle().take(piece * count).collect();
        let pieces: Vec<_> = body.chunks(piece).collect();
        let sum = body.iter().map(|byte| u64::from(*byte)).sum::<u64>();
        let whole = format!("({}, {sum}, b'')", body.len());
        let all = "(b := i.read(), len(b), sum(b), i.read())[1:]";
        assert_eq!(input(all).rest(&pieces).run().text(), whole);
        assert_eq!(
            input(&all.replace("read()", "read(1 << 40)")).rest(&pieces).run().text(),
            whole
        );
        let less =
            input("(b := i.read(1200000), c := i.read(), hash(b + c) and len(b + c), len(b))[2:]");
        let text = format!("({}, {})", body.len(), body.len().min(1_200_000));
        assert_eq!(less.body(b"").rest(&pieces).run().text(), text);
    }
}

#[test]
fn a_large_read_that_breaks_off_raises() {
    let piece = vec![b'x'; 3_000_000];
    let source = "
def application(environ, start_response):
    try: environ['wsgi.input'].read(); seen = 'whole'
    except OSError as e: seen = 'broken'
    start_response('200 OK', [])
    return [seen.encode()]
";
    assert_eq!(Ask::of(source).rest(&[&piece]).breaks().run().text(), "broken");
}

#[test]
fn errors_stay() {
    let source = "
def application(environ, start_response):
    i, seen = environ['wsgi.input'], []
    for read in (i.read, i.read, i.readline, lambda: next(i)):
        try: seen.append(read())
        except OSError as e: seen.append(str(e))
    start_response('200 OK', [])
    return [repr(seen).encode()]
";
    let text = "mod_wsgi request data read error: connection reset";
    let expected = format!("{:?}", [text; 4]).replace('"', "'");
    assert_eq!(Ask::of(source).rest(&[b"abc"]).breaks().run().text(), expected);
}

#[test]
fn arguments_are_positional() {
    for call in ["i.read(size=1)", "i.read(1.5)", "i.read('1')", "i.read(1, 2)", "i.close(1)"] {
        assert!(input(call).run().logged("TypeError"), "{call}");
    }
    assert_eq!(input("i.close()").run().text(), "None");
}
