//! Hooks: what their functions get, and which of their answers are taken.

use std::sync::{Arc, Mutex};

use engine::Control;
use wsgi::protocol::hook::{Answer, DispatchTarget, Query, Question};
use wsgi::protocol::outcome::Outcome;

use super::{Ask, Memory, Seen, process, script};

const USER: &[u8] = b"\xfc";

/// Asks a script in the engine of a child; gives the answer and the log.
fn ask(source: &str, query: Query<'_>) -> (Result<Answer, Outcome>, String) {
    let seen = Arc::new(Mutex::new(Seen::default()));
    let exchange = Memory { seen: Arc::clone(&seen), ..Memory::default() };
    let answer = Ask::at(script(source)).embedded().with_request(|request| {
        let question = Question { request: request.clone(), tls: true, query };
        process().embedded.ask(&question, Box::new(exchange), &Control::default()).0
    });
    let log = seen.lock().unwrap().log.iter().map(|(_, line)| line.clone() + "\n").collect();
    (answer, log)
}

fn access(body: &str) -> (Result<Answer, Outcome>, String) {
    let source = format!("def allow_access(environ, host):\n    {body}\n");
    ask(&source, Query::Access { host: b"localhost" })
}

#[test]
fn opinions_are_taken_strictly() {
    assert_eq!(access("return None").0, Ok(Answer::None));
    assert_eq!(access("return host == 'localhost'").0, Ok(Answer::Yes));
    assert_eq!(access("return False").0, Ok(Answer::No));
    for body in ["return 1", "return 0", "return 'True'", "raise SystemExit", "return host.nothing"]
    {
        let (answer, log) = access(body);
        assert_eq!(answer, Err(Outcome::Failed(500)), "{body}");
        assert!(log.contains("allow_access()"), "{log}");
    }
}

#[test]
fn arguments_are_latin_1() {
    let source = "def groups_for_user(environ, user):\n    return [user, b'x']\n";
    let (answer, _) = ask(source, Query::Groups { user: USER });
    assert_eq!(answer, Ok(Answer::Names(vec![USER.to_vec(), b"x".to_vec()])));
    let source = "def check_password(environ, user, password):\n    return user + password\n";
    let (answer, _) = ask(source, Query::Password { user: USER, password: USER });
    assert_eq!(answer, Ok(Answer::Text("üü".into())));
}

#[test]
fn functions_that_do_not_dispatch_are_left_out() {
    let (answer, _) = ask("", Query::Dispatch);
    assert_eq!(answer, Ok(Answer::Target(DispatchTarget::default())));
    let (answer, _) = ask("def callable_object(environ):\n    return b'app'\n", Query::Dispatch);
    let target = DispatchTarget { callable: Some(b"app".to_vec()), ..DispatchTarget::default() };
    assert_eq!(answer, Ok(Answer::Target(target)));
}

#[test]
fn answers_must_fit_a_frame() {
    let source =
        "def groups_for_user(environ, user):\n    return [str(n) for n in range(200_000)]\n";
    let (answer, log) = ask(source, Query::Groups { user: USER });
    assert_eq!(answer, Err(Outcome::Failed(500)));
    assert!(log.contains("the answer has"), "{log}");
}

#[test]
fn hooks_are_no_requests() {
    let (answer, log) = access(
        "import mod_wsgi; print(sorted(key for key in environ if key.startswith('wsgi.')), \
         mod_wsgi.request_data(), environ['mod_ssl.is_https']())",
    );
    assert_eq!(answer, Ok(Answer::None));
    assert_eq!(log, "['wsgi.errors'] {} 1\n");
}
