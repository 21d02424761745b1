//! What is done instead of a handshake of TLS, and with certificates.

use super::row::Row;
use std::time::Duration;
use testkit::hostile::{Behaviour, Certificate, Step};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
/// An alert: the version is not one that is spoken here (RFC 8446 §6.2).
const NO_SUCH_VERSION: &[u8] = b"\x15\x03\x01\0\x02\x02\x46";

pub fn rows() -> Vec<Row> {
    let behind = |certificate, text: &str| Behaviour::says(text).over_tls(certificate);
    let mut rows = vec![
        Row::fine("tls-good", behind(Certificate::Good, OK)).body("ok"),
        Row::no(
            "invalid_response",
            "tls-garbage",
            behind(Certificate::Good, "garbage\r\n\r\n"),
        ),
        Row::no("timeout", "tls-silent", behind(Certificate::Good, "")),
        Row::no(
            "reset",
            "tls-closes",
            Behaviour::of([Step::Read]).over_tls(Certificate::Good),
        ),
        Row::no(
            "reset",
            "tls-resets",
            Behaviour::of([Step::Read, Step::Reset]).over_tls(Certificate::Good),
        ),
    ];
    let refused = [
        ("tls-expired", Certificate::Expired),
        ("tls-not-yet", Certificate::NotYet),
        ("tls-other-name", Certificate::OtherName),
        ("tls-self-signed", Certificate::SelfSigned),
        ("tls-other-authority", Certificate::OtherAuthority),
    ];
    rows.extend(refused.map(|(name, certificate)| Row::no("tls", name, behind(certificate, OK))));
    rows
}

/// What is done to one who comes with TLS, in the clear: at `https://NAME.localhost:PORT`.
pub fn instead_of_a_handshake() -> Vec<Row> {
    let says = |bytes: &[u8]| Behaviour::of([Step::Say(bytes.to_vec()), Step::Wait]);
    let drop = Duration::from_millis(30);
    let closes = |bytes: &[u8]| Behaviour::of([Step::Say(bytes.to_vec())]);
    let rows = vec![
        Row::no(
            "tls",
            "clear-http",
            says(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        ),
        Row::no("tls", "clear-ssh", says(b"SSH-2.0-OpenSSH_9.2p1\r\n")),
        Row::no("tls", "clear-nuls", says(&[0; 64])),
        Row::no("tls", "clear-tls-1-0", says(&server_hello(1))),
        Row::no("tls", "clear-tls-1-1", says(&server_hello(2))),
        Row::no("tls", "clear-alert", closes(NO_SUCH_VERSION)),
        Row::no("tls", "clear-closes", closes(b"")),
        Row::no("tls", "clear-resets", Behaviour::of([Step::Reset])),
        Row::no("timeout", "clear-silent", says(b"")),
        Row::no("timeout", "clear-half", says(&server_hello(3)[..20])),
        Row::no(
            "timeout",
            "clear-by-drops",
            Behaviour::of([
                Step::Drip(vec![0x16], drop),
                Step::Drip(server_hello(3)[1..30].to_vec(), drop * 3),
            ]),
        ),
        Row::no(
            "tls",
            "clear-endless",
            Behaviour::of([Step::Endless(b"\x17\x03\x03\x40\0".repeat(64))]),
        )
        .endless(),
    ];
    rows.into_iter().map(Row::instead_of_tls).collect()
}

/// A hello of a server that speaks TLS 1.`minor` - 1 (RFC 5246 §7.4.1.3).
fn server_hello(minor: u8) -> Vec<u8> {
    let mut hello = vec![3, minor];
    hello.extend([7; 32]);
    // No session, TLS_RSA_WITH_AES_128_CBC_SHA, no compression.
    hello.extend([0, 0, 0x2f, 0]);
    let length = u8::try_from(hello.len()).unwrap();
    let mut handshake = vec![2, 0, 0, length];
    handshake.extend(hello);
    let mut record = vec![0x16, 3, minor, 0, length + 4];
    record.extend(handshake);
    record
}
