//! Ports for one node.

use std::io;

use super::super::ports;

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
    /// Free ones.
    pub fn free() -> io::Result<Self> {
        let [amqp, tls, distribution, epmd] = ports::free()?;
        Ok(Self {
            amqp,
            tls,
            distribution,
            epmd,
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
