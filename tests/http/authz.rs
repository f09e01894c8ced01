//! `WSGIAuthGroupScript`: the authorisation provider `wsgi-group`.

use testkit::{Httpd, Mode, Mpm, Setup, both_modes};

use crate::hooks::{guarded, place};

/// A server where every client is the user `u`, with these rules.
fn grouped(name: &str, mode: Mode, rules: &str) -> Setup {
    let conf = format!(
        "<Location />\nAuthType Basic\nAuthName x\nAuthBasicProvider wsgi\n\
         WSGIAuthUserScript {{hook}}\n\
         WSGIAuthGroupScript {{hook}}\n{rules}\n</Location>"
    );
    guarded(name, mode, &conf).module("authn_core").module("auth_basic").module("authz_user")
}

fn ask_at(httpd: &Httpd, path: &str, groups: &str) -> u16 {
    let call = httpd.get(path).header("Authorization", "Basic dTpw").header("X-Password", "True");
    call.header("X-Groups", groups).send().status
}

fn ask(httpd: &Httpd, groups: &str) -> u16 {
    ask_at(httpd, "/x.txt", groups)
}

/// Values that hooks may return and that are no answer, and the lines logged about them.
const FAILURES: [(&str, &str); 9] = [
    ("None", "WSGI0051: groups_for_user() must return an iterable of names, not NoneType"),
    ("1", "WSGI0051"),
    ("'staff'", "not str"),
    ("b'staff'", "WSGI0050"),
    ("[1]", "WSGI0050: the names from groups_for_user() must be str or bytes, not int"),
    ("['staff', '\\u20ac']", "WSGI0049"),
    ("breaking('staff')", "ValueError: broken off"),
    ("fail('some fault')", "ValueError: some fault"),
    ("leave()", "WSGI0175"),
];

both_modes! {
    fn groups_are_compared_with_the_rule(mode) {
        let httpd = grouped("groups", mode, "Require wsgi-group staff \"power users\"").start();
        assert_eq!(httpd.get("/x.txt").send().status, 401);
        httpd.allow_log("AH01");
        let good = [
            "['staff']",
            "('x', 'STAFF')",
            "{b'Staff'}",
            "iter(['Power Users'])",
            "[user, 'staff']",
        ];
        for groups in good {
            assert_eq!(ask(&httpd, groups), 200, "{groups}");
        }
        let bad =
            [("[]", "WSGI0059"), ("['staf']", "WSGI0060"), ("['power', 'users']", "WSGI0060")];
        for (groups, line) in bad {
            httpd.allow_log(line);
            assert_eq!(ask(&httpd, groups), 401, "{groups}");
            httpd.wait_for_log(line);
        }
    }

    fn a_hook_without_an_answer_denies(mode) {
        let httpd = grouped("groups-fail", mode, "Require wsgi-group staff").start();
        httpd.allow_log("AH01");
        httpd.allow_log("guard.py");
        for (groups, line) in FAILURES {
            assert_eq!(ask(&httpd, groups), 401, "{groups}");
            httpd.wait_for_log(line);
        }
    }

    fn a_hook_without_an_answer_lets_nobody_through(mode) {
        let rules = "<RequireAll>\nRequire valid-user\nRequire not wsgi-group banned\n\
                     </RequireAll>\n\
            </Location>\n<Location /none>\nAuthMerging Off\n<RequireAll>\nRequire valid-user\n\
            <RequireNone>\nRequire wsgi-group banned\n</RequireNone>\n</RequireAll>\n\
            </Location>\n\
            <AuthzProviderAlias wsgi-group outcast banned>\n</AuthzProviderAlias>\n\
            <Location /alias>\n<RequireAll>\nRequire valid-user\nRequire not outcast\n\
            </RequireAll>";
        let mut setup = grouped("groups-not", mode, rules);
        for path in ["none", "alias"] {
            setup = setup.file(&format!("htdocs/{path}/x.txt"), "x");
        }
        let httpd = setup.start();
        httpd.allow_log("AH01");
        httpd.allow_log("guard.py");
        for path in ["/x.txt", "/none/x.txt", "/alias/x.txt"] {
            assert_eq!(ask_at(&httpd, path, "['staff']"), 200, "{path}");
            assert_eq!(ask_at(&httpd, path, "['banned']"), 401, "{path}");
            for (groups, _) in FAILURES {
                assert_eq!(ask_at(&httpd, path, groups), 500, "{path} {groups}");
            }
        }
    }

    fn denials_may_be_forbidden(mode) {
        let rules = "Require wsgi-group staff\nAuthzSendForbiddenOnFailure On";
        let httpd = grouped("groups-403", mode, rules).start();
        httpd.allow_log("AH01");
        httpd.allow_log("WSGI0060");
        assert_eq!(ask(&httpd, "['x']"), 403);
    }

    fn rules_are_combined_and_asked_for_once(mode) {
        let rules = "<RequireAny>\nRequire wsgi-group a\nRequire wsgi-group b\n\
            Require user admin\n</RequireAny>";
        let httpd = grouped("groups-any", mode, rules).one_child().start();
        httpd.allow_log("AH01");
        httpd.allow_log("WSGI0060");
        httpd.allow_log("WSGI0059");
        assert_eq!(ask(&httpd, "['b']"), 200);
        assert_eq!(ask(&httpd, "['b'] if count('asked') == 1 else fail('asked again')"), 200);
        let admin = httpd.get("/x.txt").header("Authorization", "Basic dTpw");
        let admin = admin.header("X-Password", "'admin'").header("X-Groups", "[]");
        assert_eq!(admin.send().status, 200);
        assert_eq!(ask(&httpd, "['c']"), 401);
    }

    fn a_script_that_cannot_be_asked_denies(mode) {
        let rows = [
            ("missing", None, "WSGI0105"),
            ("raises", Some("1 / 0"), "WSGI0109"),
            ("empty", Some(""), "WSGI0052: there is no function \"groups_for_user\""),
        ];
        for (name, source, line) in rows {
            let rules = format!(
                "WSGIAuthGroupScript {{root}}/app/{name}.py {}\nRequire wsgi-group a",
                place(mode)
            );
            let mut setup = grouped("groups-none", mode, &rules);
            if let Some(source) = source {
                setup = setup.file(&format!("app/{name}.py"), source);
            }
            let httpd = setup.allow_log(&format!("{name}.py")).allow_log("AH01").start();
            assert_eq!(ask(&httpd, "['a']"), 401, "{name}");
            httpd.wait_for_log(line);
        }
        let conf = "<Location />\nAuthType Basic\nAuthName x\nAuthBasicProvider wsgi\n\
            WSGIAuthUserScript {hook}\nRequire wsgi-group staff\n</Location>";
        let setup = guarded("groups-unset", mode, conf).module("authn_core").module("auth_basic");
        let httpd = setup.allow_log("AH01").start();
        httpd.expect_log("WSGI0058");
        assert_eq!(ask(&httpd, "['staff']"), 401);
    }

    fn other_requests_for_one_are_guarded_too(mode) {
        // A sub-request (mod_include), an internal redirect (ErrorDocument), and a directory's
        // index.
        let rules = "Require valid-user\n</Location>\n<Location /secret>\n\
                     Require wsgi-group staff\n\
            </Location>\n<Location />\nErrorDocument 404 /secret/404.html\nOptions +Includes\n\
            AddOutputFilter INCLUDES .shtml\nDirectoryIndex x.html";
        let httpd = grouped("groups-sub", mode, rules)
            .module("include")
            .file("htdocs/page.shtml", "[<!--#include virtual=\"/secret/x.html\" -->]")
            .file("htdocs/secret/x.html", "hidden")
            .file("htdocs/secret/404.html", "not here")
            .start();
        httpd.allow_log("AH01");
        httpd.allow_log("WSGI0060");
        httpd.allow_log("unable to include");
        let get = |path: &str, groups: &str| {
            let call = httpd.get(path).header("Authorization", "Basic dTpw");
            call.header("X-Password", "True").header("X-Groups", groups).send()
        };
        assert_eq!(get("/page.shtml", "['staff']").text(), "[hidden]");
        assert!(!get("/page.shtml", "['x']").text().contains("hidden"));
        assert_eq!(get("/none", "['staff']").text(), "not here");
        assert!(!get("/none", "['x']").text().contains("not here"));
        assert_eq!(get("/secret/", "['staff']").text(), "hidden");
        assert_eq!(get("/secret/", "['x']").status, 401);
    }

    fn http2_is_guarded(mode) {
        if Mpm::from_environment().unwrap() == Mpm::Prefork {
            // mod_http2 refuses to serve under prefork.
            return;
        }
        let rules = "WSGIAccessScript {hook}\nRequire wsgi-group staff";
        let setup = grouped("groups-h2", mode, rules).module("http2");
        let httpd = setup.conf("Protocols h2c http/1.1").start();
        httpd.allow_log("AH01");
        httpd.allow_log("WSGI0060");
        let get = |groups: &str| {
            let output = std::process::Command::new("curl")
                .args(["--silent", "--http2-prior-knowledge", "--user", "u:p"])
                .args(["--write-out", "%{http_version} %{http_code}"])
                .args(["--output", "/dev/null", "--header", "X-Password: True"])
                .args(["--header", "X-Access: environ['SERVER_PROTOCOL'] == 'HTTP/2.0'"])
                .args(["--header", &format!("X-Groups: {groups}")])
                .arg(format!("http://{}/x.txt", httpd.address()))
                .output()
                .unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        assert_eq!(get("['staff']"), "2 200");
        assert_eq!(get("['x']"), "2 401");
    }
}
