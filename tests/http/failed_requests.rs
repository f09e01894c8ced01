//! The outcome of a request that meets an error: the right status, one clear mark in the log, and a
//! server that goes on.

use testkit::{Httpd, Mode, both_modes};

fn serve(name: &str, mode: Mode) -> Httpd {
    Httpd::new(name).app("process.wsgi").mode(mode).one_child().start()
}

both_modes! {
    fn an_exception_is_a_500_with_its_traceback(mode) {
        let httpd = serve("raise", mode);
        for part in
            ["WSGI0174", "Traceback", "process.wsgi", "ValueError: raised early", "raise Value"]
        {
            httpd.expect_log(part);
        }
        httpd.allow_log("File ");
        assert_eq!(httpd.get("/raise").send().status, 500);
        assert_eq!(httpd.get("/facts").send().status, 200);
    }

    fn an_exception_after_the_first_piece_is_seen_by_the_client(mode) {
        let httpd = serve("raise-late", mode);
        for part in ["WSGI0174", "Traceback", "ValueError: raised late", "raise Value"] {
            httpd.expect_log(part);
        }
        httpd.allow_log("File ");
        let error = httpd.get("/raise-late").try_send().unwrap_err();
        assert!(error.to_string().contains("cut short"), "{error}");
    }

    fn a_panic_in_the_module_is_one_500_and_one_line(mode) {
        let httpd = serve("panic-module", mode);
        assert_eq!(httpd.get("/facts").send().status, 200);
        httpd.expect_log("asked to panic");
        assert_eq!(httpd.get("/").header("X-Dormouse-Panic", "module").send().status, 500);
        assert_eq!(httpd.log_lines("panic").len(), 1, "{}", httpd.log());
        assert_eq!(httpd.get("/facts").send().status, 200);
    }

    fn a_panic_in_the_engine_is_one_500_and_one_line(mode) {
        let httpd = Httpd::new("panic-engine")
            .app("process.wsgi")
            .conf("SetEnvIf Request_URI ^/panic dormouse.panic=engine")
            .module("setenvif")
            .mode(mode)
            .one_child()
            .start();
        let before = httpd.get("/facts").send().json()["pid"].clone();
        httpd.expect_log("dormouse.panic asked for it");
        assert_eq!(httpd.get("/panic").send().status, 500);
        assert_eq!(httpd.log_lines("WSGI0225").len(), 1, "{}", httpd.log());
        let after = httpd.get("/facts").send().json()["pid"].clone();
        assert_eq!(before, after, "the process lives on");
    }

    fn a_script_that_cannot_be_loaded_is_a_500_each_time(mode) {
        let httpd = Httpd::new("broken-script")
            .file("app/bad.wsgi", "raise RuntimeError('not today')\n")
            .file("app/syntax.wsgi", "def application(:\n")
            .conf(
                "WSGIScriptAlias /bad {root}/app/bad.wsgi\n\
                 WSGIScriptAlias /syntax {root}/app/syntax.wsgi",
            )
            .mode(mode)
            .start();
        for part in ["RuntimeError: not today", "SyntaxError"] {
            httpd.expect_log(part);
        }
        httpd.allow_log("[wsgi:error]");
        for path in ["/bad", "/syntax", "/bad"] {
            assert_eq!(httpd.get(path).send().status, 500, "{path}");
        }
    }
}
