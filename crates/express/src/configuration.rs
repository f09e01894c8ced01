//! The text of the generated `httpd.conf`, from the template beside this file.

use std::path::Path;

use anyhow::{Context, Result};
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, ErrorKind, UndefinedBehavior, context};

use crate::capacity::{Capacity, Demand};
use crate::installation::Httpd;
use crate::options::Mpm;
use crate::site::{Alias, Application, Site};

/// The whole file.
pub(crate) fn text(site: &Site, httpd: &Httpd, mpm: Mpm) -> Result<String> {
    let options = &site.options;
    let demand = Demand {
        processes: options.processes.unwrap_or(1),
        threads: options.threads,
        max_clients: options.max_clients,
        embedded: options.embedded_mode,
    };
    let script = match &site.application {
        Application::Script(script) => Some(script.clone()),
        Application::Module(_) => Some(site.handler_file()),
        Application::Static => None,
    };
    let context = context! {
        modules => modules(site, httpd, mpm)?,
        wsgi_module => path(&site.module),
        prefork => mpm == Mpm::Prefork,
        capacity => capacity(Capacity::of(demand, mpm)),
        server_root => path(&site.server_root),
        listen => listen(site),
        host => site.host.clone(),
        user => site.account.as_ref().map(|account| account.user.clone()),
        group => site.account.as_ref().map(|account| account.group.clone()),
        mime_types => mime_types(),
        error_log => error_log(site),
        log_level => options.log_level.name(),
        access_log => options.access_log.then(|| access_log(site)),
        access_log_format => access_log_format(&options.access_log_format),
        socket_timeout => options.socket_timeout,
        keep_alive_timeout => options.keep_alive_timeout,
        limit_request_body => options.limit_request_body,
        daemon => !options.embedded_mode,
        daemon_options => daemon_options(site),
        process_group => site.process_group.clone(),
        python_home => path(&site.python_home),
        python_path => site.python_path.clone(),
        application_group => options.application_group.clone(),
        callable_object => options.callable_object.clone(),
        reloading => !options.disable_reloading,
        script => script.as_deref().map(path),
        script_directory => script.as_deref().and_then(Path::parent).map(path),
        script_name => script.as_deref().map(file_name),
        mount_point => site.mount_point.clone(),
        document_root => path(&site.document_root()),
        files_first => site.files_come_first(),
        allow_override => allow_override(&options.allow_override),
        aliases => site.aliases.iter().map(alias).collect::<Vec<_>>(),
        setenv => site.setenv.clone(),
        passenv => options.passenv.clone(),
        server_name => options.server_name.clone(),
        server_aliases => options.server_alias.clone(),
        parent_domain => options.server_name.as_ref().and_then(|name| name.strip_prefix("www.")),
        port => options.port,
        include_files => site.include_files.iter().map(|file| path(file)).collect::<Vec<_>>(),
    };
    render(context)
}

const TEMPLATE: &str = include_str!("httpd.conf.jinja");

fn render(context: minijinja::Value) -> Result<String> {
    let mut environment = Environment::new();
    environment.set_syntax(
        SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .keep_trailing_newline(true)
            .build()?,
    );
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.add_filter("word", word);
    environment.add_filter("pattern", pattern);
    environment.template_from_str(TEMPLATE)?.render(context).context("cannot write httpd.conf")
}

/// One word of a directive, quoted so that httpd reads back exactly this text.
fn word(text: &str) -> Result<String, minijinja::Error> {
    if text.contains(['\n', '\r', '\0']) {
        let reason = format!("{text:?} has a character that httpd's configuration cannot hold");
        return Err(minijinja::Error::new(ErrorKind::InvalidOperation, reason));
    }
    Ok(format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\"")))
}

/// Text that a substitution of `mod_rewrite` uses as it is.
fn pattern(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        if matches!(character, '\\' | '$' | '%') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// The `LoadModule` lines' names and files.
fn modules(site: &Site, httpd: &Httpd, mpm: Mpm) -> Result<Vec<(String, String)>> {
    let mut names = vec![format!("mpm_{}", mpm.name())];
    let always = ["unixd", "authz_core", "log_config", "mime", "alias", "dir", "env"];
    names.extend(always.map(ToOwned::to_owned));
    if site.files_come_first() {
        names.push("rewrite".to_owned());
    }
    if !site.options.allow_override.is_empty() {
        // What .htaccess files are usually about.
        names.extend(["headers", "authn_core", "authz_host", "authz_user"].map(ToOwned::to_owned));
    }
    let mut modules = Vec::new();
    for name in names {
        if let Some(file) = httpd.loadable(&name)? {
            modules.push((name, path(&file)));
        }
    }
    Ok(modules)
}

/// The options of `WSGIDaemonProcess` after the name.
fn daemon_options(site: &Site) -> Vec<(&'static str, String)> {
    let options = &site.options;
    let mut list = Vec::new();
    // Written only when asked for: writing it makes `wsgi.multiprocess` true.
    if let Some(processes) = options.processes {
        list.push(("processes", processes.to_string()));
    }
    list.push(("threads", options.threads.to_string()));
    list.push(("display-name", site.display_name.clone()));
    list.push(("home", path(&site.working_directory)));
    list.push(("python-home", path(&site.python_home)));
    if !site.python_path.is_empty() {
        list.push(("python-path", site.python_path.clone()));
    }
    list.push(("lang", site.locale.clone()));
    list.push(("locale", site.locale.clone()));
    list
}

fn capacity(capacity: Capacity) -> minijinja::Value {
    context! {
        server_limit => capacity.server_limit,
        threads_per_child => capacity.threads_per_child,
        max_request_workers => capacity.max_request_workers,
        start_servers => capacity.start_servers,
        min_spare => capacity.min_spare,
        max_spare => capacity.max_spare,
    }
}

fn alias(alias: &Alias) -> minijinja::Value {
    let file = alias.path.is_file();
    let directory = if file { alias.path.parent() } else { Some(alias.path.as_path()) };
    context! {
        url => alias.url.clone(),
        path => path(&alias.path),
        directory => directory.map(path),
        file => file.then(|| file_name(&alias.path)),
    }
}

fn listen(site: &Site) -> String {
    let port = site.options.port;
    site.address.map_or_else(
        || port.to_string(),
        |address| std::net::SocketAddr::new(address, port).to_string(),
    )
}

fn error_log(site: &Site) -> String {
    if !site.options.log_to_terminal {
        return path(&site.log_directory.join("error_log"));
    }
    terminal("/dev/stderr", "|$/bin/cat >&2")
}

fn access_log(site: &Site) -> String {
    if !site.options.log_to_terminal {
        return path(&site.log_directory.join("access_log"));
    }
    terminal("/dev/stdout", "||/bin/cat")
}

/// The device, or a program that writes there where it is a socket, which cannot be opened.
fn terminal(device: &str, program: &str) -> String {
    let opened = std::fs::OpenOptions::new().append(true).open(device);
    if opened.is_ok() { device.to_owned() } else { program.to_owned() }
}

fn access_log_format(given: &str) -> &str {
    match given {
        "common" => "%h %l %u %t \"%r\" %>s %b",
        "combined" => "%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-agent}i\"",
        format => format,
    }
}

fn allow_override(classes: &[String]) -> String {
    if classes.is_empty() { "None".to_owned() } else { classes.join(" ") }
}

/// Where the system has its list of file types.
fn mime_types() -> &'static str {
    let known = ["/etc/mime.types", "/etc/apache2/mime.types", "/etc/httpd/conf/mime.types"];
    known.into_iter().find(|file| Path::new(file).is_file()).unwrap_or("/dev/null")
}

fn path(path: &Path) -> String {
    path.display().to_string()
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::tests::Place;

    /// The configuration for a command line, and the place that its paths lie in.
    fn conf(words: &[&str]) -> (String, Place) {
        let place = Place::new();
        let site = place.resolve(words).unwrap();
        let httpd = Httpd {
            binary: "/usr/sbin/apache2".into(),
            modules: "/nowhere".into(),
            built_in: [
                "event",
                "prefork",
                "unixd",
                "authz_core",
                "log_config",
                "mime",
                "alias",
                "dir",
                "env",
                "rewrite",
                "headers",
                "authn_core",
                "authz_host",
                "authz_user",
            ]
            .map(ToOwned::to_owned)
            .to_vec(),
        };
        (text(&site, &httpd, Mpm::Event).unwrap(), place)
    }

    #[track_caller]
    fn has(text: &str, line: &str) {
        assert!(text.lines().any(|found| found.trim() == line), "no line {line:?} in\n{text}");
    }

    #[test]
    fn a_script_runs_in_a_daemon_process() {
        let (text, place) = conf(&["app.py"]);
        has(&text, "Listen 8000");
        has(&text, "WSGIRestrictEmbedded On");
        has(&text, "WSGIProcessGroup \"localhost:8000\"");
        has(&text, "WSGIApplicationGroup \"%{GLOBAL}\"");
        has(&text, &format!("WSGIScriptAlias \"/\" \"{}\"", place.path("app.py")));
        let daemon = text.lines().find(|line| line.starts_with("WSGIDaemonProcess")).unwrap();
        assert!(daemon.contains(" threads=\"5\"") && !daemon.contains("processes="), "{daemon}");
        assert!(daemon.contains(&format!("python-home=\"{}\"", place.path("venv"))), "{daemon}");
        assert!(!text.contains("Rewrite") && !text.contains("\nUser "), "{text}");
        assert!(!text.contains("WSGIScriptReloading"), "{text}");
    }

    #[test]
    fn processes_are_written_when_given() {
        let (text, _place) = conf(&["app.py", "--processes", "1", "--threads", "7"]);
        assert!(text.contains(" processes=\"1\" threads=\"7\""), "{text}");
    }

    #[test]
    fn embedded_mode_has_no_daemon() {
        let (text, place) = conf(&["app.py", "--embedded-mode", "--python-path", "files"]);
        assert!(
            !text.contains("WSGIDaemonProcess") && !text.contains("WSGIProcessGroup"),
            "{text}"
        );
        has(&text, &format!("WSGIPythonHome \"{}\"", place.path("venv")));
        let path = format!("{}:{}", place.directory.path().display(), place.path("files"));
        has(&text, &format!("WSGIPythonPath \"{path}\""));
    }

    #[test]
    fn files_of_the_document_root_come_first() {
        let (text, place) = conf(&["app.py", "--document-root", "files"]);
        has(&text, &format!("DocumentRoot \"{}\"", place.path("files")));
        let rule = text.find("RewriteRule").unwrap();
        assert!(rule < text.find("WSGIScriptAlias").unwrap(), "{text}");
    }

    #[test]
    fn a_named_site_refuses_other_names() {
        let words =
            ["app.py", "--server-name", "www.example.com", "--server-alias", "*.example.com"];
        let (text, _place) = conf(&words);
        has(&text, "ServerName \"www.example.com\"");
        has(&text, "ServerAlias \"*.example.com\"");
        has(&text, "Redirect permanent / \"http://www.example.com:8000/\"");
        let denied = text.find("Require all denied\n    </Location>").unwrap();
        assert!(denied < text.find("WSGIScriptAlias").unwrap(), "{text}");
    }

    #[test]
    fn the_rest_of_the_options_is_written() {
        let words = [
            "app.py",
            "--host",
            "127.0.0.1",
            "--setenv",
            "A",
            "b \"c\"",
            "--passenv",
            "HOME",
            "--disable-reloading",
            "--callable-object",
            "app",
            "--limit-request-body",
            "5",
            "--socket-timeout",
            "9",
            "--keep-alive-timeout",
            "0",
            "--access-log",
            "--log-level",
            "info",
            "--locale",
            "de_DE.UTF-8",
            "--url-alias",
            "/robots.txt",
            "app.py",
        ];
        let (text, place) = conf(&words);
        for line in [
            "Listen 127.0.0.1:8000",
            "SetEnv \"A\" \"b \\\"c\\\"\"",
            "PassEnv \"HOME\"",
            "WSGIScriptReloading Off",
            "WSGICallableObject \"app\"",
            "LimitRequestBody 5",
            "Timeout 9",
            "KeepAlive Off",
            "LogLevel info",
            "CustomLog \"/tmp/dormouse-127.0.0.1:8000:4321/access_log\" dormouse",
            "<Files \"app.py\">",
        ] {
            has(&text, line);
        }
        has(&text, &format!("Alias \"/robots.txt\" \"{}\"", place.path("app.py")));
        assert!(text.contains("lang=\"de_DE.UTF-8\" locale=\"de_DE.UTF-8\""), "{text}");
    }

    #[test]
    fn static_files_need_no_application() {
        let (text, place) = conf(&["--application-type", "static", "files"]);
        has(&text, &format!("DocumentRoot \"{}\"", place.path("files")));
        assert!(!text.contains("WSGI") && !text.contains("Rewrite"), "{text}");
    }

    #[test]
    fn a_line_end_in_a_value_is_refused() {
        assert!(word("a\nb").is_err());
        assert_eq!(word(r#"a\"b"#).unwrap(), r#""a\\\"b""#);
    }
}
