//! The user that the processes of a group run as, the files that they see, and the owners of the
//! scripts that they run.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::{Group, Uid};
use serde_json::{Value, json};
use testkit::{Httpd, Kind, Mode, Setup, installation};

use crate::single_run;

const SCRIPT: &str = "app/limits.wsgi";

fn group(name: &str, options: &str) -> Setup {
    let script = fs::read(installation::apps().join("limits.wsgi")).unwrap();
    Httpd::new(name)
        .file(SCRIPT, script)
        .conf("WSGIScriptAlias / {root}/app/limits.wsgi\nWSGIApplicationGroup %{GLOBAL}")
        .mode(Mode::Daemon)
        .daemon(options)
        .allow_log("stopping because of")
}

fn facts(httpd: &Httpd) -> Value {
    httpd.get("/facts").send().json()
}

#[test]
fn supplementary_groups_are_those_that_are_named() {
    let httpd =
        group("groups", "threads=1 user=www-data group=www-data supplementary-groups=adm,#7")
            .start();
    let groups = facts(&httpd)["groups"].clone();
    if Uid::effective().is_root() {
        let gid = |name| Group::from_name(name).unwrap().unwrap().gid.as_raw();
        let mut expected = vec![gid("adm"), gid("www-data"), 7];
        expected.sort_unstable();
        assert_eq!(groups, json!(expected));
    } else {
        assert!(!groups.as_array().unwrap().contains(&7.into()), "nothing can be changed");
    }
}

#[test]
fn scripts_must_belong_to_whom_the_group_trusts() {
    let (uid, gid) = (Uid::effective().as_raw(), nix::unistd::getegid().as_raw());
    let by_user = format!("threads=1 script-user=#{uid}");
    let by_group = format!("threads=1 script-group=#{gid}");
    for (options, open, codes) in
        [(by_user, 0o664, ["WSGI0164", "WSGI0167"]), (by_group, 0o666, ["WSGI0155", "WSGI0158"])]
    {
        let httpd = group("script-owner", &options).start();
        let script = httpd.root().join(SCRIPT);
        let directory = script.parent().unwrap();
        let set = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        set(directory, 0o755);
        assert_eq!(httpd.get("/").send().status, 200, "{options}");
        set(&script, open);
        httpd.expect_log(codes[0]);
        assert_eq!(httpd.get("/").send().status, 403, "{options}");
        set(&script, 0o644);
        set(directory, 0o777);
        httpd.expect_log(codes[1]);
        assert_eq!(httpd.get("/").send().status, 403, "{options}");
        set(directory, 0o755);
        if Uid::effective().is_root() {
            chown(&script, Some(12_345), Some(12_345)).unwrap();
            httpd.expect_log("does not belong to");
            assert_eq!(httpd.get("/").send().status, 403, "{options}");
        }
    }
}

/// The Python of a group whose user attacks the administrator who runs `apachectl -t` in a
/// terminal: it looks for that terminal under its descriptors and as `/dev/tty`, where it could
/// read and write (and push keystrokes, where the kernel has TIOCSTI), and for secrets in the
/// environment.
const SPY: &str = r#"#!/usr/bin/python3
import json, os, sys, tempfile

seen = {
    "leads its session": os.getsid(0) == os.getpid(),
    "terminals": [number for number in range(16) if os.isatty(number)],
    "environment": sorted(os.environ),
}
try:
    os.write(os.open("/dev/tty", os.O_RDWR), b"hostile words\n")
    seen["terminals"].append("/dev/tty")
except OSError:
    pass
number, _ = tempfile.mkstemp(dir=os.path.dirname(sys.argv[0]) + "/../seen")
os.write(number, json.dumps(seen).encode())
os.execv("/usr/bin/python3", ["python3"] + sys.argv[1:])
"#;

#[test]
fn a_probe_reaches_neither_the_terminal_nor_the_environment_of_the_administrator() {
    let venv = tempfile::tempdir().unwrap();
    let (program, seen) = (venv.path().join("bin/python"), venv.path().join("seen"));
    for (directory, mode) in
        [(venv.path(), 0o755), (&venv.path().join("bin"), 0o755), (&seen, 0o777)]
    {
        fs::create_dir_all(directory).unwrap();
        fs::set_permissions(directory, fs::Permissions::from_mode(mode)).unwrap();
    }
    fs::write(&program, SPY).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let home = venv.path().display();
    let checked = Httpd::new("terminal")
        .conf(&format!("WSGIDaemonProcess spied python-home={home}\nWSGIPythonHome {home}"))
        .env("DATABASE_PASSWORD", "secret")
        .configtest_in_terminal();
    let reports: Vec<Value> = fs::read_dir(&seen)
        .unwrap()
        .map(|entry| serde_json::from_slice(&fs::read(entry.unwrap().path()).unwrap()).unwrap())
        .collect();
    // One was asked for its version, one for its library.
    assert_eq!(reports.len(), 2, "{}", checked.output);
    for report in reports {
        assert_eq!(report["leads its session"], true, "{report}");
        assert_eq!(report["terminals"], json!([]), "{report}");
        let names = report["environment"].as_array().unwrap();
        assert!(
            names.iter().all(|name| ["LANG", "LC_CTYPE", "PATH"].contains(&name.as_str().unwrap())),
            "{report}"
        );
    }
    assert!(!checked.output.contains("hostile words"), "{}", checked.output);
}

#[test]
fn processes_of_a_group_have_no_terminal() {
    let script = fs::read(installation::apps().join("limits.wsgi")).unwrap();
    let httpd = Httpd::new("sessions")
        .file(SCRIPT, script)
        .conf(
            "WSGIDaemonProcess alone threads=1 python-home={home}\n\
             WSGIDaemonProcess forked threads=1 preload=interpreter python-home={home}\n\
             WSGIScriptAlias /alone {root}/app/limits.wsgi process-group=alone\n\
             WSGIScriptAlias /forked {root}/app/limits.wsgi process-group=forked",
        )
        .allow_log("stopping because of")
        .start();
    assert_eq!(httpd.get("/alone/").send().status, 200);
    assert_eq!(httpd.get("/forked/").send().status, 200);
    let processes = httpd.processes();
    let sessions = |kind: Kind| {
        let of_kind = processes.iter().filter(move |process| process.kind == kind);
        of_kind.map(|process| process.session).collect::<Vec<_>>()
    };
    let template = httpd.pids(Kind::Template);
    assert_eq!(sessions(Kind::Supervisor), httpd.pids(Kind::Supervisor));
    assert_eq!(sessions(Kind::Template), template);
    for process in processes.iter().filter(|process| process.kind == Kind::Worker) {
        // A forked one is in its template's.
        assert!([process.pid, template[0]].contains(&process.session), "{process:?}");
    }
}

/// Puts into a directory the files that the root of a group of the system's Python needs: the
/// program, the libraries that it links, the standard library and the engine, all under the paths
/// that they have here. Linked where that is possible, so that it costs no room.
fn jail(root: &Path) {
    let put_one = |links: &str, path: &Path| {
        let mut said = Vec::new();
        for how in ["-rl", "-rf"] {
            let mut copy = Command::new("sh");
            copy.args(["-c", "umask 022; exec cp \"$@\"", "cp", links, how, "--parents"]);
            let output = copy.arg(path).arg(root).output().unwrap();
            if output.status.success() {
                return;
            }
            said = output.stderr;
        }
        panic!("{path:?} cannot be copied: {}", String::from_utf8_lossy(&said));
    };
    let put = |follow: bool, paths: &[PathBuf]| {
        for path in paths {
            put_one(if follow { "-L" } else { "-P" }, path);
        }
    };
    let python = fs::canonicalize("/usr/bin/python3").unwrap();
    let version = python.file_name().unwrap().to_str().unwrap().to_owned();
    let engine = installation::dist().unwrap().join("_mod_wsgi.abi3.so");
    put(false, &["/usr/bin/python3".into(), python.clone()]);
    put(false, &[PathBuf::from("/usr/lib").join(version), engine.clone()]);
    for program in [python, engine, "/usr/lib/x86_64-linux-gnu/libsqlite3.so.0".into()] {
        let output = Command::new("ldd").arg(program).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let words = text.split_whitespace().filter(|word| word.starts_with('/'));
        let libraries: Vec<PathBuf> = words.map(PathBuf::from).collect();
        put(true, &libraries);
    }
}

#[test]
fn a_group_may_have_a_root_directory_of_its_own() {
    if !Uid::effective().is_root() || !single_run::is_this("chroot") {
        return;
    }
    let httpd = Httpd::new("jail").start();
    let root = httpd.root().join("jail");
    fs::create_dir_all(root.join("srv")).unwrap();
    jail(&root);
    let script = fs::read(installation::apps().join("limits.wsgi")).unwrap();
    fs::write(root.join("srv/limits.wsgi"), script).unwrap();
    let shown = root.display();
    let inside = Httpd::new("chroot")
        .conf(&format!(
            "WSGIDaemonProcess jailed threads=1 chroot={shown}\n\
             WSGIProcessGroup jailed\nWSGIApplicationGroup %{{GLOBAL}}\n\
             WSGIScriptAlias /in {shown}/srv/limits.wsgi\n\
             WSGIScriptAlias /out {{apps}}/limits.wsgi"
        ))
        .allow_log("stopping because of")
        .start();
    let facts = inside.get("/in/facts").send().json();
    assert_eq!(facts["script"], "/srv/limits.wsgi");
    let names = facts["root"].as_array().unwrap();
    assert!(names.contains(&"srv".into()) && !names.contains(&"proc".into()), "{names:?}");
    inside.expect_log("WSGI0081");
    assert_eq!(inside.get("/out").send().status, 500);
}
