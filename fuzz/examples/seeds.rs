//! Writes the seeds anew, for a protocol that has changed: small inputs that reach each branch of a
//! reader.
//!
//! `cargo run --manifest-path fuzz/Cargo.toml --example seeds`
#![expect(clippy::unwrap_used, reason = "a developer's tool: what fails is shown")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use wsgi::config::daemon_process::{GroupSpec, OPTIONS};
use wsgi::level::Level;
use wsgi::process::plan::{
    Account, Application, EmbeddedSpec, GroupReport, ImportedScript, MappedScript, Plan,
    PlannedGroup, PythonFacts, PythonStart, Report, ServerFacts, WorkerSpec,
};
use wsgi::protocol::codec::Pairs;
use wsgi::protocol::frame::{BodyFault, FileRange, FrameType, write};
use wsgi::protocol::hook::{Answer, DispatchTarget, Query, Question, encode_variable};
use wsgi::protocol::log_line::{LogLine, Source};
use wsgi::protocol::request::{Attempts, BodyRest, RequestHead};
use wsgi::protocol::response::{ResponseHead, ResponseStatus};
use wsgi::protocol::scoreboard::{ScoreboardProcess, ScoreboardSnapshot, ScoreboardWorker};
use wsgi::time_zone::TimeZone;

fn main() {
    frames();
    requests();
    replies();
    responses();
    log_lines();
    answers();
    plans();
    options();
    texts();
}

fn save(target: &str, name: &str, bytes: &[u8]) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join(name), bytes).unwrap();
}

/// The bytes that a function appends.
fn made(make: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    make(&mut bytes);
    bytes
}

type Bytes = &'static [u8];

const ENVIRON: [(Bytes, Bytes); 3] =
    [(b"REQUEST_METHOD", b"GET"), (b"REQUEST_URI", b"/\xff"), (b"EMPTY", b"")];

fn request() -> RequestHead<'static> {
    RequestHead {
        attempts: Attempts { connects: 1, restarts: 0 },
        script: b"/srv/app.wsgi",
        process_group: b"site",
        application_group: b"",
        main_interpreter: true,
        callable: b"application",
        script_reloading: true,
        script_modified: 1,
        ignore_activity: false,
        log_level: 4,
        request_start: 1,
        queue_start: 2,
        environ: Pairs::NONE,
        body: b"a=1",
        body_behind: 5,
        body_rest: BodyRest::Pull,
    }
}

fn head() -> Vec<u8> {
    let status = ResponseStatus { code: 200, line: b"200 OK".to_vec() };
    let headers: [(Bytes, Bytes); 2] = [(b"Content-Length", b"5"), (b"X-A", b"\xff")];
    made(|buffer| ResponseHead::encode(&status, headers, buffer))
}

fn frames() {
    use FrameType::{
        Abort, Answer, Body, BodyFailed, Data, Decline, End, Fail, File, Log, ResponseHead,
    };
    use FrameType::{Question, RequestHead, Server, Unavailable, Variable};
    use FrameType::{WantBody, WantServer, WantVariable};

    let stream = |cut: u8, frames: &[(FrameType, Vec<u8>)]| {
        let mut bytes = vec![cut];
        for (kind, payload) in frames {
            write(&mut bytes, *kind, |buffer| buffer.extend_from_slice(payload));
        }
        bytes
    };
    let asked = made(|buffer| request().encode(ENVIRON, buffer));
    save("frames", "request", &stream(3, &[(RequestHead, asked.clone()), (Body, b"a".into())]));
    let answered =
        [(ResponseHead, head()), (Data, b"hello".into()), (File, vec![7; 16]), (End, vec![])];
    save("frames", "response", &stream(255, &answered));
    let numbers = [(WantBody, vec![1; 4]), (Fail, vec![0xf4, 1]), (WantServer, vec![])];
    save("frames", "numbers", &stream(0, &numbers));
    let ends = [(Abort, vec![]), (Decline, vec![]), (Unavailable, vec![])];
    save("frames", "ends", &stream(1, &ends));
    let hooks = [
        (Question, asked),
        (WantVariable, b"SSL_PROTOCOL".into()),
        (Variable, vec![0; 5]),
        (Answer, vec![1]),
        (Log, vec![4; 13]),
        (Server, vec![]),
        (BodyFailed, vec![1, 0, 0, 0, 0]),
    ];
    save("frames", "hooks", &stream(8, &hooks));
    let long: Vec<_> = (0..40).map(|_| (Data, vec![b'x'; 700])).collect();
    save("frames", "long", &stream(100, &long));
    // A frame of the longest kind, of which nothing has come.
    save("frames", "promise", &[9, 18, 0, 0, 16, 0, b'x']);
    save("frames", "too-long", &[9, 18, 1, 0, 16, 0, b'x']);
}

fn requests() {
    save("requests", "request", &made(|buffer| request().encode(ENVIRON, buffer)));
    let empty = RequestHead { body: b"", body_behind: 0, body_rest: BodyRest::None, ..request() };
    save("requests", "empty", &made(|buffer| empty.encode([], buffer)));
    let (user, host) = (b"user".as_slice(), b"::1".as_slice());
    for (name, query) in [
        ("access", Query::Access { host }),
        ("password", Query::Password { user, password: b"\xff" }),
        ("realm", Query::RealmHash { user, realm: b"realm" }),
        ("groups", Query::Groups { user }),
        ("dispatch", Query::Dispatch),
    ] {
        let question = Question { request: request(), tls: true, query };
        save("requests", name, &made(|buffer| question.encode(ENVIRON, buffer)));
    }
}

fn replies() {
    save("replies", "fault", &made(|buffer| BodyFault::Timeout.encode(b"slow", buffer)));
    save("replies", "variable", &made(|buffer| encode_variable(Some(b"TLSv1.3"), buffer)));
    save("replies", "no-variable", &made(|buffer| encode_variable(None, buffer)));
    let worker = ScoreboardWorker {
        status: 4,
        client: b"::1".to_vec(),
        request: b"GET / HTTP/1.1".to_vec(),
        vhost: b"localhost".to_vec(),
        ..ScoreboardWorker::default()
    };
    let process = ScoreboardProcess {
        pid: 7,
        workers: vec![worker.clone(), worker],
        ..ScoreboardProcess::default()
    };
    let board = ScoreboardSnapshot {
        server_limit: 2,
        thread_limit: 2,
        processes: vec![process.clone(), ScoreboardProcess::default(), process],
        ..ScoreboardSnapshot::default()
    };
    save("replies", "scoreboard", &made(|buffer| board.encode(buffer)));
    // Many places that are free: what costs most memory for each byte.
    let free = ScoreboardSnapshot {
        processes: vec![ScoreboardProcess::default(); 300],
        ..ScoreboardSnapshot::default()
    };
    save("replies", "free-places", &made(|buffer| free.encode(buffer)));
}

fn responses() {
    save("responses", "head", &head());
    for (name, line, headers) in [
        ("control", "200 OK\r\nX: y", [("A", "b"), ("C", "d")]),
        ("value", "200 OK", [("A", "b\r\nC: d"), ("C", "d")]),
        ("lengths", "200 OK", [("Content-Length", "5"), ("content-length", "05")]),
        ("framing", "200 OK", [("Transfer-Encoding", "chunked"), ("C", "d")]),
        ("name", "404", [("", "b"), ("C: d", "d")]),
    ] {
        let status = ResponseStatus { code: 200, line: line.into() };
        let headers = headers.map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        save("responses", name, &made(|buffer| ResponseHead::encode(&status, headers, buffer)));
    }
    let range = FileRange { offset: 4096, length: 1 << 40 };
    save("responses", "file", &made(|buffer| range.encode(buffer)));
    save("responses", "failure", &[0xf7, 1]);
    save("responses", "want-body", &[0, 16, 0, 0]);
}

fn log_lines() {
    let source = Source { file: b"/srv/app.wsgi", line: 7 };
    let line = LogLine { level: Level::Error, source, text: b"two\nlines \x1b[0m\xff" };
    save("log_lines", "line", &made(|buffer| line.encode(buffer)));
    save("log_lines", "empty", &made(|buffer| LogLine::new(Level::Trace1, b"").encode(buffer)));
}

fn answers() {
    let target =
        DispatchTarget { process_group: Some(b"site".to_vec()), ..DispatchTarget::default() };
    for (name, answer) in [
        ("none", Answer::None),
        ("yes", Answer::Yes),
        ("no", Answer::No),
        ("hash", Answer::Text(b"0123456789abcdef0123456789ABCDEF".to_vec())),
        ("user", Answer::Text(b"user\0root".to_vec())),
        ("groups", Answer::Names(vec![b"staff".to_vec(), Vec::new()])),
        // What costs most memory for each byte.
        ("many-groups", Answer::Names(vec![Vec::new(); 1500])),
        ("target", Answer::Target(target)),
    ] {
        save("answers", name, &made(|buffer| answer.encode(buffer)));
    }
}

fn plans() {
    let group = GroupSpec::parse(
        "site processes=0..4 threads=2 user=www group=#33 home=/srv python-path=/a:/b lang=C \
         preload=application preload-modules=json,os.path warm-up=/ request-timeout=5 \
         switch-interval=0.01 memory-limit=1000000 umask=0027",
    )
    .unwrap();
    let server = ServerFacts {
        version: (2, 4, 71),
        description: "Apache/2.4.71".into(),
        slow_requests: Some(std::time::Duration::from_millis(1500)),
        ..ServerFacts::default()
    };
    let python = PythonFacts {
        executable: "/usr/bin/python3".into(),
        version: "3.13.0 (main)".into(),
        library: "/usr/lib/libpython3.13.so.1.0".into(),
    };
    let application = Application {
        script: "/srv/app.wsgi".into(),
        mount: "/app".into(),
        application_group: "host|/app".into(),
        callable: "application".into(),
        host: "host".into(),
        port: 80,
    };
    let import = ImportedScript { script: "/srv/job.py".into(), application_group: String::new() };
    let script = MappedScript { script: "/srv/a".into(), directive: "WSGIScriptAlias".into() };
    let planned = PlannedGroup {
        spec: group.clone(),
        place: "httpd.conf:7".into(),
        queue: 5,
        log: Some(6),
        applications: vec![application.clone()],
        imports: vec![import.clone()],
        scripts: vec![script.clone()],
    };
    let plan = Plan {
        server: server.clone(),
        log_level: 4,
        socket_timeout: Duration::from_mins(1),
        children: Account { uid: 33, gid: 33, user: "www-data".into() },
        python_home: Some("/opt/venv".into()),
        groups: vec![planned],
        embedded: true,
        scripts: vec![script],
        findings: wsgi::process::plan::Findings::default(),
        answer_limit: None,
    };
    let report = Report {
        problems: vec![wsgi::codes::unknown_group("a")],
        warnings: vec![wsgi::codes::unknown_group("b")],
        embedded: Some(Ok(python.clone())),
        groups: vec![GroupReport { user: "www".into(), ..GroupReport::default() }],
        ..Report::default()
    };
    let options = plan.server.python.clone();
    let embedded = EmbeddedSpec {
        python: python.clone(),
        python_path: vec!["/a".into()],
        server: server.clone(),
        single_process: false,
        python_in_parent_is_known: false,
        python_eggs: None,
        imports: vec![import.clone()],
    };
    let worker = WorkerSpec {
        group,
        server,
        log_level: 4,
        time_zone: TimeZone::sampled(0, 2, |moment| if moment < 100_000 { 3600 } else { 7200 }),
        socket_timeout: Duration::from_mins(1),
        peers: vec![0, 33],
        preload: wsgi::config::daemon_process::Preload::Application,
        applications: vec![application],
        imports: vec![import],
    };
    let start = PythonStart { python, options };
    for (kind, name, json) in [
        (0, "plan", serde_json::to_vec(&plan)),
        (1, "report", serde_json::to_vec(&report)),
        (2, "embedded", serde_json::to_vec(&embedded)),
        (3, "start", serde_json::to_vec(&start)),
        (4, "worker", serde_json::to_vec(&worker)),
    ] {
        save("plans", name, &[vec![kind], json.unwrap()].concat());
    }
    save("plans", "deep", &[vec![b'0'], vec![b'['; 4000]].concat());
}

fn options() {
    for option in OPTIONS {
        let value = match option.allowed {
            allowed if allowed.contains("On or Off") || allowed.contains("on or off") => "on",
            allowed if allowed.contains("path") || allowed.contains("director") => "/srv/a:/b",
            _ => "10",
        };
        save("options", option.name, format!("site {}={value}", option.name).as_bytes());
    }
    save("options", "quoted", br#"'my site' home="/srv/my \"site\"" 'lang=de DE' display-name="#);
    save("options", "elastic", b"x processes=0..4 idle-timeout=5 preload=application warm-up=/,/a");
    save("options", "misspelt", b"x thread=5");
    save("options", "size", b"x recycle-memory=512M stack-size=512K switch-interval=1e-3");
}

fn texts() {
    save("control", "messages", b"HRSIMEBLTFSIMZG");
    save("control", "words", &[1, 0, 0, 0, 255, 255, 255, 255, 0xf4, 1, 0, 0]);
    let trusted = "10.0.0.0/8 ::1\n10.0.0.9\n6.6.6.6, 1.1.1.1, 10.0.0.1\n1.1.1.1\nhost\nhttps\n\
                   on\n8443\n/m\n9.9.9.9\nhttp";
    save("proxies", "chain", trusted.as_bytes());
    save("proxies", "all-peers", b"\n9.9.9.9\nunknown, \xff\n\n\nHTTP\noff");
    save("proxies", "masks", b"10.0.0.0/255.0.0.0 fe80::/10 0.0.0.0/0 x/y\npeer\n1.1.1.1");
    let line =
        "GET /a//b?c HTTP/1.1\x0c/a//b\x0c/b\x0c127.0.0.1\x0cHost:x\x0cProxy:evil\x0cproxy:b";
    let more = "\x0cAuthorization:Basic x\x0cX_Y:1\x0cX-Y:2\x0cx-y:3\x0cCookie:a\x0cCookie:b";
    save("environs", "request", format!("{line}{more}\x0cContent-Length:5").as_bytes());
    save("environs", "empty", b"\x0c\x0c\x0c");
    let rollup = "5-7 ---p 0 00:00 0 [rollup]\nRss: 30 kB\nPss: 14 kB\nPss_Anon: 8 kB\n\
                  Anonymous: 13 kB\nPrivate_Clean: 5 kB\nPrivate_Dirty: 7 kB\nSwap: 12 kB\n";
    save("smaps", "rollup", rollup.as_bytes());
    let most = format!("Rss: {0} kB\nPss: {0} kB\nPrivate_Dirty: {0} kB\n", u64::MAX);
    save("smaps", "most", most.repeat(2).as_bytes());
}
