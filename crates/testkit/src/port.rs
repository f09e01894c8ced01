//! Free ports on loopback.
//!
//! httpd refuses `Listen 0`, so a port is bound, noted and released. Another process may take it
//! before httpd does: code that starts a server must be ready to try again.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use anyhow::{Context as _, Result};

/// An address on loopback that no process listens on at this moment. Code that starts a server
/// there must be ready to try again with another.
pub fn free() -> Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .context("no free port on 127.0.0.1")
}

/// Whether the server at this port has closed all connections that it had accepted, as the kernel
/// tells.
pub(crate) fn is_quiet(port: u16) -> bool {
    let table = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    !table.lines().any(|line| is_open(line, port))
}

/// Whether a line of `/proc/net/tcp` is about a connection of the port that a process has open. The
/// words are number, local address, remote address, state (0A is a listener), …, and as the tenth
/// the inode.
fn is_open(line: &str, port: u16) -> bool {
    let mut words = line.split_ascii_whitespace().skip(1);
    let local = words.next().and_then(|address| address.split_once(':'));
    let is_ours = local.is_some_and(|(_, hex)| u16::from_str_radix(hex, 16) == Ok(port));
    is_ours && words.nth(1) != Some("0A") && words.nth(5) != Some("0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_quiet_when_its_connections_are_closed() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        assert!(is_quiet(address.port()), "a listener is no connection");
        let client = std::net::TcpStream::connect(address).unwrap();
        let (server, _) = listener.accept().unwrap();
        assert!(!is_quiet(address.port()));
        drop(server);
        assert!(is_quiet(address.port()));
        drop(client);
    }
}
