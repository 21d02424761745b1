//! How many connections a listener serves, and how many of them one source may have.

use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream;
use ipnet::IpNet;
use socket2::SockRef;
use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr, Shutdown};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many connections a listener serves.
#[derive(Clone)]
pub struct Connections {
    /// At a time, over all workers; more wait in the kernel's queue.
    pub most: usize,
    /// Of one source: an IPv4 address, or the /64 of an IPv6 address. More are closed at once. None is any
    /// number.
    pub most_per_source: Option<usize>,
    /// Who speaks for many and is not counted.
    pub trusted: Vec<IpNet>,
    /// Told each time one is closed.
    pub refused: Option<Arc<dyn Fn() + Send + Sync>>,
}

impl Connections {
    /// So many, from wherever.
    pub const fn up_to(most: usize) -> Self {
        Self {
            most,
            most_per_source: None,
            trusted: Vec::new(),
            refused: None,
        }
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections")
            .field("most", &self.most)
            .field("most_per_source", &self.most_per_source)
            .finish_non_exhaustive()
    }
}

/// The connections there are, by source.
#[derive(Clone)]
pub(super) struct Counted {
    limits: Connections,
    by_source: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Counted {
    pub(super) fn new(limits: Connections) -> Self {
        Self {
            limits,
            by_source: Arc::default(),
        }
    }

    /// Counts a new connection for as long as it lives, or closes it.
    pub(super) fn meet(&self, connection: &dyn Any, data: &mut Extensions) {
        let (Some(most), Some(stream)) = (
            self.limits.most_per_source,
            connection.downcast_ref::<TcpStream>(),
        ) else {
            return;
        };
        let Ok(peer) = stream.peer_addr() else {
            return;
        };
        let address = peer.ip().to_canonical();
        if self.limits.trusted.iter().any(|net| net.contains(&address)) {
            return;
        }
        let source = source(address);
        let mut by_source = lock(&self.by_source);
        let count = by_source.entry(source).or_default();
        if *count >= most {
            drop(by_source);
            // Its worker reads the end of it, and lets it go.
            let _ = SockRef::from(stream).shutdown(Shutdown::Both);
            if let Some(refused) = &self.limits.refused {
                refused();
            }
            return;
        }
        *count += 1;
        data.insert(Guard {
            source,
            by_source: self.by_source.clone(),
        });
    }
}

/// A connection that is counted.
struct Guard {
    source: IpAddr,
    by_source: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mut by_source = lock(&self.by_source);
        if let Some(count) = by_source.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                by_source.remove(&self.source);
            }
        }
    }
}

/// Who an address is, where callers are counted: an IPv4 address, or the /64 of an IPv6 address, which is what
/// one customer of a network usually has.
pub fn source(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        address @ IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
