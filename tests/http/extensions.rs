//! Packages in C and Rust that work in the main interpreter only: NumPy, cryptography, lxml,
//! psycopg.

use std::thread;

use testkit::{Httpd, Mode, both_modes, installation};

/// The answer of each endpoint.
const ANSWERS: [(&str, &str); 4] = [
    ("/numpy", "5"),
    ("/cryptography", "a501da99884c819536cb1d93d958f045bdce17b35b2a8c1fe7598d981f4d690e"),
    ("/lxml", "text"),
    ("/psycopg", "binary OperationalError"),
];

both_modes! {
    fn packages_that_refuse_sub_interpreters_work(mode) {
        let setup = Httpd::new("extensions")
            .app("extensions.wsgi")
            .python_home(installation::venv().unwrap())
            .mode(mode)
            .one_child();
        let httpd = match mode {
            // One application in one group runs in the main interpreter by itself.
            Mode::Daemon => setup.start(),
            Mode::Embedded => setup.conf("WSGIApplicationGroup %{GLOBAL}").start(),
        };
        // In order, which imports them, and then all at once in several threads.
        for (path, answer) in ANSWERS {
            assert_eq!(httpd.get(path).send().text(), answer, "{path}");
        }
        let httpd = &httpd;
        thread::scope(|scope| {
            for (path, answer) in ANSWERS.into_iter().cycle().take(12) {
                scope.spawn(move || assert_eq!(httpd.get(path).send().text(), answer, "{path}"));
            }
        });
    }
}
