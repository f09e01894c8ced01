//! `dormouse memory`: what the processes of a server cost.

use std::process::{Command, Output};

use nix::unistd::Uid;
use testkit::{Httpd, Kind, Mode, wait_until};

fn dormouse(arguments: &[&str]) -> Output {
    let program = testkit::installation::dist().unwrap().join("dormouse");
    Command::new(program).arg("memory").args(arguments).output().unwrap()
}

#[test]
fn each_process_is_shown_with_its_role_and_what_is_saved() {
    let options = "processes=3 threads=1 preload=application display-name=something";
    let httpd = Httpd::new("memory")
        .app("process.wsgi")
        .mode(Mode::Daemon)
        .daemon(options)
        .conf("WSGIApplicationGroup %{GLOBAL}")
        .start();
    wait_until("all workers run", || httpd.pids(Kind::Worker).len() == 3);
    let [parent] = httpd.pids(Kind::Parent)[..] else { panic!("one parent") };
    let output = dormouse(&["--pid", &parent.to_string()]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    let lines = |start: &str| text.lines().filter(|line| line.starts_with(start)).count();
    let children = httpd.pids(Kind::Child).len();
    let roles = ["Apache parent", "Apache child", "wsgid", "template of test", "worker of test"];
    assert_eq!(roles.map(lines), [1, children, 1, 1, 3], "{text}");
    assert_eq!(lines("group test"), 1, "{text}");
    assert!(text.contains("Without templates the same would cost about"), "{text}");
    for pid in httpd.pids(Kind::Worker) {
        assert!(text.lines().any(|line| line.contains(&format!(" {pid} "))), "{text}");
    }
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let program = testkit::installation::dist().unwrap().join("dormouse");
    let mut quiet = Command::new("sleep").arg("60").spawn().unwrap();
    let pid = quiet.id().to_string();
    for arguments in [&["memory", "--pid", &pid][..], &["memory", "--pid", &pid, "--watch", "1"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(&program);
        let output = command.args(arguments).stdout(writer).output().unwrap();
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{arguments:?}: {}", output.status);
    }
    quiet.kill().unwrap();
    quiet.wait().unwrap();
}

#[test]
fn figures_that_are_missing_show_in_the_status() {
    if !Uid::effective().is_root() {
        return;
    }
    let program = testkit::installation::dist().unwrap().join("dormouse");
    // Of the processes of others one sees the names only.
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(program);
    let output =
        command.args(["memory", "--pid", &std::process::id().to_string()]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("processes of other users is not shown; run this as root"), "{text}");
    assert_eq!(output.status.code(), Some(1), "{text}");
}

#[test]
fn mistakes_are_named() {
    let cases: [(&[&str], &str); 3] = [
        (&["--pid", "-7"], "there is no process -7"),
        (&["--pid-file", "/no/file"], "--pid-file /no/file cannot be read"),
        (&["--watch", "0"], "--watch"),
    ];
    for (arguments, part) in cases {
        let output = dormouse(arguments);
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && text.contains(part), "{arguments:?}: {text}");
    }
}
