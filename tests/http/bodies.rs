//! Bodies: streamed in both directions, and what is seen when one breaks off.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;

use md5::{Digest, Md5};
use serde_json::json;
use testkit::{Httpd, Mode, both_modes, wait_until};

fn serve(name: &str, mode: Mode) -> Httpd {
    Httpd::new(name).app("bodies.wsgi").conf("WSGIChunkedRequest On").mode(mode).start()
}

fn md5(bytes: &[u8]) -> String {
    Md5::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// Bytes that differ from place to place.
fn sample(length: usize) -> Vec<u8> {
    (0..length).map(|place| u8::try_from(place * 31 % 251).unwrap()).collect()
}

both_modes! {
    fn request_bodies_arrive_whole(mode) {
        let httpd = serve("request-bodies", mode);
        for length in [0, 1, 1_024, 1_025, 4_096, 9_000, 65_535, 65_536, 65_537, 5_000_000] {
            let body = sample(length);
            let reply = httpd.post("/digest", body.clone()).send();
            assert_eq!(reply.json(), json!([length, md5(&body)]));
            let reply = httpd.call("POST", "/digest").chunked(body.chunks(100_000)).send();
            assert_eq!(reply.json(), json!([length, md5(&body)]), "chunked");
        }
    }

    fn responses_arrive_whole(mode) {
        let httpd = serve("responses", mode);
        for length in [1, 65_536, 5_000_001] {
            let reply = httpd.get(&format!("/big?{length}")).send();
            let expected: Vec<u8> = (0..=255).cycle().take(length).collect();
            assert!(reply.body == expected, "{} bytes of {length}", reply.body.len());
        }
    }

    fn bodies_may_flow_both_ways_at_once(mode) {
        let httpd = serve("echo", mode);
        // Far more than all buffers on the way hold: one side alone would come to a stop.
        let body = sample(20_000_000);
        let reply = httpd.post("/echo", body.clone()).send();
        assert!(reply.body == body, "{} bytes came back", reply.body.len());
    }

    fn pieces_leave_when_they_are_made(mode) {
        // The last piece waits for nothing, either: the client ends its body when it has that.
        let httpd = Httpd::new("pieces")
            .app("bodies.wsgi")
            .conf("WSGIChunkedRequest On\nTimeout 300")
            .mode(mode)
            .start();
        let mut connection = httpd.connect().unwrap();
        connection
            .send(b"POST /pieces?3 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            .unwrap();
        for number in 0..3 {
            // Each answer comes before the next question is sent.
            connection.send(b"4\r\nask\n\r\n").unwrap();
            if number == 0 {
                assert_eq!(connection.head().unwrap().status, 200);
            }
            let piece = connection.piece().unwrap().unwrap();
            assert_eq!(String::from_utf8(piece).unwrap(), format!("{number} ask\n"));
        }
        connection.send(b"0\r\n\r\n").unwrap();
        assert_eq!(connection.piece().unwrap(), None);
    }

    fn a_file_does_not_wait_for_the_rest_of_the_body(mode) {
        let httpd = Httpd::new("file-first")
            .app("bodies.wsgi")
            .conf("WSGIChunkedRequest On\nTimeout 300")
            .mode(mode)
            .start();
        let mut connection = httpd.connect().unwrap();
        connection
            .send(b"POST /file HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            .unwrap();
        let reply = connection.reply().unwrap();
        assert_eq!(reply.status, 200);
        assert!(reply.header("Content-Length").is_some(), "httpd got the file whole");
        assert!(reply.text().starts_with("\"\"\"Bodies in both directions."));
        connection.send(b"0\r\n\r\n").unwrap();
    }

    fn a_body_may_be_read_after_the_response_began(mode) {
        let httpd = serve("late", mode);
        let body = sample(200_000);
        let text = httpd.post("/late", body.clone()).send().text();
        assert_eq!(text, format!("first\n[{}, \"{}\"]", body.len(), md5(&body)));
    }

    fn a_body_need_not_be_read(mode) {
        let httpd = serve("ignore", mode);
        let mut connection = httpd.connect().unwrap();
        for _ in 0..3 {
            let reply = httpd.post("/ignore", sample(300_000)).send_on(&mut connection).unwrap();
            assert_eq!(reply.text(), "five\n");
        }
    }

    fn the_end_of_input_stays_the_end(mode) {
        let httpd = serve("read-twice", mode);
        assert_eq!(httpd.post("/read-twice", "abc").send().text(), "abc|");
        assert_eq!(httpd.get("/read-twice").send().text(), "|");
    }

    fn lines_are_read(mode) {
        let httpd = serve("lines", mode);
        let lines = httpd.post("/lines", "one\ntwo\n\nlast").send().json();
        assert_eq!(lines, json!(["one\n", "two\n", "\n", "last"]));
    }

    fn continue_is_sent_at_the_first_read(mode) {
        let httpd = serve("continue", mode);
        let reply = httpd.post("/digest", "abc").expect_continue().send();
        assert_eq!(reply.json(), json!([3, md5(b"abc")]));
        assert_eq!(reply.interim.iter().map(|one| one.status).collect::<Vec<_>>(), [100]);
        // One that does not read never asks for it.
        let mut connection = httpd.connect().unwrap();
        connection.send(
            b"POST /ignore HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\
              Expect: 100-continue\r\n\r\n",
        ).unwrap();
        let reply = connection.reply().unwrap();
        assert_eq!((reply.status, reply.interim.len()), (200, 0));
    }

    fn files_are_sent(mode) {
        let httpd = serve("files", mode);
        let script = std::fs::read(testkit::installation::apps().join("bodies.wsgi")).unwrap();
        let reply = httpd.get("/file").send();
        assert_eq!(reply.header("Content-Length"), Some(script.len().to_string().as_str()));
        assert_eq!(reply.body, script);
    }

    fn parts_of_files_are_sent(mode) {
        let httpd = serve("ranges", mode);
        let script = std::fs::read(testkit::installation::apps().join("bodies.wsgi")).unwrap();
        for _ in 0..5 {
            let reply = httpd.get("/file").header("Range", "bytes=10-19").send();
            assert_eq!(reply.status, 206);
            assert_eq!(reply.body, script[10..20]);
            let range = format!("bytes 10-19/{}", script.len());
            assert_eq!(reply.header("Content-Range"), Some(range.as_str()));
        }
    }

    fn a_declared_length_is_kept_to(mode) {
        let httpd = serve("length", mode);
        assert_eq!(httpd.get("/length?4").send().text(), "five");
        assert_eq!(httpd.get("/length?5").send().text(), "five\n");
    }

    fn head_has_no_body(mode) {
        let httpd = serve("head", mode);
        let reply = httpd.call("HEAD", "/length?5").send();
        assert_eq!((reply.status, reply.body.len()), (200, 0));
        assert_eq!(reply.header("Content-Length"), Some("5"));
    }

    fn a_client_that_goes_away_is_no_error(mode) {
        let httpd = serve("gone", mode);
        let mut connection = httpd.connect().unwrap();
        connection
            .send(b"POST /digest HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nhalf of it")
            .unwrap();
        drop(connection);
        // Nothing at level warn or above: that would fail the test when it ends.
        let line = httpd.wait_for_log("the client went away from");
        assert!(line.text.contains("[wsgi:info]"), "{line}");
        assert_eq!(httpd.post("/digest", "abc").send().status, 200);
    }

    fn a_filter_may_make_more_of_a_body(mode) {
        let httpd = Httpd::new("inflated")
            .app("bodies.wsgi")
            .module("filter")
            .module("deflate")
            .conf("SetInputFilter DEFLATE")
            .mode(mode)
            .start();
        // A thousand times the letter x, in 29 bytes.
        let packed = b"\x1f\x8b\x08\0\0\0\0\0\x02\x03\xab\xa8\x18\x05\xa3`\x14\x0cw\0\0\
                       \xe6\xc9A;\xe8\x03\0\0";
        let call = httpd.post("/digest", packed.to_vec()).header("Content-Encoding", "gzip");
        assert_eq!(call.send().json(), json!([1000, md5(&[b'x'; 1000])]));
    }

    fn a_body_without_length_breaks_off_at_the_limit(mode) {
        let script = "
import os

HERE = os.path.dirname(os.path.abspath(__file__))


def application(environ, start_response):
    try:
        answer = b'%d' % len(environ['wsgi.input'].read())
    except OSError:
        if environ['PATH_INFO'] == '/raise':
            raise
        with open(os.path.join(HERE, 'seen'), 'w') as file:
            file.write('OSError')
        answer = b'from the application'
    start_response('200 OK', [])
    return [answer]
";
        let httpd = Httpd::new("limit-chunked")
            .file("app/app.wsgi", script)
            .file("app/seen", "")
            .conf("WSGIScriptAlias / {root}/app/app.wsgi\nLimitRequestBody 1000\n\
                   WSGIChunkedRequest On")
            .mode(mode)
            .start();
        let seen = httpd.root().join("app/seen");
        std::fs::set_permissions(&seen, PermissionsExt::from_mode(0o666)).unwrap();
        let post = |path: &str, length| {
            let body = sample(length);
            httpd.call("POST", path).chunked([body.as_slice()]).send()
        };
        assert_eq!(post("/", 1000).text(), "1000");
        // The filter that refuses the rest has httpd answer, and nothing may come behind that.
        let refused = post("/", 1001);
        assert_eq!(refused.status, 413);
        assert!(refused.text().trim_end().ends_with("</html>"), "{}", refused.text());
        wait_until("the application has met the limit", || {
            std::fs::read_to_string(&seen).is_ok_and(|seen| seen == "OSError")
        });
        httpd.expect_log("WSGI0174: exception OSError");
        httpd.allow_log("[wsgi:error]");
        let refused = post("/raise", 1001);
        assert_eq!((refused.status, refused.text().matches("</html>").count()), (413, 1));
        assert_eq!(post("/", 1000).text(), "1000");
        let logged = || httpd.access_log().lines().filter(|line| line.contains(" 413 ")).count();
        wait_until("both are logged as refused", || logged() == 2);
    }

    fn challenges_reach_the_client(mode) {
        let script = "
def application(environ, start_response):
    challenges = [('WWW-Authenticate', 'Basic realm=\"a\"'),
                  ('WWW-Authenticate', 'Digest realm=\"b\"')]
    start_response('401 Unauthorized', challenges)
    return [b'who?']
";
        let httpd = Httpd::new("challenges")
            .file("app/app.wsgi", script)
            .conf("WSGIScriptAlias / {root}/app/app.wsgi")
            .mode(mode)
            .start();
        let reply = httpd.get("/").send();
        assert_eq!((reply.status, reply.text().as_str()), (401, "who?"));
        assert_eq!(
            reply.headers_named("WWW-Authenticate"),
            ["Basic realm=\"a\"", "Digest realm=\"b\""]
        );
    }

    fn a_body_over_the_limit_never_reaches_the_application(mode) {
        let httpd =
            Httpd::new("limit").app("bodies.wsgi").conf("LimitRequestBody 1000").mode(mode).start();
        assert_eq!(httpd.post("/digest", sample(1000)).send().status, 200);
        httpd.expect_log("longer than LimitRequestBody 1000");
        assert_eq!(httpd.post("/digest", sample(1001)).send().status, 413);
    }
}
