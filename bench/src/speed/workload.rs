//! The requests that servers are asked, and the answers that they have to give.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, ensure};
use testkit::Call;

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
    answer: Answer,
    /// Connections at a time.
    pub(super) connections: usize,
}

/// The body of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// That many bytes.
    Bytes(u64),
    /// That of the request.
    Echo,
    /// The length of that of the request.
    Count,
    /// A page with that many rows.
    Rows(usize),
}

const fn get(name: &'static str, target: &'static str, length: u64) -> Workload {
    let answer = Answer::Bytes(length);
    Workload { name, app: App::Traffic, target, body: 0, answer, connections: 16 }
}

const fn post(name: &'static str, target: &'static str, body: usize, answer: Answer) -> Workload {
    Workload { name, app: App::Traffic, target, body, answer, connections: 16 }
}

pub(super) const HELLO: Workload = get("hello", "/hello", 14);
pub(super) const TEN: Workload = get("10 KiB", "/ten", 10 << 10);
pub(super) const PIECES: Workload = get("1 MiB in pieces", "/pieces", 1 << 20);
pub(super) const ECHO: Workload = post("64 KiB echo", "/echo", 64 << 10, Answer::Echo);
pub(super) const UPLOAD: Workload = post("1 MiB upload", "/upload", 1 << 20, Answer::Count);
pub(super) const FILE: Workload = get("8 MiB file", "/file", 8 << 20);
pub(super) const ALONE: Workload = Workload { name: "hello, 1 client", ..HELLO.on(1) };
pub(super) const DJANGO: Workload = Workload {
    name: "Django",
    app: App::Library,
    target: "/titles/",
    body: 0,
    answer: Answer::Rows(20),
    connections: 16,
};

/// Answers that are looked at whole before anything is measured; of others status and length are.
const SAMPLES: u8 = 4;

impl Workload {
    /// The same with more or fewer connections.
    pub(super) const fn on(self, connections: usize) -> Self {
        Self { connections, ..self }
    }

    /// Whether a file in place of the application answers alike.
    pub(super) fn has_file(self) -> bool {
        self.app == App::Traffic && self.body == 0
    }

    /// The requests, once the server has answered some of them as it has to.
    pub(super) fn order(self, address: SocketAddr) -> Result<Order> {
        let mut length = 0;
        for seed in 0..SAMPLES {
            let body = self.request_body(seed);
            let answer = self.ask(address, &body).with_context(|| self.name.to_owned())?;
            self.check(&body, &answer).with_context(|| self.name.to_owned())?;
            length = answer.len() as u64;
        }
        Ok(Order { request: self.request(), length })
    }

    fn ask(self, address: SocketAddr, body: &[u8]) -> Result<Vec<u8>> {
        let call = Call::new(address, self.method(), self.target).header("Host", "localhost");
        let reply = if body.is_empty() { call } else { call.body(body) }.try_send()?;
        ensure!(reply.status == 200, "status {}", reply.status);
        Ok(reply.body)
    }

    fn check(self, body: &[u8], answer: &[u8]) -> Result<()> {
        match self.answer {
            Answer::Bytes(length) => {
                ensure!(answer.len() as u64 == length, "an answer of {} bytes", answer.len());
            }
            Answer::Echo => ensure!(answer == body, "another body than was sent"),
            Answer::Count => {
                let text = String::from_utf8_lossy(answer);
                ensure!(*text == body.len().to_string(), "the application has read {text}");
            }
            Answer::Rows(number) => {
                let rows = String::from_utf8_lossy(answer).matches("<li>").count();
                ensure!(rows == number, "a page of {rows} rows");
            }
        }
        Ok(())
    }

    fn method(self) -> &'static str {
        if self.body > 0 { "POST" } else { "GET" }
    }

    /// Another one for each seed.
    fn request_body(self, seed: u8) -> Vec<u8> {
        (0..=u8::MAX).cycle().map(|byte| byte.wrapping_mul(31) ^ seed).take(self.body).collect()
    }

    /// Head and body as they are sent.
    fn request(self) -> Vec<u8> {
        let length = if self.body > 0 {
            format!("Content-Type: application/octet-stream\r\nContent-Length: {}\r\n", self.body)
        } else {
            String::new()
        };
        let (method, target) = (self.method(), self.target);
        let head = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n{length}\r\n");
        let mut request = head.into_bytes();
        request.extend(self.request_body(0));
        request
    }
}

/// The files that a plain httpd has in place of the application: names and lengths.
pub(super) const FILES: [(&str, usize); 4] =
    [("hello", 14), ("ten", 10 << 10), ("pieces", 1 << 20), ("file", 8 << 20)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_compared_with_what_was_asked() {
        let body = ECHO.request_body(1);
        assert_eq!(body.len(), 64 << 10);
        assert!(ECHO.check(&body, &body).is_ok());
        assert!(ECHO.check(&body, &ECHO.request_body(2)).is_err());
        assert!(UPLOAD.check(&body, b"65536").is_ok());
        assert!(UPLOAD.check(&body, b"65535").is_err());
        assert!(HELLO.check(b"", b"Hello, world!\n").is_ok());
        assert!(HELLO.check(b"", b"Hello, world!").is_err());
        assert!(DJANGO.check(b"", "<li>".repeat(20).as_bytes()).is_ok());
        assert!(DJANGO.check(b"", b"<li>").is_err());
    }

    #[test]
    fn a_request_has_its_body() {
        let request = ECHO.request();
        assert!(request.starts_with(b"POST /echo HTTP/1.1\r\n"));
        assert!(request.ends_with(&ECHO.request_body(0)));
        assert!(HELLO.request().ends_with(b"Host: localhost\r\n\r\n"));
    }
}
