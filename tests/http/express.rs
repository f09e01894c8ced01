//! The command `dormouse`: what it serves, what it refuses, and that it leaves nothing behind.

use std::fs::{self, File, Permissions};
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::rc::Rc;

use nix::sys::signal::kill;
use nix::unistd::{Pid, Uid};
use tempfile::TempDir;
use testkit::{Call, Reply, Signal, Tree, free_address, installation, wait_until};

/// A directory for the files of a test and for the server root, open to httpd's user.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("dm-").tempdir_in("/tmp").unwrap();
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
        Self(directory)
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// `dormouse start-server`, to listen at the address.
    fn command(&self, address: SocketAddr, arguments: &[&str]) -> Command {
        let mut command = dormouse("start-server");
        command.args(arguments).arg("--server-root").arg(self.path("root"));
        command.args(["--host", "127.0.0.1", "--port", &address.port().to_string()]);
        command.arg("--python").arg(installation::python());
        if Uid::effective().is_root() {
            command.args(["--user", "www-data"]);
        }
        command.env("DORMOUSE_TEST", self.0.path()).current_dir(self.0.path());
        command
    }

    fn tree(&self, child: &Child) -> Tree {
        let mark = format!("DORMOUSE_TEST={}", self.0.path().display());
        Tree::new(pid(child), &installation::httpd().unwrap(), mark)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }
}

fn dormouse(subcommand: &str) -> Command {
    let mut command = Command::new(installation::dist().unwrap().join("dormouse"));
    command.arg(subcommand).env_remove("VIRTUAL_ENV");
    command
}

/// A server started by `dormouse`, in the way a container would: not on a terminal.
struct Served {
    place: Rc<Place>,
    child: Child,
    tree: Tree,
    address: SocketAddr,
}

impl Served {
    /// `words` may name files of the place, which is the working directory.
    fn start(place: Place, words: &[&str]) -> Self {
        let place = Rc::new(place);
        // Another process may take a free port first.
        for _ in 0..10 {
            let address = free_address().unwrap();
            let output = File::create(place.path("output")).unwrap();
            let mut command = place.command(address, words);
            command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
            let mut child = command.spawn().unwrap();
            if serves(&mut child, address) {
                let tree = place.tree(&child);
                return Self { place, child, tree, address };
            }
            let output = place.text("output");
            assert!(output.contains("in use"), "{output}\n{}", place.text("root/error_log"));
        }
        panic!("no port stays free");
    }

    fn get(&self, target: &str) -> Reply {
        Call::new(self.address, "GET", target).send()
    }

    /// The effect of Ctrl-C, and the check that no process or file remains.
    fn interrupt(mut self) -> Rc<Place> {
        assert!(!self.tree.processes().is_empty());
        kill(Pid::from_raw(pid(&self.child)), Signal::SIGINT).unwrap();
        let status = ended(&mut self.child);
        assert!(status.success(), "{status}\n{}", self.place.text("root/error_log"));
        wait_until("every process has ended", || self.tree.processes().is_empty());
        TcpListener::bind(self.address).expect("the port is free again");
        let left: Vec<_> = fs::read_dir(self.place.path("root/run"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert!(left.is_empty(), "left in the runtime directory: {left:?}");
        Rc::clone(&self.place)
    }
}

impl Drop for Served {
    /// For a test that failed while the server ran.
    fn drop(&mut self) {
        end_all(&mut self.tree);
    }
}

fn end_all(tree: &mut Tree) {
    for process in tree.processes() {
        // It may end by itself in this moment.
        let _ = kill(Pid::from_raw(process.pid), Signal::SIGKILL);
    }
}

fn pid(child: &Child) -> i32 {
    child.id().try_into().unwrap()
}

/// Whether it comes to answer; `false` once it has ended.
fn serves(child: &mut Child, address: SocketAddr) -> bool {
    let mut running = true;
    wait_until("dormouse serves or ends", || {
        running = child.try_wait().unwrap().is_none();
        !running || Call::new(address, "GET", "/").try_send().is_ok()
    });
    running
}

fn ended(child: &mut Child) -> ExitStatus {
    let mut status = None;
    wait_until("dormouse has ended", || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    status.unwrap()
}

fn hello() -> PathBuf {
    installation::project().join("examples/hello.py")
}

/// An application `name` that says its name and the paths.
fn greeter(name: &str) -> String {
    format!(
        "def {name}(environ, start_response):\n    \
             start_response('200 OK', [('Content-Type', 'text/plain')])\n    \
             text = '{name} %s %s' % (environ['SCRIPT_NAME'], environ['PATH_INFO'])\n    \
             return [text.encode()]\n"
    )
}

#[test]
fn the_example_is_served_and_ctrl_c_leaves_nothing() {
    let hello = hello();
    for mode in [&[][..], &["--embedded-mode"]] {
        let words: Vec<_> = [hello.to_str().unwrap()].iter().chain(mode).copied().collect();
        let served = Served::start(Place::new(), &words);
        let reply = served.get("/?name=Ada");
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert!(reply.text().contains("Hello, Ada!"), "{}", reply.text());
        let place = served.interrupt();
        let output = place.text("output");
        assert!(output.contains("Server URL  : http://127.0.0.1:"), "{output}");
        assert!(output.contains("root/error_log"), "{output}");
    }
}

#[test]
fn a_module_is_imported() {
    let place = Place::new();
    place.file("shop/__init__.py", "");
    place.file("shop/web.py", &greeter("app"));
    let words = ["shop.web", "--application-type", "module", "--callable-object", "app"];
    let served = Served::start(place, &words);
    assert_eq!(served.get("/x").text(), "app  /x");
    served.interrupt();
}

#[test]
fn files_come_before_the_application() {
    let place = Place::new();
    place.file("app.py", &greeter("application"));
    place.file("public/a b.txt", "from the document root");
    place.file("public/sub/page.html", "<p>page");
    place.file("assets/style.css", "p {}");
    place.file("robots.txt", "all are welcome");
    let words = [
        "app.py",
        "--document-root",
        "public",
        "--url-alias",
        "/static",
        "assets",
        "--url-alias",
        "/robots.txt",
        "robots.txt",
    ];
    let served = Served::start(place, &words);
    assert_eq!(served.get("/a%20b.txt").text(), "from the document root");
    assert_eq!(served.get("/sub/page.html").header("content-type"), Some("text/html"));
    let style = served.get("/static/style.css");
    assert_eq!((style.text().as_str(), style.header("content-type")), ("p {}", Some("text/css")));
    assert_eq!(served.get("/robots.txt").text(), "all are welcome");
    assert_eq!(served.get("/static/none.css").status, 404);
    for path in ["/", "/sub", "/none.txt", "/public/a"] {
        assert_eq!(served.get(path).text(), format!("application  {path}"));
    }
    assert_eq!(served.get("/odd%3Fname%25").text(), "application  /odd?name%");
    served.interrupt();
}

#[test]
fn a_mount_point_leaves_the_rest_to_httpd() {
    let place = Place::new();
    place.file("app.py", &greeter("application"));
    let served = Served::start(place, &["app.py", "--mount-point", "/shop/"]);
    assert_eq!(served.get("/shop/cart").text(), "application /shop /cart");
    assert_eq!(served.get("/shop").text(), "application /shop ");
    assert_eq!(served.get("/").status, 404);
    served.interrupt();
}

#[test]
fn a_terminal_that_changes_its_size_stops_nothing_and_ctrl_c_everything() {
    let place = Place::new();
    let address = free_address().unwrap();
    let inner = place.command(address, &[hello().to_str().unwrap()]);
    let line: Vec<_> = std::iter::once(inner.get_program())
        .chain(inner.get_args())
        .map(|word| format!("'{}'", word.to_str().unwrap()))
        .collect();
    // script(1) gives it a terminal, and what is written to script is typed there.
    let mut command = Command::new("script");
    command
        .args(["--quiet", "--return", "--flush", "--command"])
        .arg(format!("exec {}", line.join(" ")));
    command.arg(place.path("typescript")).env("DORMOUSE_TEST", place.0.path());
    command.env("SHELL", "/bin/sh").current_dir(place.0.path()).env_remove("VIRTUAL_ENV");
    let child = command
        .stdin(Stdio::piped())
        .stdout(File::create(place.path("output")).unwrap())
        .spawn()
        .unwrap();
    let tree = place.tree(&child);
    let mut served = Served { place: Rc::new(place), child, tree, address };
    assert!(serves(&mut served.child, address), "{}", served.place.text("output"));

    let processes = served.tree.processes();
    let wrapper = processes.iter().find(|process| process.exe.ends_with("dormouse"));
    let wrapper = Pid::from_raw(wrapper.expect("dormouse stays on a terminal").pid);
    let group = nix::unistd::getpgid(Some(wrapper)).unwrap();
    nix::sys::signal::killpg(group, Signal::SIGWINCH).unwrap();
    assert_eq!(served.get("/").status, 200);

    served.child.stdin.as_mut().unwrap().write_all(b"\x03").unwrap();
    let status = ended(&mut served.child);
    assert!(status.success(), "{status}\n{}", served.place.text("output"));
    wait_until("every process has ended", || served.tree.processes().is_empty());
    let log = served.place.text("root/error_log");
    assert!(log.contains("caught SIGTERM"), "httpd was stopped at once:\n{log}");
    assert!(!log.contains("SIGWINCH"), "a resized window reached httpd:\n{log}");
}

#[test]
fn what_cannot_work_is_refused_before_httpd_starts() {
    let place = Place::new();
    place.file("app.py", &greeter("application"));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let refused = |words: &[&str]| {
        let output = place.command(address, words).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        message(&output)
    };
    assert!(refused(&["none.py"]).contains("there is no script none.py"));
    assert!(refused(&["app.py"]).contains(&format!("port {} is in use", address.port())));
    assert!(refused(&["app.py", "--bogus"]).contains("--bogus"));
    assert!(refused(&["app.py", "--modules-directory", "/x"]).contains("--modules-directory /x"));
    if Uid::effective().is_root() {
        let output = dormouse("start-server").arg(place.path("app.py")).output().unwrap();
        assert!(message(&output).contains("--user is needed"));
    }
    assert!(!Path::new(&place.path("root/run/httpd.pid")).exists());
}

#[test]
fn a_server_is_set_up_without_starting() {
    let place = Place::new();
    place.file("app.py", &greeter("application"));
    let mut command = dormouse("setup-server");
    command.arg(place.path("app.py")).arg("--server-root").arg(place.path("root"));
    command.arg("--python").arg(installation::python());
    if Uid::effective().is_root() {
        command.args(["--user", "www-data"]);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", message(&output));
    let config = place.path("root/httpd.conf");
    assert!(String::from_utf8(output.stdout).unwrap().contains(config.to_str().unwrap()));
    let httpd = Command::new(installation::httpd().unwrap())
        .arg("-t")
        .arg("-f")
        .arg(&config)
        .output()
        .unwrap();
    assert!(httpd.status.success(), "{}", message(&httpd));
}

#[test]
fn the_module_can_be_loaded_elsewhere() {
    let module = installation::dist().unwrap().join("mod_wsgi.so");
    let location = dormouse("module-location").output().unwrap();
    assert_eq!(String::from_utf8(location.stdout).unwrap().trim(), module.to_str().unwrap());
    let config =
        dormouse("module-config").arg("--python").arg(installation::python()).output().unwrap();
    let lines = String::from_utf8(config.stdout).unwrap();
    let load = format!("LoadModule wsgi_module \"{}\"\n", module.display());
    assert!(lines.starts_with(&load) && lines.contains("WSGIPythonHome \""), "{lines}");
}

fn message(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
