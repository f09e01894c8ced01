//! Free ports on loopback.
//!
//! httpd refuses `Listen 0`, so a port is bound, noted and released. Somebody else may take it
//! before httpd does: whoever starts a server must be ready to try again.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use anyhow::{Context as _, Result};

/// An address on loopback that nobody listens on at this moment. Whoever starts a server there must
/// be ready to try again with another.
pub fn free() -> Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .context("no free port on 127.0.0.1")
}
