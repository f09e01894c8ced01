//! The meaning of the options: everything decided and checked, before anything is written.

use std::env;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::unistd::Uid;

use crate::account::Account;
use crate::options::{ApplicationType, ServerOptions};
use crate::python;

/// The facts outside of the command line.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    pub(crate) uid: Uid,
    pub(crate) working_directory: PathBuf,
    pub(crate) virtual_environment: Option<PathBuf>,
    /// Of this process: the value that the user's programs see.
    pub(crate) locale: Option<String>,
    pub(crate) temporary: PathBuf,
    pub(crate) module: PathBuf,
}

impl Surroundings {
    pub(crate) fn look_around() -> Result<Self> {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| variable(name));
        Ok(Self {
            uid: Uid::effective(),
            working_directory: env::current_dir().context("the working directory is gone")?,
            virtual_environment: virtual_environment(),
            locale,
            temporary: env::temp_dir(),
            module: crate::installation::module_file()?,
        })
    }
}

/// The active virtual environment.
pub(crate) fn virtual_environment() -> Option<PathBuf> {
    variable("VIRTUAL_ENV").map(PathBuf::from)
}

/// The application that is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Application {
    /// A WSGI script.
    Script(PathBuf),
    /// A module, by its dotted name.
    Module(String),
    /// Files only.
    Static,
}

/// A file or directory at a URL path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Alias {
    pub(crate) url: String,
    pub(crate) path: PathBuf,
}

/// A site, ready to be written. Paths are absolute.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub(crate) application: Application,
    pub(crate) mount_point: String,
    pub(crate) working_directory: PathBuf,
    pub(crate) python_home: PathBuf,
    /// Directories, joined with `:`; empty for none.
    pub(crate) python_path: String,
    pub(crate) locale: String,
    pub(crate) address: Option<IpAddr>,
    /// The host for people and names: the server name, the address or `localhost`.
    pub(crate) host: String,
    pub(crate) process_group: String,
    pub(crate) display_name: String,
    pub(crate) account: Option<Account>,
    document_root: Option<PathBuf>,
    /// Those with longer URL paths first.
    pub(crate) aliases: Vec<Alias>,
    pub(crate) include_files: Vec<PathBuf>,
    pub(crate) setenv: Vec<(String, String)>,
    pub(crate) server_root: PathBuf,
    pub(crate) log_directory: PathBuf,
    pub(crate) module: PathBuf,
    /// The options that need no deciding.
    pub(crate) options: ServerOptions,
}

impl Site {
    /// Decides everything; the error names the option, its value and what to do.
    pub(crate) fn resolve(options: &ServerOptions, around: &Surroundings) -> Result<Self> {
        let account =
            Account::resolve(options.user.as_deref(), options.group.as_deref(), around.uid)?;
        let working_directory = match &options.working_directory {
            Some(given) => directory(given, around, "--working-directory")?,
            None => around.working_directory.clone(),
        };
        let (application, document_root) = application(options, around)?;
        let address = address(options)?;
        let host = options.server_name.clone().or_else(|| options.host.clone());
        let host = host.unwrap_or_else(|| "localhost".to_owned());
        let site = format!("{host}:{}", options.port);
        let server_root = match &options.server_root {
            Some(given) => absolute(given, around),
            None => around.temporary.join(format!("dormouse-{site}:{}", around.uid)),
        };
        let resolved = Self {
            application,
            mount_point: mount_point(&options.mount_point),
            working_directory,
            python_home: python::home(
                options.python.python.as_deref(),
                around.virtual_environment.clone(),
            )?,
            python_path: python_path(options, around)?,
            locale: locale(options, around),
            address,
            process_group: options.process_group.clone().unwrap_or_else(|| site.clone()),
            display_name: match &options.process_group {
                Some(group) => format!("(wsgi:{group})"),
                None => format!("(wsgi:{site}:{})", around.uid),
            },
            host,
            account,
            document_root,
            aliases: aliases(options, around),
            include_files: include_files(options, around)?,
            setenv: pairs(&options.setenv),
            log_directory: match &options.log_directory {
                Some(given) => directory(given, around, "--log-directory")?,
                None => server_root.clone(),
            },
            server_root,
            module: around.module.clone(),
            options: options.clone(),
        };
        resolved.check_barriers()?;
        Ok(resolved)
    }

    /// The generated `httpd.conf`.
    pub(crate) fn config_file(&self) -> PathBuf {
        self.server_root.join("httpd.conf")
    }

    /// The script that loads the application of [`Application::Module`].
    pub(crate) fn handler_file(&self) -> PathBuf {
        self.server_root.join("handler.wsgi")
    }

    /// The given one, or an empty one: httpd's own default would be some directory of the system.
    pub(crate) fn document_root(&self) -> PathBuf {
        self.document_root.clone().unwrap_or_else(|| self.server_root.join("htdocs"))
    }

    /// Whether each request looks for a file before the application gets it.
    pub(crate) fn files_come_first(&self) -> bool {
        self.document_root.is_some() && self.application != Application::Static
    }

    /// Where people find the application.
    pub(crate) fn url(&self) -> String {
        let host = match self.host.parse() {
            Ok(IpAddr::V6(address)) => format!("[{address}]"),
            _ => self.host.clone(),
        };
        format!("http://{host}:{}{}", self.options.port, self.mount_point)
    }

    /// An error if a process listens on the port, or if this user may not.
    pub(crate) fn check_port(&self) -> Result<()> {
        let port = self.options.port;
        let bind = |address: IpAddr| TcpListener::bind(SocketAddr::new(address, port)).map(drop);
        let outcome = match self.address {
            Some(address) => bind(address),
            // Where there is no IPv6, all addresses are those of IPv4.
            None => match bind(Ipv6Addr::UNSPECIFIED.into()) {
                Err(error) if error.kind() != ErrorKind::AddrInUse => {
                    bind(Ipv4Addr::UNSPECIFIED.into())
                }
                outcome => outcome,
            },
        };
        match outcome {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                bail!("port {port} is in use: stop what listens there, or choose another --port")
            }
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                bail!("port {port} needs root's rights: choose a --port above 1023")
            }
            Err(error) if error.kind() == ErrorKind::AddrNotAvailable => {
                bail!("--host {}: this machine has no such address", self.host)
            }
            Err(error) => Err(error).with_context(|| format!("cannot listen on port {port}")),
        }
    }

    /// The application's user must be able to reach what it runs.
    fn check_barriers(&self) -> Result<()> {
        let Some(account) = &self.account else { return Ok(()) };
        let script = match &self.application {
            Application::Script(script) => Some(script.clone()),
            Application::Module(_) | Application::Static => None,
        };
        let needed = script.into_iter().chain([
            self.working_directory.join("."),
            self.python_home.join("bin"),
            self.module.clone(),
        ]);
        for path in needed {
            if let Some(barrier) = account.barrier(&path) {
                bail!(
                    "user {} cannot reach {}: {} is closed to it. Open that directory (chmod o+x) \
                     or use files elsewhere",
                    account.user,
                    path.display(),
                    barrier.display()
                );
            }
        }
        Ok(())
    }
}

/// The application to serve, and the document root, which for static files is the entry.
fn application(
    options: &ServerOptions,
    around: &Surroundings,
) -> Result<(Application, Option<PathBuf>)> {
    let entry = options.entry_point.as_ref().or(options.entry.as_ref());
    let document_root = options
        .document_root
        .as_ref()
        .map(|given| directory(given, around, "--document-root"))
        .transpose()?;
    let application = match (options.application_type, entry) {
        (ApplicationType::Static, entry) => {
            let given = entry.map(PathBuf::from).unwrap_or_default();
            let root = match document_root {
                Some(root) => root,
                None => directory(&given, around, "the entry")?,
            };
            return Ok((Application::Static, Some(root)));
        }
        (ApplicationType::Script, Some(entry)) => {
            let script = absolute(Path::new(entry), around);
            if script.is_dir() {
                bail!("{entry} is a directory: name the WSGI script in it");
            }
            if !script.is_file() {
                bail!("there is no script {entry} (for a module, add --application-type module)");
            }
            Application::Script(script)
        }
        (ApplicationType::Module, Some(entry)) => {
            if !is_module_name(entry) {
                bail!("{entry} is no module name, which is like package.module");
            }
            let callable = &options.callable_object;
            if callable.contains('.') || !is_module_name(callable) {
                bail!("--callable-object {callable}: give the name of a variable of the module");
            }
            Application::Module(entry.clone())
        }
        (ApplicationType::Script | ApplicationType::Module, None) => {
            bail!("nothing to serve: name a WSGI script, as in `dormouse start-server hello.py`")
        }
    };
    Ok((application, document_root))
}

fn is_module_name(name: &str) -> bool {
    name.split('.').all(|part| {
        !part.is_empty()
            && !part.starts_with(|c: char| c.is_ascii_digit())
            && part.chars().all(|c| c.is_alphanumeric() || c == '_')
    })
}

fn address(options: &ServerOptions) -> Result<Option<IpAddr>> {
    let Some(host) = &options.host else { return Ok(None) };
    match host.as_str() {
        "localhost" => Ok(Some(Ipv4Addr::LOCALHOST.into())),
        host => host.parse().map(Some).with_context(|| {
            format!("--host {host}: give the address to listen on, such as 127.0.0.1")
        }),
    }
}

/// With one leading slash and no trailing one.
fn mount_point(given: &str) -> String {
    format!("/{}", given.trim_matches('/'))
}

fn python_path(options: &ServerOptions, around: &Surroundings) -> Result<String> {
    let mut directories = Vec::new();
    // A daemon gets it from `home=`.
    if options.embedded_mode {
        let given = options.working_directory.as_deref().unwrap_or(Path::new(""));
        directories.push(absolute(given, around).display().to_string());
    }
    for given in &options.python_path {
        directories.push(directory(given, around, "--python-path")?.display().to_string());
    }
    Ok(directories.join(":"))
}

fn locale(options: &ServerOptions, around: &Surroundings) -> String {
    let surrounding = around.locale.as_ref().filter(|name| !matches!(name.as_str(), "C" | "POSIX"));
    let locale = options.locale.as_ref().or(options.lang.as_ref()).or(surrounding);
    locale.cloned().unwrap_or_else(|| "C.UTF-8".to_owned())
}

fn aliases(options: &ServerOptions, around: &Surroundings) -> Vec<Alias> {
    let alias = |(url, path): (String, String)| Alias {
        url: mount_point(&url),
        path: absolute(Path::new(&path), around),
    };
    let mut aliases: Vec<_> = pairs(&options.url_alias).into_iter().map(alias).collect();
    aliases.sort_by(|a, b| b.url.cmp(&a.url));
    aliases
}

fn include_files(options: &ServerOptions, around: &Surroundings) -> Result<Vec<PathBuf>> {
    let file = |given: &PathBuf| {
        let path = absolute(given, around);
        if !path.is_file() {
            bail!("--include-file {}: no such file", given.display());
        }
        Ok(path)
    };
    options.include_file.iter().map(file).collect()
}

/// The values of an option that takes two.
fn pairs(values: &[String]) -> Vec<(String, String)> {
    let pair = |pair: &[String]| match pair {
        [first, second] => Some((first.clone(), second.clone())),
        _ => None,
    };
    values.chunks(2).filter_map(pair).collect()
}

fn directory(given: &Path, around: &Surroundings, what: &str) -> Result<PathBuf> {
    let path = absolute(given, around);
    if !path.is_dir() {
        bail!("{what} {}: no such directory", given.display());
    }
    Ok(path)
}

fn absolute(given: &Path, around: &Surroundings) -> PathBuf {
    let joined = around.working_directory.join(given);
    // Without `.` parts and a trailing slash, as it reads best in the configuration.
    joined.components().collect()
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
pub(crate) mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: ServerOptions,
    }

    /// A place with `app.py`, `files/` and a Python, seen by an ordinary user.
    pub(crate) struct Place {
        pub(crate) directory: tempfile::TempDir,
    }

    impl Place {
        pub(crate) fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let at = |name: &str| directory.path().join(name);
            std::fs::create_dir_all(at("venv/bin")).unwrap();
            std::fs::create_dir(at("files")).unwrap();
            std::fs::write(at("venv/bin/python"), b"\x7fELF").unwrap();
            std::fs::write(at("venv/pyvenv.cfg"), "").unwrap();
            std::fs::write(at("app.py"), "").unwrap();
            Self { directory }
        }

        pub(crate) fn path(&self, name: &str) -> String {
            self.directory.path().join(name).display().to_string()
        }

        pub(crate) fn resolve(&self, words: &[&str]) -> Result<Site> {
            let line = ["dormouse"].iter().chain(words);
            let options = Line::try_parse_from(line).unwrap().options;
            let around = Surroundings {
                uid: Uid::from_raw(4321),
                working_directory: self.directory.path().to_owned(),
                virtual_environment: Some(self.directory.path().join("venv")),
                locale: Some("C".to_owned()),
                temporary: "/tmp".into(),
                module: "/opt/dormouse/mod_wsgi.so".into(),
            };
            Site::resolve(&options, &around)
        }
    }

    fn reason(words: &[&str]) -> String {
        format!("{:#}", Place::new().resolve(words).unwrap_err())
    }

    #[test]
    fn names_follow_from_host_and_port() {
        let site = Place::new().resolve(&["app.py", "--port", "8123"]).unwrap();
        assert_eq!(site.process_group, "localhost:8123");
        assert_eq!(site.display_name, "(wsgi:localhost:8123:4321)");
        assert_eq!(site.server_root, Path::new("/tmp/dormouse-localhost:8123:4321"));
        assert_eq!(site.url(), "http://localhost:8123/");
        assert_eq!(site.address, None);
        assert_eq!(site.locale, "C.UTF-8");
    }

    #[test]
    fn an_ipv6_address_is_written_in_brackets() {
        let site =
            Place::new().resolve(&["app.py", "--host", "::1", "--mount-point", "a/"]).unwrap();
        assert_eq!(site.url(), "http://[::1]:8000/a");
    }

    #[test]
    fn what_is_not_there_is_named() {
        assert!(reason(&[]).contains("nothing to serve"));
        assert!(reason(&["none.py"]).contains("no script none.py"));
        assert!(reason(&["files"]).contains("is a directory"));
        assert!(reason(&["a/b", "--application-type", "module"]).contains("no module name"));
        let words = ["a.b", "--application-type", "module", "--callable-object", "x.y"];
        assert!(reason(&words).contains("--callable-object x.y"));
        assert!(reason(&["app.py", "--document-root", "x"]).contains("--document-root x"));
        assert!(reason(&["app.py", "--python", "x"]).contains("--python x: no such file"));
        assert!(reason(&["app.py", "--host", "example"]).contains("--host example"));
        assert!(reason(&["app.py", "--include-file", "x"]).contains("--include-file x"));
    }

    #[test]
    fn static_files_come_from_the_entry_or_the_working_directory() {
        let place = Place::new();
        let root = |words: &[&str]| {
            let words: Vec<_> =
                ["--application-type", "static"].iter().chain(words).copied().collect();
            place.resolve(&words).unwrap().document_root()
        };
        assert_eq!(root(&["files"]), Path::new(&place.path("files")));
        assert_eq!(root(&[]), place.directory.path());
    }

    #[test]
    fn longer_aliases_come_first() {
        let words =
            ["app.py", "--url-alias", "/static", "files", "--url-alias", "/static/a/", "app.py"];
        let site = Place::new().resolve(&words).unwrap();
        let urls: Vec<_> = site.aliases.iter().map(|alias| alias.url.as_str()).collect();
        assert_eq!(urls, ["/static/a", "/static"]);
    }

    #[test]
    fn a_taken_port_is_reported() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port().to_string();
        let site =
            Place::new().resolve(&["app.py", "--host", "127.0.0.1", "--port", &port]).unwrap();
        let reason = site.check_port().unwrap_err().to_string();
        assert!(reason.contains(&format!("port {port} is in use")), "{reason}");
    }
}
