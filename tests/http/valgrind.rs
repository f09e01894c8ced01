//! A server under Valgrind: embedded, as daemon, and from a template. `cargo xtask valgrind` runs
//! it.
//!
//! Whatever Valgrind finds is a line of the error log that was not announced.

use testkit::{ClientError, Httpd, Mpm, wait_until_within};

/// Everything is twenty times slower.
const WAIT_LIMIT: std::time::Duration = std::time::Duration::from_mins(3);

/// The message of Valgrind 3.19 about `pidfd_open`, which it does not support.
const UNKNOWN_CALL: [&str; 5] = [
    "WARNING: unhandled amd64-linux syscall: 434",
    "You may be able to write your own handler.",
    "Read the file README_MISSING_SYSCALL_OR_IOCTL.",
    "Nevertheless we consider this a bug.",
    "at http://valgrind.org/support/bug_reports.html.",
];

/// The lines of the exception that the application raises.
const RAISED: [&str; 5] =
    ["WSGI0174", "Traceback", "File \"", "raise ValueError", "ValueError: raised"];

#[test]
#[ignore = "takes minutes, and needs Valgrind"]
fn no_memory_is_used_wrongly() {
    let suppressions = testkit::installation::project().join("tests/valgrind.supp");
    let suppressions = format!("--suppressions={}", suppressions.display());
    let home = "python-home={home} startup-timeout=120";
    let setup = Httpd::new("valgrind");
    let allowed = UNKNOWN_CALL.iter().chain(&RAISED);
    let httpd = allowed
        .fold(setup, |setup, line| setup.allow_log(line))
        .mpm(Mpm::Event)
        .single_process()
        .under(&[
            "valgrind",
            "--quiet",
            "--vgdb=no",
            "--error-limit=no",
            "--num-callers=40",
            "--trace-children=yes",
            // A Python that is only asked what it is.
            "--trace-children-skip-by-arg=-I",
            &suppressions,
        ])
        // Each block of its own, so that Valgrind knows where it ends.
        .env("PYTHONMALLOC", "malloc")
        .file(
            "app/app.wsgi",
            std::fs::read(testkit::installation::apps().join("leaks.wsgi")).unwrap(),
        )
        .conf(&format!(
            "WSGIPythonHome {{home}}\nWSGIApplicationGroup %{{GLOBAL}}\n\
             WSGIDaemonProcess daemon threads=2 {home}\n\
             WSGIDaemonProcess template threads=2 preload=application {home}\n\
             WSGIScriptAlias /embedded {{root}}/app/app.wsgi\n\
             WSGIScriptAlias /daemon {{root}}/app/app.wsgi process-group=daemon\n\
             WSGIScriptAlias /template {{root}}/app/app.wsgi process-group=template \
             application-group=%{{GLOBAL}}"
        ))
        .start();
    for place in ["/embedded", "/daemon", "/template"] {
        let get = |path: &str| httpd.get(&format!("{place}{path}")).try_send();
        wait_until_within(WAIT_LIMIT, "it answers", || {
            get("/").is_ok_and(|reply| reply.status == 200)
        });
        assert_eq!(get("/file").unwrap().status, 200);
        assert_eq!(get("/large").unwrap().body.len(), 1 << 20);
        assert_eq!(get("/raise").unwrap().status, 500);
        assert!(matches!(get("/raise-late"), Err(ClientError::Cut { .. })));
        let body = vec![b'x'; 100_000];
        assert_eq!(httpd.post(&format!("{place}/body"), body).send().text(), "100000");
        // A client that goes away in the middle.
        drop(httpd.get(&format!("{place}/large")).start().unwrap());
        assert_eq!(get("/").unwrap().status, 200);
    }
}
