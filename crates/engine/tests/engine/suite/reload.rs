//! Changed scripts.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, SystemTime};

use wsgi::protocol::outcome::Outcome;

use super::{Ask, says, script};

fn touch(path: &Path, age: Duration) {
    let file = File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - age).unwrap();
}

#[test]
fn a_changed_script_is_run_again_when_embedded() {
    let path = script(&("kept = 1\n".to_owned() + &says("1")));
    let ask = || Ask::at(path.clone()).embedded();
    assert_eq!(ask().reloading().run().text(), "1");
    std::fs::write(&path, says("'kept' in globals()")).unwrap();
    touch(&path, Duration::from_secs(1000));
    assert_eq!(ask().run().text(), "1");
    assert_eq!(ask().reloading().run().text(), "False");
    assert_eq!(ask().reloading().run().text(), "False");
    std::fs::remove_file(&path).unwrap();
    assert_eq!(ask().reloading().run().outcome, Outcome::Failed(500));
}

#[test]
fn what_a_replaced_script_held_is_freed() {
    let held = "
import sys, weakref
class Large: pass
large = Large()
sys.large = weakref.ref(large)
"
    .to_owned();
    let path = script(&(held + &says("sys.large() is None")));
    let ask = || Ask::at(path.clone()).embedded().reloading();
    assert_eq!(ask().run().text(), "False");
    std::fs::write(&path, "import sys\nfreed = sys.large() is None\n".to_owned() + &says("freed"))
        .unwrap();
    touch(&path, Duration::from_secs(1000));
    assert_eq!(ask().run().text(), "True", "before the new script is run");
}

#[test]
fn a_daemon_declines_and_consumes_nothing() {
    let path = script(&says("1"));
    let ask = || Ask::at(path.clone()).group("reload").rest(&[b"body"]).reloading();
    assert_eq!(ask().run().text(), "1");
    touch(&path, Duration::from_secs(1000));
    let reply = ask().run();
    assert_eq!(reply.outcome, Outcome::Declined);
    assert!(reply.seen.reads.is_empty() && reply.seen.status.is_empty());
}

#[test]
fn a_script_may_ask_for_it() {
    let source = "
wanted = []
def reload_required(resource):
    wanted.append(resource)
    if resource == '/bad': raise ValueError('no opinion')
    return resource == '/again'
"
    .to_owned()
        + &says("wanted");
    let path = script(&source);
    let ask = |file| Ask::at(path.clone()).embedded().reloading().environ("SCRIPT_FILENAME", file);
    assert_eq!(ask("/first").run().text(), "[]");
    assert_eq!(ask("/second").run().text(), "['/second']");
    let reply = ask("/bad").run();
    assert_eq!(reply.text(), "['/second', '/bad']");
    assert!(reply.logged("ValueError: no opinion"));
    assert_eq!(ask("/again").run().text(), "[]");
}
