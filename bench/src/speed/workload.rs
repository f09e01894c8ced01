//! What servers are asked for.

use super::clients::Order;
use crate::workdir::App;

/// A kind of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Workload {
    pub(super) name: &'static str,
    pub(super) app: App,
    pub(super) target: &'static str,
    /// Bytes of the request's body.
    pub(super) body: usize,
    /// Bytes of the answer's body; `None` where the application decides.
    pub(super) length: Option<u64>,
    /// Connections at a time.
    pub(super) connections: usize,
}

const fn of(name: &'static str, target: &'static str, body: usize, length: u64) -> Workload {
    Workload { name, app: App::Traffic, target, body, length: Some(length), connections: 16 }
}

pub(super) const HELLO: Workload = of("hello", "/hello", 0, 14);
pub(super) const TEN: Workload = of("10 KiB", "/ten", 0, 10 << 10);
pub(super) const PIECES: Workload = of("1 MiB in pieces", "/pieces", 0, 1 << 20);
pub(super) const ECHO: Workload = of("64 KiB echo", "/echo", 64 << 10, 64 << 10);
pub(super) const UPLOAD: Workload = of("1 MiB upload", "/upload", 1 << 20, 7);
pub(super) const FILE: Workload = of("8 MiB file", "/file", 0, 8 << 20);
pub(super) const ALONE: Workload = Workload { name: "hello, 1 client", connections: 1, ..HELLO };
pub(super) const DJANGO: Workload = Workload {
    name: "Django",
    app: App::Library,
    target: "/titles/",
    body: 0,
    length: None,
    connections: 16,
};

impl Workload {
    /// Whether a file in place of the application answers alike.
    pub(super) fn has_file(self) -> bool {
        self.app == App::Traffic && self.body == 0
    }

    /// The requests.
    pub(super) fn order(self) -> Order {
        let method = if self.body > 0 { "POST" } else { "GET" };
        let length = if self.body > 0 {
            format!("Content-Type: application/octet-stream\r\nContent-Length: {}\r\n", self.body)
        } else {
            String::new()
        };
        let head = format!("{method} {} HTTP/1.1\r\nHost: localhost\r\n{length}\r\n", self.target);
        let mut request = head.into_bytes();
        request.resize(request.len() + self.body, b'a');
        Order { request, length: self.length }
    }
}

/// The files that a plain httpd has in place of the application: names and lengths.
pub(super) const FILES: [(&str, usize); 4] =
    [("hello", 14), ("ten", 10 << 10), ("pieces", 1 << 20), ("file", 8 << 20)];
