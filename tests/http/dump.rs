//! `httpd -t`: what it finds, and what `-D DUMP_WSGI` shows before anything starts.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use nix::unistd::Uid;
use testkit::{Checked, Httpd, Setup, installation};

fn dump(setup: Setup) -> String {
    let checked = setup.define("DUMP_WSGI").configtest();
    checked.assert_accepted();
    checked.output
}

fn user() -> &'static str {
    if Uid::effective().is_root() { "www-data" } else { "" }
}

#[test]
fn groups_and_aliases_are_shown() {
    let text = dump(Httpd::new("dump").conf(
        "ServerName main.example\nWSGIRestrictEmbedded On\n\
         WSGIDaemonProcess site processes=2..4 threads=7 python-home={home}\n\
         WSGIDaemonProcess jobs threads=0 python-home={home}\n\
         WSGIImportScript {apps}/environ.wsgi process-group=jobs application-group=%{GLOBAL}\n\
         WSGIScriptAlias /a {apps}/environ.wsgi process-group=site\n\
         WSGIScriptAlias /b {apps}/environ.wsgi\n\
         <VirtualHost *:{port}>\nServerName other.example\nWSGIApplicationGroup %{GLOBAL}\n\
         WSGIScriptAlias /c {apps}/environ.wsgi process-group=site\n</VirtualHost>",
    ));
    let version = version();
    for part in [
        "* process group \"site\" (",
        &format!("    Python {version} ("),
        &format!("user {}", user()),
        "2..4 processes x 7 threads",
        "1 processes x no request threads (service)",
        "imports ",
        "* server main.example\n",
        "    WSGIScriptAlias /a (",
        "runs in            process group \"site\"",
        "(the main interpreter: the script is alone in its process group)",
        "runs in            nowhere: embedded mode is disabled",
        "* server other.example\n",
        "    WSGIScriptAlias /c (",
        "application group  %{GLOBAL} (the main interpreter)",
        "* httpd's children load Python: no (WSGIRestrictEmbedded On)",
    ] {
        assert!(text.contains(part), "{part:?} is missing in\n{text}");
    }
}

#[test]
fn why_children_load_python_is_shown() {
    let text = dump(Httpd::new("dump-embedded").conf(
        "WSGIPythonHome {home}\nWSGIScriptAlias / {apps}/environ.wsgi\nWSGILazyInitialization Off",
    ));
    assert!(text.contains("* httpd's children load Python: yes"), "{text}");
    assert!(text.contains("WSGILazyInitialization Off: httpd's parent starts it"), "{text}");
    assert!(text.contains("is not in a process group: at the first request for it"), "{text}");
    assert!(text.contains("runs in            embedded, in httpd's children"), "{text}");
    let text = dump(Httpd::new("dump-nothing"));
    assert!(text.contains("load Python: no, as long as no handler leads to a script"), "{text}");
}

fn version() -> String {
    let program = installation::python_home().unwrap().join("bin/python3");
    let output = std::process::Command::new(program).arg("--version").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.trim().strip_prefix("Python ").unwrap().to_owned()
}

fn check(conf: &str) -> Checked {
    Httpd::configtest(conf)
}

#[test]
fn what_is_out_of_reach_is_found() {
    let one = "<VirtualHost *:{port}>\nServerName one.example\n\
               WSGIDaemonProcess one python-home={home}\n</VirtualHost>\n";
    let other = |line: &str| {
        format!("{one}<VirtualHost *:{{port}}>\nServerName two.example\n{line}\n</VirtualHost>")
    };
    for line in [
        "WSGIProcessGroup one",
        "WSGIScriptAlias / /x process-group=one",
        "WSGIImportScript /x process-group=one application-group=%{GLOBAL}",
        "WSGIHandlerScript h /x process-group=one",
        "<Location />\nWSGIProcessGroup one\n</Location>",
    ] {
        check(&other(line)).assert_refused("belongs to the virtual host \"one.example\"");
    }
    check("WSGIImportScript /x process-group=none application-group=x")
        .assert_refused("there is no process group \"none\"; define it with");
    check(
        "WSGIRestrictEmbedded On\n\
         WSGIImportScript /x process-group=%{GLOBAL} application-group=%{GLOBAL}",
    )
    .assert_refused("is embedded mode, which WSGIRestrictEmbedded On disables");
}

#[test]
fn owners_that_do_not_exist_are_found() {
    for (option, text) in [
        ("script-user=nobody-here", "script-user=\"nobody-here\": there is no such user"),
        ("script-group=nobody-here", "script-group=\"nobody-here\": there is no such group"),
        ("script-user=a script-group=b", "script-user and script-group exclude each other"),
    ] {
        check(&format!("WSGIDaemonProcess x python-home={{home}} {option}")).assert_refused(text);
    }
    if Uid::effective().is_root() {
        check("WSGIDaemonProcess x python-home={home} supplementary-groups=nobody-here")
            .assert_refused("there is no group \"nobody-here\"");
        check("WSGIDaemonProcess x python-home={home} chroot=/no/such/jail")
            .assert_refused("chroot=\"/no/such/jail\": there is no such directory");
    } else {
        check("WSGIDaemonProcess x python-home={home} chroot=/")
            .assert_refused("chroot=\"/\" needs httpd started as root");
        check("WSGIDaemonProcess x python-home={home} cpu-priority=-1")
            .assert_refused("cpu-priority=-1 needs httpd started as root");
    }
}

#[test]
fn scripts_that_cannot_be_read_are_told_of() {
    let checked = check(
        "WSGIDaemonProcess x python-home={home}\nWSGIScriptAlias / /no/such.wsgi process-group=x",
    );
    checked.assert_accepted();
    let text = "cannot read \"/no/such.wsgi\": \"/no\" does not exist";
    assert!(checked.output.contains(text), "{}", checked.output);
}

#[test]
fn scripts_that_nobody_may_have_are_told_of() {
    let conf = |more: &str| {
        format!(
            "WSGIDaemonProcess x python-home={{home}}\nWSGIProcessGroup x\n\
             WSGIScriptAlias /app {{apps}}/environ.wsgi\n\
             <Directory />\nRequire all denied\n</Directory>\n{more}"
        )
    };
    let text =
        "get status 403, since <Directory /> says Require all denied; put Require all granted";
    let checked = check(&conf("<Location /status>\nRequire all granted\n</Location>"));
    checked.assert_accepted();
    assert!(checked.output.contains(text), "{}", checked.output);
    for open in [
        "<Directory {apps}>\nRequire all granted\n</Directory>",
        "<Directory {apps}>\n<Files environ.wsgi>\nRequire all granted\n</Files>\n</Directory>",
        "<IfModule authz_core_module>\n<Location /app>\nRequire all granted\n</Location>\n\
         </IfModule>",
    ] {
        let checked = check(&conf(open));
        checked.assert_accepted();
        assert!(!checked.output.contains("status 403"), "{open}\n{}", checked.output);
    }
    // As it is said, so it comes.
    let httpd = Httpd::new("closed").conf(&conf("")).allow_log("status 403").start();
    httpd.allow_log("client denied by server configuration");
    assert_eq!(httpd.get("/app").send().status, 403);
}

#[test]
fn locales_that_are_not_installed_are_told_of() {
    let checked = check("WSGIDaemonProcess x python-home={home} lang=xx_YY.UTF-8 locale=nowhere");
    checked.assert_accepted();
    for value in ["lang=\"xx_YY.UTF-8\"", "locale=\"nowhere\""] {
        let text = format!("{value} is not installed and has no effect; install it");
        assert!(checked.output.contains(&text), "{value}\n{}", checked.output);
    }
    let checked = check("WSGIDaemonProcess x python-home={home} lang=C locale=C.UTF-8");
    assert!(!checked.output.contains("not installed"), "{}", checked.output);
}

/// httpd looks for a script itself before a process group is asked, and answers 403 where a
/// directory on the way is closed to its own user, whatever the group's user may do.
#[test]
fn scripts_that_httpd_cannot_find_are_told_of() {
    if !Uid::effective().is_root() {
        return;
    }
    let directory = tempfile::Builder::new().prefix("dm-").tempdir_in("/tmp").unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
    let script = directory.path().join("app.wsgi");
    fs::write(&script, "").unwrap();
    for path in [directory.path(), script.as_path()] {
        std::os::unix::fs::chown(path, Some(nobody.uid.as_raw()), None).unwrap();
    }
    let conf = |user: &str| {
        format!(
            "WSGIDaemonProcess x python-home={{home}} user={user}\n\
             WSGIScriptAlias / {} process-group=x",
            script.display()
        )
    };
    let checked = check(&conf("nobody"));
    checked.assert_accepted();
    let text = format!("httpd's children (user \"www-data\") cannot find {script:?}");
    assert!(checked.output.contains(&text), "{}", checked.output);
    let text = format!("status 403: the directory {:?} is closed to that user", directory.path());
    assert!(checked.output.contains(&text), "{}", checked.output);
    // Said once where both are one user, and not at all where the way is open.
    let checked = check(&conf("www-data"));
    assert_eq!(checked.output.matches("is closed to that user").count(), 1, "{}", checked.output);
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o711)).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o600)).unwrap();
    let checked = check(&conf("nobody"));
    assert!(!checked.output.contains("app.wsgi"), "{}", checked.output);
}

#[test]
fn sections_take_settings_of_interpreters_only() {
    let inside =
        |line: &str| check(&format!("<WSGIInterpreterOptions>\n{line}\n</WSGIInterpreterOptions>"));
    inside("WSGIRestrictStdin On").assert_accepted();
    for line in ["WSGIPythonHome /usr", "ServerAdmin me@example.com", "WSGIProcessGroup x"] {
        inside(line).assert_refused("cannot occur within <WSGIInterpreterOptions>");
    }
    check("<WSGIInterpreterOptions group=x>\n</WSGIInterpreterOptions>")
        .assert_refused("there is no option \"group\"");
    check("<VirtualHost *>\n<WSGIInterpreterOptions>\n</WSGIInterpreterOptions>\n</VirtualHost>")
        .assert_refused("cannot occur within <VirtualHost>");
}
