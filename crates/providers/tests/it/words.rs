//! The public table of words, and that the providers' tables are exactly it.

use crate::table::find;
use domain::State::{self, Delivered, Expired, Failed, Rejected, Sent, Unknown};
use tidings_providers::{Meaning, registry};

type Column = (State, &'static [&'static str]);

const TABLE: &[(&str, &[Column])] = &[
    (
        "africastalking",
        &[
            (Sent, &["Sent", "Submitted", "Buffered"]),
            (Delivered, &["Success"]),
            (Failed, &["Failed", "AbsentSubscriber"]),
            (Rejected, &["Rejected", "Expired"]),
        ],
    ),
    (
        "orange",
        &[
            (Sent, &["DeliveredToNetwork", "MessageWaiting"]),
            (Delivered, &["DeliveredToTerminal"]),
            (Failed, &["DeliveryImpossible"]),
            (
                Unknown,
                &["DeliveryUncertain", "DeliveryNotificationNotSupported"],
            ),
        ],
    ),
    (
        "mtn",
        &[
            (Sent, &["ACCEPTD", "ACCEPTED", "ENROUTE"]),
            (Sent, &["DeliveredToNetwork", "MessageWaiting"]),
            (Delivered, &["DELIVERED", "DELIVRD", "DeliveredToTerminal"]),
            (
                Failed,
                &["UNDELIVERED", "UNDELIV", "DELETED", "DeliveryImpossible"],
            ),
            (Rejected, &["REJECTED", "REJECTD"]),
            (Expired, &["EXPIRED"]),
            (Unknown, &["UNKNOWN", "DeliveryUncertain"]),
            (Unknown, &["DeliveryNotificationNotSupported"]),
        ],
    ),
    (
        "airtel",
        &[
            (Sent, &["ENROUTE", "ACCEPTD"]),
            (Delivered, &["DELIVRD"]),
            (Failed, &["UNDELIV", "DELETED"]),
            (Rejected, &["REJECTD"]),
            (Expired, &["EXPIRED"]),
            (Unknown, &["UNKNOWN"]),
        ],
    ),
    (
        "zamtel",
        &[
            (Sent, &["ENROUTE", "ACCEPTD"]),
            (Delivered, &["DELIVRD"]),
            (Failed, &["UNDELIV", "DELETED"]),
            (Rejected, &["REJECTD"]),
            (Expired, &["EXPIRED"]),
            (Unknown, &["UNKNOWN"]),
        ],
    ),
    (
        "kannel",
        &[
            (Sent, &["4", "8"]),
            (Delivered, &["1"]),
            (Failed, &["2"]),
            (Rejected, &["16"]),
        ],
    ),
    (
        "jasmin",
        &[
            (Sent, &["ENROUTE", "ACCEPTD"]),
            (Delivered, &["DELIVRD"]),
            (Failed, &["UNDELIV", "DELETED"]),
            (Rejected, &["REJECTD"]),
            (Expired, &["EXPIRED"]),
            (Unknown, &["UNKNOWN"]),
        ],
    ),
    (
        "twilio",
        &[
            (
                Sent,
                &["accepted", "scheduled", "queued", "sending", "sent"],
            ),
            (Delivered, &["delivered", "read"]),
            (Failed, &["undelivered", "failed", "canceled"]),
        ],
    ),
    // The groups 0 to 5 by their names, and the status that is not as its group.
    (
        "infobip",
        &[
            (
                Sent,
                &["ACCEPTED", "OK", "PENDING", "DELIVERED_TO_OPERATOR"],
            ),
            (Delivered, &["DELIVERED"]),
            (Failed, &["UNDELIVERABLE"]),
            (Rejected, &["REJECTED"]),
            (Expired, &["EXPIRED"]),
        ],
    ),
    (
        "vonage",
        &[
            (Sent, &["accepted", "buffered"]),
            (Delivered, &["delivered"]),
            (Failed, &["failed"]),
            (Rejected, &["rejected"]),
            (Expired, &["expired"]),
            (Unknown, &["unknown"]),
        ],
    ),
    (
        "stub",
        &[
            (Sent, &["ENROUTE", "ACCEPTD"]),
            (Delivered, &["DELIVRD"]),
            (Failed, &["UNDELIV", "DELETED"]),
            (Rejected, &["REJECTD"]),
            (Expired, &["EXPIRED"]),
            (Unknown, &["UNKNOWN"]),
        ],
    ),
];

#[test]
fn every_word_of_the_public_table_means_its_column_and_there_is_no_other_word() {
    for (name, columns) in TABLE {
        let provider = find(name);
        for (state, words) in *columns {
            for word in *words {
                assert_eq!(provider.status(word).state, Some(*state), "{name} {word}");
            }
        }
        let listed: usize = columns.iter().map(|(_, words)| words.len()).sum();
        assert_eq!(provider.words().len(), listed, "{name}");
    }
    assert_eq!(TABLE.len(), registry::all().len());
}

#[test]
fn only_an_absent_subscriber_is_temporary() {
    let temporary: Vec<_> = registry::all()
        .iter()
        .flat_map(|provider| provider.words())
        .filter(|word| word.is_temporary)
        .map(|word| word.word)
        .collect();
    assert_eq!(temporary, ["AbsentSubscriber"]);
}

#[test]
fn a_word_of_another_spelling_means_nothing() {
    for provider in registry::all() {
        for word in [
            "",
            "success",
            "SUCCESS",
            " Success",
            "Delivrd",
            "deliveredtoterminal",
            "None",
        ] {
            let nothing = Meaning {
                state: None,
                is_temporary: false,
            };
            assert_eq!(
                provider.status(word),
                nothing,
                "{} {word:?}",
                provider.name()
            );
        }
    }
}
