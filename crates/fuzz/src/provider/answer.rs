//! The bytes as what a provider answers when it is asked.

use super::bound;
use domain::Timestamp;
use domain::callback::Statement;
use providers::Provider;
use providers::ask::{Access, Asked, Reply};

/// The ids and recipients of the fixtures.
const ASKED: [(&str, &str); 5] = [
    ("10c0d78cd4bf77ee@138a3d02644", "+260960000001"),
    ("SM00000000000000000000000000000001", "+260970000001"),
    ("ib-0001", "+260970000001"),
    ("0B00000127FDBC63", "+260970000001"),
    ("9d523078-1d3d-4c90-8984-000000000001", "+2250700000001"),
];

/// Whatever comes back, it is read the same again, and says nothing but of what was asked.
pub(super) fn survives(provider: &dyn Provider, bytes: &[u8]) {
    for status in [200, 404] {
        let reply = Reply {
            status,
            content_type: None,
            retry_after: std::str::from_utf8(bytes).ok(),
            body: bytes,
        };
        status_api(provider, reply);
        inbox(provider, reply);
    }
}

fn status_api(provider: &dyn Provider, reply: Reply<'_>) {
    let Some(api) = provider.status_api() else {
        return;
    };
    let access = access();
    let _ = api.read_token(reply);
    for asked in ASKED.map(asked) {
        let asked = std::slice::from_ref(&asked);
        let read = api.read(&access, asked, reply);
        assert_eq!(
            read,
            api.read(&access, asked, reply),
            "the same answer says the same"
        );
        for report in read.map(|it| it.reports).unwrap_or_default() {
            let is_named = report.provider_message_id == asked[0].provider_message_id;
            let recipient = report.recipient_e164();
            let is_theirs = recipient.is_none_or(|recipient| recipient == asked[0].to);
            assert!(is_named && is_theirs, "only what was asked about is told");
            bound::holds(&Statement::Report(report));
        }
    }
}

fn inbox(provider: &dyn Provider, reply: Reply<'_>) {
    let Some(api) = provider.inbox_api() else {
        return;
    };
    if let Ok(fetched) = api.read(&access(), reply) {
        fetched.statements.iter().for_each(bound::holds);
        assert!(!fetched.has_more || fetched.cursor.is_some());
    }
}

fn access() -> Access {
    let values = [
        ("account_sid", "AC00000000000000000000000000000000"),
        ("api_key", "abcd1234"),
    ];
    let values = values.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Access {
        base_url: "https://api.example".to_owned(),
        values: values.into(),
    }
}

fn asked((id, to): (&str, &str)) -> Asked {
    Asked {
        provider_message_id: Some(id.to_owned()),
        client_reference: None,
        to: to.to_owned(),
        from: None,
        since: Timestamp::from_millis(0),
    }
}
