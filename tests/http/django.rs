//! A Django project: the admin with sessions, CSRF protection and SQLite, uploads, static files.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use md5::{Digest as _, Md5};
use testkit::{Httpd, Mode, Reply, both_modes, installation};

/// Loads the project with its database in the `ServerRoot`.
pub(crate) const SCRIPT: &str = r#"
import os
import sys

root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
with open(os.path.join(root, "site", "apps")) as file:
    sys.path.insert(0, file.read())
os.environ["DJANGO_SETTINGS_MODULE"] = "django_site.settings"
os.environ["DJANGO_SITE_DATABASE"] = os.path.join(root, "data", "db.sqlite3")

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
"#;

fn django(name: &str, mode: Mode) -> Httpd {
    let venv = installation::venv().unwrap();
    let httpd = Httpd::new(name)
        .file("site/django.wsgi", SCRIPT)
        .file("site/apps", installation::apps().to_str().unwrap())
        .file("data/db.sqlite3", database())
        .conf(&format!("Alias /static/admin \"{}\"", admin_files(&venv).display()))
        .conf("WSGIScriptAlias / {root}/site/django.wsgi")
        .python_home(venv)
        .mode(mode)
        .start();
    // SQLite writes to the file and beside it, as httpd's user.
    for (path, mode) in [("data", 0o777), ("data/db.sqlite3", 0o666)] {
        fs::set_permissions(httpd.root().join(path), Permissions::from_mode(mode)).unwrap();
    }
    httpd
}

/// A database with the tables and the user `admin`, made once.
pub(crate) fn database() -> Vec<u8> {
    static DATABASE: OnceLock<Vec<u8>> = OnceLock::new();
    let make = || {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("db.sqlite3");
        let manage = |arguments: &[&str]| {
            let output = Command::new(installation::venv().unwrap().join("bin/python"))
                .args(["-B", "-m", "django"])
                .args(arguments)
                .current_dir(installation::apps())
                .env("PYTHONPATH", installation::apps())
                .env("DJANGO_SETTINGS_MODULE", "django_site.settings")
                .env("DJANGO_SITE_DATABASE", &file)
                .env("DJANGO_SUPERUSER_PASSWORD", "secret")
                .output()
                .unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        };
        manage(&["migrate", "--verbosity", "0"]);
        manage(&["createsuperuser", "--noinput", "--username", "admin", "--email", "a@b.example"]);
        fs::read(&file).unwrap()
    };
    DATABASE.get_or_init(make).clone()
}

fn admin_files(venv: &Path) -> PathBuf {
    let libraries = fs::read_dir(venv.join("lib")).unwrap();
    let files = libraries
        .map(|entry| entry.unwrap().path().join("site-packages/django/contrib/admin/static/admin"));
    files.into_iter().find(|path| path.is_dir()).unwrap()
}

/// `name=value` of the cookie that the reply sets.
fn cookie(reply: &Reply, name: &str) -> String {
    let set = reply.headers_named("set-cookie");
    let found = set.iter().find(|cookie| cookie.starts_with(&format!("{name}=")));
    let cookie = found.unwrap_or_else(|| panic!("no cookie {name} in {:?}", reply.headers));
    cookie.split(';').next().unwrap().to_owned()
}

/// The token in the form of a page.
fn token(page: &str) -> String {
    let (_, rest) = page.split_once("name=\"csrfmiddlewaretoken\" value=\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

const FORM: &str = "application/x-www-form-urlencoded";

both_modes! {
    fn the_admin_can_be_used(mode) {
        let httpd = django("django-admin", mode);
        let away = httpd.get("/admin/").send();
        assert_eq!(
            (away.status, away.header("location")),
            (302, Some("/admin/login/?next=/admin/"))
        );

        let page = httpd.get("/admin/login/?next=/admin/").send();
        assert_eq!(page.status, 200, "{}", page.text());
        let csrf = cookie(&page, "csrftoken");
        let form = |password: &str| {
            let token = token(&page.text());
            format!("csrfmiddlewaretoken={token}&username=admin&password={password}&next=/admin/")
        };
        let login = |body: String| {
            let call = httpd.post("/admin/login/?next=/admin/", body).header("Content-Type", FORM);
            call.header("Cookie", &csrf).send()
        };
        let wrong = login(form("wrong"));
        assert_eq!(wrong.status, 200);
        assert!(wrong.text().contains("Please enter the correct username"), "{}", wrong.text());
        let right = login(form("secret"));
        assert_eq!((right.status, right.header("location")), (302, Some("/admin/")));

        let session = cookie(&right, "sessionid");
        let index = httpd.get("/admin/").header("Cookie", &session).send();
        assert_eq!(index.status, 200);
        assert!(index.text().contains("Site administration"), "{}", index.text());
        let users = httpd.get("/admin/auth/user/").header("Cookie", &session).send();
        assert!(users.text().contains("a@b.example"), "{}", users.text());
    }

    fn a_form_without_its_token_is_refused(mode) {
        let httpd = django("django-csrf", mode);
        let call = httpd.post("/admin/login/", "username=admin&password=secret");
        assert_eq!(call.header("Content-Type", FORM).send().status, 403);
    }

    fn a_large_file_is_uploaded_whole(mode) {
        let httpd = django("django-upload", mode);
        let file = noise(20 * 1024 * 1024);
        let mut body = b"--edge\r\nContent-Disposition: form-data; name=\"file\"; \
            filename=\"noise.bin\"\r\nContent-Type: application/octet-stream\r\n\r\n"
            .to_vec();
        body.extend_from_slice(&file);
        body.extend_from_slice(b"\r\n--edge--\r\n");
        let call = httpd.post("/upload", body);
        let reply = call.header("Content-Type", "multipart/form-data; boundary=edge").send();
        assert_eq!(reply.status, 200, "{}", reply.text());
        let digest = format!("{:x}", Md5::digest(&file));
        let expected =
            serde_json::json!({ "name": "noise.bin", "size": file.len(), "md5": digest });
        assert_eq!(reply.json(), expected);
    }

    fn static_files_come_from_httpd(mode) {
        let httpd = django("django-static", mode);
        let reply = httpd.get("/static/admin/css/base.css").send();
        assert_eq!((reply.status, reply.header("content-type")), (200, Some("text/css")));
        let file = admin_files(&installation::venv().unwrap()).join("css/base.css");
        assert_eq!(reply.body, fs::read(file).unwrap());
        assert!(reply.header("etag").is_some(), "httpd gives files an ETag: {reply:?}");
        assert_eq!(httpd.get("/static/admin/none.css").send().status, 404);
    }

    fn a_streamed_response_is_whole(mode) {
        let httpd = django("django-stream", mode);
        let reply = httpd.get("/words?n=5000").send();
        assert_eq!(reply.text().split_whitespace().count(), 5000);
        assert_eq!(reply.header("content-length"), None);
    }
}

/// Bytes without a pattern, the same each time (a linear congruential generator).
fn noise(size: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(size).collect()
}
