//! Ports for one node.

use std::io;
use std::net::TcpListener;

/// The ports of this machine that a node listens on.
pub struct Ports {
    /// For its clients.
    pub amqp: u16,
    /// For its clients, over TLS.
    pub tls: u16,
    /// For other nodes; there are none.
    pub distribution: u16,
    /// Of the daemon that knows where nodes are; this node has its own.
    pub epmd: u16,
}

impl Ports {
    /// Free now, and taken in a moment: nothing else on this machine hands out ports in order.
    pub fn free() -> io::Result<Self> {
        let listen = || TcpListener::bind("127.0.0.1:0");
        let held = [listen()?, listen()?, listen()?, listen()?];
        let port = |of: usize| held[of].local_addr().map(|address| address.port());
        Ok(Self {
            amqp: port(0)?,
            tls: port(1)?,
            distribution: port(2)?,
            epmd: port(3)?,
        })
    }

    /// A name that no other node on this machine has meanwhile.
    pub fn node(&self) -> String {
        format!("tidings-{}@localhost", self.amqp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_port_is_another() {
        let ports = Ports::free().unwrap();
        let mut all = vec![ports.amqp, ports.tls, ports.distribution, ports.epmd];
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 4);
    }
}
