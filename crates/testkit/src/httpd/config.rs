//! The text of the generated `httpd.conf`.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, Result};
use nix::unistd::{Uid, User};

use super::{Mode, Setup};
use crate::installation::{self, Mpm, Server};

/// The user that httpd's children run as when the tests run as root.
const WEB_USER: &str = "www-data";

/// The whole file: what every server needs, then the mode, the application, and the test's lines.
pub(super) fn text(setup: &Setup, root: &Path, address: SocketAddr) -> Result<String> {
    let server = Server::installed()?;
    let mpm = setup.mpm.map_or_else(Mpm::from_environment, Ok)?;
    let mut text = format!(
        "# Written by testkit for {name}.\n\
         ServerRoot \"{root}\"\n\
         ServerName localhost\n\
         Listen {address}\n\
         PidFile run/httpd.pid\n\
         DefaultRuntimeDir run\n\
         ErrorLog logs/error_log\n",
        name = setup.name,
        root = root.display(),
    );
    if Uid::effective().is_root() {
        let user = User::from_name(WEB_USER)?.with_context(|| format!("no user {WEB_USER}"))?;
        writeln!(text, "User {WEB_USER}\nGroup #{}", user.gid)?;
    }
    text.push_str(&server.load_module(&format!("mpm_{}", mpm.name())));
    for module in MODULES.iter().copied().chain(setup.modules.iter().map(String::as_str)) {
        text.push_str(&server.load_module(module));
    }
    text.push_str(if setup.one_child { one_child(mpm) } else { sizes(mpm) });
    text.push_str(BASE);
    if setup.access_log {
        text.push_str("CustomLog logs/access_log testkit\n");
    }
    if setup.wsgi {
        text.push_str(&wsgi(setup)?);
    }
    for lines in &setup.conf {
        text.push_str(&fill_in(lines, root, address)?);
        text.push('\n');
    }
    Ok(text)
}

/// Loaded for every server; a test asks for more with [`Setup::module`].
const MODULES: [&str; 7] = ["unixd", "authz_core", "log_config", "mime", "alias", "dir", "env"];

const BASE: &str = "LogLevel info
LogFormat \"\\\"%r\\\" %>s %B\" testkit
TypesConfig mime.types
Timeout 20
DocumentRoot htdocs
<Directory \"/\">
    AllowOverride None
    Require all granted
</Directory>
";

/// Small, so that a test starts quickly, but never a single process: a request must be able to
/// overtake another under each MPM.
fn sizes(mpm: Mpm) -> &'static str {
    match mpm {
        Mpm::Event | Mpm::Worker => {
            "StartServers 1\nServerLimit 4\nThreadsPerChild 8\nMaxRequestWorkers 32\n\
             MinSpareThreads 1\nMaxSpareThreads 32\n"
        }
        Mpm::Prefork => {
            "StartServers 2\nServerLimit 8\nMaxRequestWorkers 8\nMinSpareServers 2\n\
             MaxSpareServers 4\n"
        }
    }
}

fn one_child(mpm: Mpm) -> &'static str {
    match mpm {
        Mpm::Event | Mpm::Worker => {
            "StartServers 1\nServerLimit 1\nThreadsPerChild 8\nMaxRequestWorkers 8\n\
             MinSpareThreads 1\nMaxSpareThreads 8\n"
        }
        Mpm::Prefork => {
            "StartServers 1\nServerLimit 1\nMaxRequestWorkers 1\nMinSpareServers 1\n\
             MaxSpareServers 1\n"
        }
    }
}

fn wsgi(setup: &Setup) -> Result<String> {
    let module = installation::dist()?.join("mod_wsgi.so");
    let mut text = format!(
        "LoadModule wsgi_module \"{}\"\nLogLevel info wsgi:trace1\nWSGISocketPrefix run/wsgi\n",
        module.display()
    );
    let home = || match &setup.python_home {
        Some(home) => Ok(home.clone()),
        None => installation::python_home(),
    };
    match setup.mode {
        Some(Mode::Embedded) => {
            writeln!(text, "WSGIPythonHome \"{}\"", home()?.display())?;
        }
        Some(Mode::Daemon) => writeln!(
            text,
            "WSGIDaemonProcess test {} python-home=\"{}\"\nWSGIProcessGroup test",
            setup.daemon_options,
            home()?.display()
        )?,
        None => {}
    }
    if let Some(app) = &setup.app {
        let script = installation::apps().join(app);
        writeln!(text, "WSGIScriptAlias / \"{}\"", script.display())?;
    }
    Ok(text)
}

/// Replaces `{root}`, `{port}`, `{apps}`, `{home}`, `{venv}` and `{dist}`; nothing else, so that
/// `%{GLOBAL}` stays.
fn fill_in(lines: &str, root: &Path, address: SocketAddr) -> Result<String> {
    let path = |path: &Path| path.display().to_string();
    let mut text = lines
        .replace("{root}", &path(root))
        .replace("{port}", &address.port().to_string())
        .replace("{apps}", &path(&installation::apps()));
    // Only looked for where they are used: not every test has them.
    if text.contains("{home}") {
        text = text.replace("{home}", &path(&installation::python_home()?));
    }
    if text.contains("{venv}") {
        text = text.replace("{venv}", &path(&installation::venv()?));
    }
    if text.contains("{dist}") {
        text = text.replace("{dist}", &path(&installation::dist()?));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_tokens_are_filled_in() {
        let address = "127.0.0.1:8123".parse().unwrap();
        let lines = "WSGIApplicationGroup %{GLOBAL}\nErrorLog {root}/e\nListen {port}";
        assert_eq!(
            fill_in(lines, Path::new("/tmp/dm-1"), address).unwrap(),
            "WSGIApplicationGroup %{GLOBAL}\nErrorLog /tmp/dm-1/e\nListen 8123"
        );
    }
}
