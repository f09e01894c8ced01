//! The servers that are compared.

use anyhow::Result;

use super::workload::{FILES, Workload};
use crate::server::Server;
use crate::server_kind::{Mode, ServerKind, Shape};
use crate::workdir::{App, Workdir};

/// A server in one mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contender {
    /// httpd by itself, with a file in place of the application.
    File,
    ModWsgiEmbedded,
    ModWsgiDaemon,
    Uwsgi,
    Granian,
    Embedded,
    Daemon,
    Template,
}

/// Two children for each, with the threads that Debian gives them, and connections that last.
pub(super) const LINES: &str = "ThreadsPerChild 25\nMaxRequestWorkers 50\nServerLimit 2\n\
                                MinSpareThreads 1\nMaxSpareThreads 1000\n\
                                MaxKeepAliveRequests 0\n";

/// The same with a thread in each child for each of 256 connections: httpd ends kept ones where a
/// child has more of them than threads.
const LARGE_LINES: &str = "ThreadLimit 256\nThreadsPerChild 256\nMaxRequestWorkers 512\n\
                           ServerLimit 2\nMinSpareThreads 1\nMaxSpareThreads 1000\n\
                           MaxKeepAliveRequests 0\n";

/// Connections that the usual sizes of httpd have threads for.
const USUAL_CONNECTIONS: usize = 50;

impl Contender {
    /// All of them; the base of the ratios is the first.
    pub(super) const ALL: [Self; 8] = [
        Self::ModWsgiDaemon,
        Self::File,
        Self::ModWsgiEmbedded,
        Self::Uwsgi,
        Self::Granian,
        Self::Embedded,
        Self::Daemon,
        Self::Template,
    ];

    /// For people.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::File => "httpd, a file",
            Self::ModWsgiEmbedded => "mod_wsgi embedded",
            Self::ModWsgiDaemon => "mod_wsgi daemon",
            Self::Uwsgi => "mod_proxy_uwsgi + uWSGI",
            Self::Granian => "granian, no Apache",
            Self::Embedded => "Dormouse embedded",
            Self::Daemon => "Dormouse daemon",
            Self::Template => "Dormouse daemon, template",
        }
    }

    /// Whether it is measured with `--ours`.
    pub(super) fn is_ours(self) -> bool {
        matches!(self, Self::ModWsgiDaemon | Self::Embedded | Self::Daemon | Self::Template)
    }

    /// Whether it can answer these requests.
    pub(super) fn can_serve(self, workload: Workload) -> bool {
        self != Self::File || workload.has_file()
    }

    fn kind(self, app: App) -> ServerKind {
        match self {
            Self::File => ServerKind::Plain,
            Self::ModWsgiEmbedded | Self::ModWsgiDaemon => ServerKind::ModWsgi(""),
            Self::Uwsgi => ServerKind::Uwsgi,
            Self::Granian => ServerKind::Granian,
            Self::Embedded | Self::Daemon => ServerKind::Dormouse(""),
            Self::Template if app == App::Library => {
                ServerKind::Dormouse("preload=application warm-up=/titles/")
            }
            Self::Template => ServerKind::Dormouse("preload=application"),
        }
    }

    /// Starts it with four processes of four threads, and httpd with a thread for each connection
    /// of the workload.
    pub(super) fn start(self, workdir: &Workdir, workload: Workload) -> Result<Server> {
        let shape = self.shape(workload.app);
        let is_large = workload.connections > USUAL_CONNECTIONS;
        let lines = if is_large { LARGE_LINES } else { shape.lines };
        self.start_as(workdir, Shape { lines, ..shape })
    }

    /// Its usual shape. No httpd has an access log, since the others have none.
    pub(super) fn shape(self, app: App) -> Shape {
        let is_embedded = matches!(self, Self::ModWsgiEmbedded | Self::Embedded);
        let mode = if is_embedded { Mode::Embedded } else { Mode::Daemon(4) };
        Shape { lines: LINES, has_access_log: false, ..Shape::new(app, mode) }
    }

    /// Starts it in that shape.
    pub(super) fn start_as(self, workdir: &Workdir, shape: Shape) -> Result<Server> {
        let server = self.kind(shape.app).start(workdir, shape)?;
        if self == Self::File {
            let root = server.httpd()?.root().join("htdocs");
            for (name, length) in FILES {
                std::fs::write(root.join(name), vec![b'x'; length])?;
            }
        }
        Ok(server)
    }
}
