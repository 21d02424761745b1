//! A name server, to be told what names stand for.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How soon it notices that it is to end.
const LOOK_EVERY: Duration = Duration::from_millis(20);
const HEADER_BYTES: usize = 12;
/// Types of records (RFC 1035 §3.2.2, RFC 3596 §2.1).
const A: u16 = 1;
const CNAME: u16 = 5;
const AAAA: u16 = 28;
/// How many aliases are followed.
const MAX_ALIASES: usize = 8;

/// A DNS server on 127.0.0.1 (RFC 1035), over UDP. What it says holds for the one look: nobody may
/// remember it. It runs on a thread of its own, and ends when dropped.
pub struct NameServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    ends: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    names: HashMap<String, Stands>,
    /// How often the IPv4 addresses of a name were asked for.
    asked: HashMap<String, usize>,
}

/// What a name stands for.
enum Stands {
    Addresses(Vec<IpAddr>),
    /// Whatever the other name stands for.
    Alias(String),
}

impl NameServer {
    /// Starts, and knows no names.
    ///
    /// # Panics
    ///
    /// When there is no port for it.
    pub fn start() -> Self {
        let socket = match UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)) {
            Ok(socket) => socket,
            Err(error) => panic!("no port for a name server: {error}"),
        };
        let address = match (
            socket.local_addr(),
            socket.set_read_timeout(Some(LOOK_EVERY)),
        ) {
            (Ok(address), Ok(())) => address,
            (address, set) => panic!("no socket for a name server: {address:?}, {set:?}"),
        };
        let shared = Arc::new(Shared::default());
        let serving = Arc::clone(&shared);
        Self {
            address,
            shared,
            thread: Some(std::thread::spawn(move || serve(&socket, &serving))),
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on this name, in lower case, stands for these addresses.
    ///
    /// # Panics
    ///
    /// When one of them is none.
    #[track_caller]
    pub fn tell(&self, name: &str, addresses: &[&str]) {
        let parse = |address: &&str| match address.parse() {
            Ok(address) => address,
            Err(error) => panic!("{address}: {error}"),
        };
        let addresses = addresses.iter().map(parse).collect();
        self.put(name, Stands::Addresses(addresses));
    }

    /// From now on this name is an alias of another one.
    pub fn alias(&self, name: &str, of: &str) {
        self.put(name, Stands::Alias(of.to_owned()));
    }

    /// How often it was asked for the IPv4 addresses of this name.
    pub fn asked(&self, name: &str) -> usize {
        let state = self.shared.state();
        state.asked.get(name).copied().unwrap_or_default()
    }

    fn put(&self, name: &str, stands: Stands) {
        self.shared.state().names.insert(name.to_owned(), stands);
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.shared.ends.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn serve(socket: &UdpSocket, shared: &Shared) {
    let mut buffer = [0; 1500];
    while !shared.ends.load(Ordering::Relaxed) {
        match socket.recv_from(&mut buffer) {
            Ok((length, client)) => {
                let question = buffer.get(..length).and_then(Question::read);
                if let Some(question) = question {
                    let answer = question.answer(&mut shared.state());
                    let _ = socket.send_to(&answer, client);
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return,
        }
    }
}

struct Question {
    id: [u8; 2],
    name: String,
    kind: u16,
    /// As it was asked, to be repeated.
    bytes: Vec<u8>,
}

impl Question {
    /// The first question of a message; a name is not compressed there.
    fn read(message: &[u8]) -> Option<Self> {
        let rest = message.get(HEADER_BYTES..)?;
        let mut labels = Vec::new();
        let mut at = 0;
        loop {
            let length = usize::from(*rest.get(at)?);
            at += 1;
            if length == 0 {
                break;
            }
            let label = rest.get(at..at + length)?;
            labels.push(String::from_utf8_lossy(label).to_ascii_lowercase());
            at += length;
        }
        Some(Self {
            id: [*message.first()?, *message.get(1)?],
            name: labels.join("."),
            kind: u16::from_be_bytes([*rest.get(at)?, *rest.get(at + 1)?]),
            bytes: rest.get(..at + 4)?.to_vec(),
        })
    }

    fn answer(&self, state: &mut State) -> Vec<u8> {
        if self.kind == A {
            *state.asked.entry(self.name.clone()).or_default() += 1;
        }
        let mut records = Vec::new();
        let mut name = self.name.clone();
        while let Some(Stands::Alias(of)) = state.names.get(&name) {
            if records.len() == MAX_ALIASES {
                break;
            }
            records.push(record(&name, CNAME, &coded(of)));
            name.clone_from(of);
        }
        let known = state.names.get(&name);
        if let Some(Stands::Addresses(addresses)) = known {
            records.extend(addresses.iter().filter_map(|address| match address {
                IpAddr::V4(address) if self.kind == A => Some(record(&name, A, &address.octets())),
                IpAddr::V6(address) if self.kind == AAAA => {
                    Some(record(&name, AAAA, &address.octets()))
                }
                _ => None,
            }));
        }
        // An answer to a recursive question, and whether there is such a name.
        let flags = if known.is_some() {
            [0x81, 0x80]
        } else {
            [0x81, 0x83]
        };
        let number = u16::try_from(records.len()).unwrap_or_default();
        let mut answer = [self.id, flags, [0, 1], number.to_be_bytes(), [0; 2], [0; 2]].concat();
        answer.extend(&self.bytes);
        answer.extend(records.concat());
        answer
    }
}

/// Of the class for the internet, to be kept for no time.
fn record(name: &str, kind: u16, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap_or_default();
    let mut record = coded(name);
    record.extend(kind.to_be_bytes());
    record.extend([0, 1]);
    record.extend([0; 4]);
    record.extend(length.to_be_bytes());
    record.extend(data);
    record
}

fn coded(name: &str) -> Vec<u8> {
    let mut coded = Vec::new();
    for label in name.split('.') {
        coded.push(u8::try_from(label.len()).unwrap_or_default());
        coded.extend(label.as_bytes());
    }
    coded.push(0);
    coded
}
