//! Free ports of this machine, for servers that take them themselves some seconds later.

use std::io::{self, Error, ErrorKind};
use std::net::TcpListener;

/// Below those that Linux gives to whoever asks for any, and to each connection that is made: one of those may be
/// gone before the server takes it, or while it is down.
const FIRST: u32 = 20_000;
const COUNT: u32 = 12_768;
/// How many are looked at.
const TRIES: u32 = 1_000;
/// How far apart two processes begin to look that were started one after the other.
const APART: u32 = 17;

/// Ports of the loopback interface that nobody listens on, each another.
pub fn free<const N: usize>() -> io::Result<[u16; N]> {
    let begin = std::process::id().wrapping_mul(APART);
    let candidates = (0..TRIES).map(|step| FIRST + begin.wrapping_add(step) % COUNT);
    // Held until all are found, so that none is found twice.
    let held: Vec<TcpListener> = candidates
        .filter_map(|port| TcpListener::bind(("127.0.0.1", u16::try_from(port).ok()?)).ok())
        .take(N)
        .collect();
    let mut ports = [0; N];
    for (number, port) in ports.iter_mut().enumerate() {
        let none = || Error::new(ErrorKind::AddrInUse, "no port from 20000 on is free");
        *port = held.get(number).ok_or_else(none)?.local_addr()?.port();
    }
    Ok(ports)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_somebody_listens_on_is_not_free() {
        // Another test may be faster.
        let (first, _listener) = std::iter::repeat_with(|| free().unwrap())
            .find_map(|[port]| Some((port, TcpListener::bind(("127.0.0.1", port)).ok()?)))
            .unwrap();
        let others: [u16; 4] = free().unwrap();
        assert!(!others.contains(&first), "{first} is among {others:?}");
        assert!(others.iter().all(|port| (20_000..32_768).contains(port)));
    }
}
