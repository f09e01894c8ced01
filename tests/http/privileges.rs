//! Whom the processes of a group run as, what they see, and whose scripts they run.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::{Group, Uid};
use serde_json::{Value, json};
use testkit::{Httpd, Mode, Setup, installation};

use crate::once;

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

/// What a directory needs to be the root of a group of the system's Python: the program, the libraries
/// that it links, the standard library and the engine, all under the paths that they have here. Linked
/// where that is possible, so that it costs no room.
fn jail(root: &Path) {
    let put = |follow: bool, paths: &[PathBuf]| {
        let links = if follow { "-L" } else { "-P" };
        let mut said = Vec::new();
        for how in ["-rl", "-rf"] {
            let mut copy = Command::new("sh");
            copy.args(["-c", "umask 022; exec cp \"$@\"", "cp", links, how, "--parents"]);
            let output = copy.args(paths).arg(root).output().unwrap();
            if output.status.success() {
                return;
            }
            said = output.stderr;
        }
        panic!("{paths:?} cannot be copied: {}", String::from_utf8_lossy(&said));
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
    if !Uid::effective().is_root() || !once::is_now("chroot") {
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
