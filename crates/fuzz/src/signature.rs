//! The headers by which a provider shows that it is the provider.

mod account;
mod genuine;
mod request;

use account::Account;
use request::Request;

/// The bytes as a choice of an account and the request that it gets: see [`Request::read`]. Nobody is
/// believed who does not know the secret, and whoever does is, until a bit is changed.
pub(crate) fn survives(bytes: &[u8]) {
    let Some((choice, rest)) = bytes.split_first() else {
        return;
    };
    let account = Account::of(*choice);
    let request = Request::read(rest);
    let checks = account.checks();

    let refused = request.verified_by(&checks);
    assert!(
        refused.is_err(),
        "a request was believed that has no secret"
    );
    assert_eq!(request.verified_by(&checks), refused, "a verdict stays");
    assert_eq!(
        request.turned().verified_by(&checks),
        refused,
        "the order of headers and the case of their names do not matter"
    );
    if let Account::Hmac(hmac) = account {
        genuine::is_believed(hmac, &checks, &request);
    }
}

/// The first line, and what follows it.
pub(crate) fn line(bytes: &[u8]) -> (&[u8], &[u8]) {
    let mut parts = bytes.splitn(2, |byte| *byte == b'\n');
    let first = parts.next().unwrap_or_default();
    (first, parts.next().unwrap_or_default())
}
