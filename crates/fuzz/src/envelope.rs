//! What crosses the broker.

use domain::Timestamp;
use domain::account::Environment;
use domain::callback::{self, Kind, Statement};
use domain::id::{AccountId, ReceiptId, TenantId};
use domain::report::Source;
use providers::Provider;
use std::net::{IpAddr, Ipv6Addr};
use wire::{CallbackJob, Envelope, HintSet, Job};

/// Whose callbacks are read.
pub(crate) const ACCOUNT: AccountId = AccountId(uuid::Uuid::from_u128(2));

/// The bytes as a job and as hints: what can be read can be written, and is the same again.
pub(crate) fn survives(bytes: &[u8]) {
    if let Ok(envelope) = Envelope::from_bytes(bytes) {
        arrives(&envelope);
    }
    if let Some(hints) = HintSet::from_bytes(bytes) {
        assert_eq!(HintSet::from_bytes(&hints.to_bytes()), Some(hints));
        assert!(hints.events().count() + hints.deliveries().count() <= 128);
    }
}

/// A job with these statements arrives as it was sent.
pub(crate) fn carries(
    provider: &dyn Provider,
    kind: Kind,
    body: &[u8],
    statements: Vec<Statement>,
) {
    let callback_id = callback::id(ACCOUNT, kind, &statements);
    let job = CallbackJob {
        receipt_id: ReceiptId(uuid::Uuid::from_u128(3)),
        callback_id,
        tenant_id: TenantId::PLATFORM,
        account_id: ACCOUNT,
        provider_account: "account".parse().expect("it is a slug"),
        provider: provider.name().to_owned(),
        environment: Environment::default(),
        kind,
        source: Source::Callback,
        received_at: Timestamp::from_millis(1_700_000_000_000),
        source_ip: IpAddr::V6(Ipv6Addr::LOCALHOST),
        signature_checked: false,
        answer: provider.answer(kind).body(callback_id),
        headers: Vec::new(),
        body: body.to_vec(),
        statements,
    };
    arrives(&Envelope {
        job: Job::Callback(job),
        traceparent: None,
    });
}

fn arrives(envelope: &Envelope) {
    let bytes = envelope.to_bytes().expect("a job can be written");
    let arrived = Envelope::from_bytes(&bytes).expect("what was written can be read");
    assert_eq!(arrived, *envelope, "a job arrives as it was sent");
}
