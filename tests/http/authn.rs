//! `WSGIAuthUserScript`: the authentication provider `wsgi`, for passwords and for digests.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use md5::{Digest as _, Md5};
use testkit::{Httpd, Mode, Reply, Setup, both_modes, installation};

use crate::django;
use crate::hooks::{guarded, place, python_in_children};

const BASIC: &str = "<Location />\nAuthType Basic\nAuthName x\nAuthBasicProvider wsgi\n\
    WSGIAuthUserScript {hook}\nRequire valid-user\n</Location>";

fn basic(name: &str, mode: Mode, conf: &str) -> Setup {
    let setup = guarded(name, mode, conf).module("authn_core").module("auth_basic");
    setup.module("authz_user").conf("LogFormat \"%u %>s\" user\nCustomLog logs/users user")
}

/// A request of the user `u` with the password `p`; the hook answers with the value of the
/// expression.
fn ask(httpd: &Httpd, expression: &str) -> Reply {
    let call = httpd.get("/x.txt").header("Authorization", "Basic dTpw");
    call.header("X-Password", expression).send()
}

both_modes! {
    fn what_check_password_returns_decides(mode) {
        let httpd = basic("basic", mode, BASIC).start();
        assert_eq!(httpd.get("/x.txt").send().status, 401);
        let rows = [
            ("True", 200, ""),
            ("(user, password) == ('u', 'p')", 200, ""),
            ("None", 401, "AH01618"),
            ("False", 401, "AH01617"),
            ("''", 500, "WSGI0176: check_password() returned an empty user's name"),
            (
                "1",
                500,
                "WSGI0177: check_password() must return None, True, False or a user's name, not \
                 int",
            ),
            ("b'u'", 500, "not bytes"),
            ("'a\\0b'", 500, "characters that a name cannot have"),
            ("'\\ud800'", 500, "characters that a name cannot have"),
            ("fail('some fault')", 500, "ValueError: some fault"),
            ("leave()", 500, "WSGI0175"),
        ];
        httpd.allow_log("guard.py");
        httpd.allow_log("AH016");
        for (expression, status, line) in rows {
            assert_eq!(ask(&httpd, expression).status, status, "{expression}");
            httpd.wait_for_log(line);
        }
    }

    fn names_and_passwords_are_latin_1(mode) {
        let httpd = basic("basic-latin1", mode, BASIC).start();
        // "ü:é" in latin-1.
        let call = httpd.get("/x.txt").header("Authorization", "Basic /Drp");
        let call = call.header("X-Password", "(user, password) == ('\\xfc', '\\xe9')");
        assert_eq!(call.send().status, 200);
    }

    fn a_name_replaces_the_users(mode) {
        let conf = format!("{BASIC}\nWSGIScriptAlias /app {{apps}}/environ.wsgi");
        let httpd = basic("basic-name", mode, &conf).start();
        let call = httpd.get("/app").header("Authorization", "Basic dTpw");
        let reply = call.header("X-Password", "'J\\u00f6rg'").send();
        // What a CGI program sees are bytes, and PEP 3333 shows them as latin-1.
        assert_eq!(reply.json()["REMOTE_USER"], "JÃ¶rg");
        testkit::wait_until("the access log has the name", || {
            let log = fs::read_to_string(httpd.root().join("logs/users")).unwrap();
            log.contains("J\\xc3\\xb6rg 200")
        });
    }

    fn a_script_that_cannot_be_asked_is_an_error(mode) {
        let rows = [
            ("missing", None, "WSGI0105"),
            ("raises", Some("1 / 0"), "WSGI0109"),
            ("empty", Some(""), "WSGI0043: there is no function \"check_password\""),
        ];
        for (name, source, line) in rows {
            let script = format!("{{root}}/app/{name}.py {}", place(mode));
            let mut setup = basic("basic-none", mode, &BASIC.replace("{hook}", &script));
            if let Some(source) = source {
                setup = setup.file(&format!("app/{name}.py"), source);
            }
            let httpd = setup.allow_log(&format!("{name}.py")).start();
            assert_eq!(ask(&httpd, "True").status, 500, "{name}");
            httpd.wait_for_log(line);
        }
        let without = BASIC.replace("WSGIAuthUserScript {hook}\n", "");
        let httpd = basic("basic-unset", mode, &without).start();
        httpd.expect_log("WSGI0041");
        assert_eq!(ask(&httpd, "True").status, 500);
    }

    fn other_providers_are_asked_too(mode) {
        // The file knows u with the password p, and v with q.
        let users = "u:{SHA}UWuXg/ylF+7L0dBk2i0WUxCxl1k=\nv:{SHA}IuocZJyClGqm5Hnh/9Mh5KMYsbA=\n";
        let conf = BASIC.replace("AuthBasicProvider wsgi", "AuthBasicProvider wsgi file")
            + "\n<Location /first>\nAuthBasicProvider file wsgi\n</Location>\n\
               <AuthnProviderAlias wsgi known>\nWSGIAuthUserScript {hook}\n</AuthnProviderAlias>\n\
               <Location /alias>\nAuthBasicProvider known\n</Location>\n\
               <Location />\nAuthUserFile {root}/users\n</Location>";
        let httpd = basic("basic-beside", mode, &conf)
            .module("authn_file")
            .file("users", users)
            .file("htdocs/first/x.txt", "x")
            .file("htdocs/alias/x.txt", "x")
            .start();
        httpd.allow_log("AH016");
        let ask = |path: &str, credentials: &str, expression: &str| {
            let call = httpd.get(path).header("Authorization", credentials);
            call.header("X-Password", expression).send().status
        };
        let (known, wrong) = ("Basic dTpw", "Basic dTp4");
        // None goes on to the next provider, False does not.
        assert_eq!(ask("/x.txt", known, "None"), 200);
        assert_eq!(ask("/x.txt", known, "False"), 401);
        assert_eq!(ask("/x.txt", wrong, "None"), 401);
        assert_eq!(ask("/x.txt", wrong, "True"), 200);
        // The file is asked first: it has an entry for u, and no other provider is asked about u.
        assert_eq!(ask("/first/x.txt", wrong, "True"), 401);
        assert_eq!(ask("/first/x.txt", "Basic bmV3Og==", "user == 'new'"), 200);
        assert_eq!(ask("/alias/x.txt", known, "True"), 200);
        assert_eq!(ask("/alias/x.txt", known, "None"), 401);
    }

    fn what_get_realm_hash_returns_decides(mode) {
        let conf = "<Location />\nAuthType Digest\nAuthName \"a realm\"\nAuthDigestProvider wsgi\n\
            WSGIAuthUserScript {hook}\nRequire valid-user\n</Location>";
        let httpd = guarded("digest", mode, conf)
            .module("authn_core")
            .module("auth_digest")
            .module("authz_user")
            .start();
        httpd.allow_log("guard.py");
        httpd.allow_log("AH01");
        let hash = "hashlib.md5(f'{user}:{realm}:secret'.encode()).hexdigest()";
        let upper = format!("{hash}.upper()");
        let bytes = format!("{hash}.encode()");
        let rows = [
            (hash, 200, ""),
            (&upper, 200, ""),
            (&bytes, 200, ""),
            ("hashlib.md5(b'else').hexdigest()", 401, ""),
            ("None", 401, ""),
            ("''", 500, "WSGI0178"),
            ("b''", 500, "WSGI0178"),
            ("'secret'", 500, "WSGI0179: get_realm_hash() must return None, or the MD5"),
            ("True", 500, "32 hexadecimal digits, not bool"),
            ("fail('some fault')", 500, "ValueError: some fault"),
        ];
        for (expression, status, line) in rows {
            let challenge = httpd.get("/x.txt").send();
            let challenge = challenge.header("www-authenticate").unwrap();
            let call = httpd.get("/x.txt").header("X-Hash", expression);
            let reply = call.header("Authorization", digest(challenge, "/x.txt")).send();
            assert_eq!(reply.status, status, "{expression}");
            httpd.wait_for_log(line);
        }
        let empty = conf.replace("{hook}", &format!("{{root}}/empty.py {}", place(mode)));
        let setup = guarded("digest-none", mode, &empty).file("empty.py", "");
        let setup = setup.module("authn_core").module("auth_digest").module("authz_user");
        let httpd = setup.start();
        httpd.expect_log("WSGI0046: there is no function \"get_realm_hash\"");
        let challenge = httpd.get("/x.txt").send();
        let challenge = challenge.header("www-authenticate").unwrap();
        let call = httpd.get("/x.txt").header("Authorization", digest(challenge, "/x.txt"));
        assert_eq!(call.send().status, 500);
    }

    fn forms_ask_as_well(mode) {
        let conf = "<Location />\nAuthType form\nAuthName x\nAuthFormProvider wsgi\n\
            WSGIAuthUserScript {root}/app/form.py {place}\nSession On\n\
            SessionCookieName session path=/\nRequire valid-user\n</Location>"
            .replace("{place}", place(mode));
        let script = "def check_password(environ, user, password):\n\
            \x20   return password == 'secret' if user == 'u' else None\n";
        let mut setup = guarded("form", mode, &conf).file("app/form.py", script);
        for module in
            ["authn_core", "auth_form", "authz_user", "request", "session", "session_cookie"]
        {
            setup = setup.module(module);
        }
        let httpd = setup.start();
        httpd.allow_log("AH01");
        let login = |form: &str| {
            let call = httpd.post("/x.txt", form);
            call.header("Content-Type", "application/x-www-form-urlencoded").send()
        };
        let form =
            |user: &str, password: &str| format!("httpd_username={user}&httpd_password={password}");
        assert_eq!(login(&form("u", "wrong")).status, 401);
        assert_eq!(login(&form("nobody", "secret")).status, 401);
        let right = login(&form("u", "secret"));
        assert_eq!(right.status, 200, "{}", httpd.log());
        let cookie = right.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        assert_eq!(httpd.get("/x.txt").header("Cookie", cookie).send().status, 200);
    }

    fn users_of_django_can_log_in(mode) {
        let script = format!(
            "{}\nfrom django.contrib.auth.handlers.modwsgi import check_password\n",
            django::SCRIPT
        );
        let venv = installation::venv().unwrap();
        let script_and_place = format!("{{root}}/site/users.py {}", place(mode));
        let setup = basic("basic-django", mode, &BASIC.replace("{hook}", &script_and_place));
        let httpd = setup
            .file("site/users.py", script)
            .file("site/apps", installation::apps().to_str().unwrap())
            .file("data/db.sqlite3", django::database())
            .python_home(venv)
            .start();
        for (path, mode) in [("data", 0o777), ("data/db.sqlite3", 0o666)] {
            fs::set_permissions(httpd.root().join(path), Permissions::from_mode(mode)).unwrap();
        }
        httpd.allow_log("AH016");
        let get = |credentials: &str| {
            httpd.get("/x.txt").header("Authorization", credentials).send().status
        };
        assert_eq!(get("Basic YWRtaW46c2VjcmV0"), 200, "{}", httpd.log());
        assert_eq!(get("Basic YWRtaW46d3Jvbmc="), 401);
        assert_eq!(get("Basic bm9ib2R5OnNlY3JldA=="), 401);
        // And with a client that asks first and then tells who it is.
        let curl = std::process::Command::new("curl")
            .args(["--silent", "--anyauth", "--user", "admin:secret"])
            .arg(format!("http://{}/x.txt", httpd.address()))
            .output()
            .unwrap();
        assert_eq!(curl.stdout, b"x\n");
        assert_eq!(python_in_children(&httpd), mode == Mode::Embedded);
    }
}

/// The answer of the user `u` with the password `secret` to a challenge.
fn digest(challenge: &str, path: &str) -> String {
    let field = |name: &str| {
        let (_, rest) = challenge.split_once(&format!("{name}=\"")).unwrap();
        rest.split('"').next().unwrap()
    };
    let (realm, nonce) = (field("realm"), field("nonce"));
    let md5 = |text: String| format!("{:x}", Md5::digest(text));
    let user = md5(format!("u:{realm}:secret"));
    let response = md5(format!("{user}:{nonce}:00000001:c:auth:{}", md5(format!("GET:{path}"))));
    format!(
        "Digest username=\"u\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{path}\", \
         algorithm=MD5, qop=auth, nc=00000001, cnonce=\"c\", response=\"{response}\""
    )
}
