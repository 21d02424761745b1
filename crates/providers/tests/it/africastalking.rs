//! Africa's Talking: every fixture, and what the fixtures do not show.

use crate::table::{Line, check, find, outcome};
use domain::callback::Kind::{self, Inbound, OptOuts, Reports, Subscriptions};
use tidings_providers::{Body, MediaType};

const HABARI: &str = "inbound id=ec9adc86-0000-4000-8000-000000000006 from=+254700000001 to=21512 at=2026-03-04T06:04:45.000Z ids repeat: Habari daktari. Habari daktari. Habari daktari. Habari daktari. Habari daktari. Habari daktari. Habari daktari. Habari daktari. Habari daktari. Habari daktari. Habari daktari. Habari daktari. Habari daktari. Habari daktari. Habari daktari. Habari daktari. Habari daktari. Habari daktari. Habari daktari. Habari daktari. ";

#[rustfmt::skip]
const TABLE: &[Line] = &[
    ("dlr_absentsubscriber.txt", Reports, &["AbsentSubscriber means failed temporary=yes id=ATXid_1111111111111111111111111111aaaf to=+254700000001 network=63902"]),
    ("dlr_buffered.txt", Reports, &["Buffered means sent id=ATXid_0123456789abcdef0123456789abcdef to=+254700000001 network=63902"]),
    ("dlr_empty_failure_reason.txt", Reports, &["Failed means failed id=ATXid_1111111111111111111111111111aab1 to=+254700000001 network=63902"]),
    ("dlr_expired.txt", Reports, &["Expired means rejected id=ATXid_1111111111111111111111111111aab0 to=+254700000001 network=63902"]),
    ("dlr_failed_deliveryfailure.txt", Reports, &["Failed means failed id=ATXid_1111111111111111111111111111aaaa to=+254700000001 reason=DeliveryFailure class=unknown network=63902"]),
    ("dlr_failed_userdoesnotexist.txt", Reports, &["Failed means failed id=ATXid_1111111111111111111111111111aaab to=+254700000001 reason=UserDoesNotExist class=permanent_number network=63902"]),
    ("dlr_minimal_id_status.txt", Reports, &["Success means delivered id=ATXid_0123456789abcdef0123456789abcdef"]),
    ("dlr_missing_id.txt", Reports, &["unrecognised: the field \"id\" is missing or empty"]),
    ("dlr_missing_status.txt", Reports, &["unrecognised: the field \"status\" is missing or empty"]),
    ("dlr_premium_retrycount3.txt", Reports, &["Success means delivered id=ATXid_1111111111111111111111111111aab5 to=+254700000001 network=63902"]),
    ("dlr_raw_unencoded_plus.txt", Reports, &["Success means delivered id=ATXid_1111111111111111111111111111aab6 to=+254700000001 network=63902"]),
    ("dlr_rejected_notnetworksubscriber.txt", Reports, &["Rejected means rejected id=ATXid_1111111111111111111111111111aaae to=+254700000001 reason=NotNetworkSubscriber class=temporary network=63902"]),
    ("dlr_rejected_userinblacklist.txt", Reports, &["Rejected means rejected id=ATXid_1111111111111111111111111111aaac to=+254700000001 reason=UserInBlackList class=consent network=63902"]),
    ("dlr_sandbox_99999.txt", Reports, &["Success means delivered id=ATPid_SampleTxnId123 to=+254711000000 network=99999"]),
    ("dlr_sent.txt", Reports, &["Sent means sent id=ATXid_0123456789abcdef0123456789abcdef to=+254700000001 network=63902"]),
    ("dlr_submitted.txt", Reports, &["Submitted means sent id=ATXid_0123456789abcdef0123456789abcdef to=+254700000001 network=63902"]),
    ("dlr_success.txt", Reports, &["Success means delivered id=ATXid_0123456789abcdef0123456789abcdef to=+254700000001 network=63902"]),
    ("dlr_success_repeated.txt", Reports, &["Success means delivered id=ATXid_0123456789abcdef0123456789abcdef to=+254700000001 network=63902"]),
    ("dlr_unknown_failure_reason.txt", Reports, &["Failed means failed id=ATXid_1111111111111111111111111111aab2 to=+254700000001 reason=SomethingNew class=unknown network=63902"]),
    ("dlr_unknown_status.txt", Reports, &["Teleported means nothing id=ATXid_1111111111111111111111111111aab3 to=+254700000001 network=63902"]),
    ("inbound_alphanumeric_from.txt", Inbound, &["inbound id=ec9adc86-0000-4000-8000-000000000008 from=MTN to=21512 at=2026-03-04T06:04:45.000Z ids repeat: promo"]),
    ("inbound_basic_iso.txt", Inbound, &["inbound id=ec9adc86-0000-4000-8000-000000000001 from=+254700000001 to=21512 at=2026-03-04T06:04:45.000Z ids repeat: Msg"]),
    ("inbound_basic_iso_repeated.txt", Inbound, &["inbound id=ec9adc86-0000-4000-8000-000000000001 from=+254700000001 to=21512 at=2026-03-04T06:04:45.000Z ids repeat: Msg"]),
    ("inbound_empty_text_and_date.txt", Inbound, &["inbound id=ec9adc86-0000-4000-8000-00000000000a from=+254700000001 to=21512 at=none ids repeat: "]),
    ("inbound_long_reassembled.txt", Inbound, &[HABARI]),
    ("inbound_missing_text.txt", Inbound, &["unrecognised: the field \"text\" is missing or empty"]),
    ("inbound_no_linkid_with_cost_network.txt", Inbound, &["inbound id=ec9adc86-0000-4000-8000-000000000001 from=+254700000001 to=21512 at=2026-03-04T06:04:45.000Z ids repeat: STOP"]),
    ("inbound_raw_unencoded_plus_millis.txt", Inbound, &["inbound id=ec9adc86-0000-4000-8000-000000000009 from=+254700000001 to=21512 at=2026-03-04T06:04:45.123Z ids repeat: Msg"]),
    ("inbound_space_date.txt", Inbound, &["inbound id=ec9adc86-0000-4000-8000-000000000001 from=+254700000001 to=21512 at=2026-03-04T06:04:45.000Z ids repeat: Msg"]),
    ("inbound_stop_sentence_not_optout.txt", Inbound, &["inbound id=ec9adc86-0000-4000-8000-000000000001 from=+254700000001 to=21512 at=2026-03-04T06:04:45.000Z ids repeat: please do not stop the reminders"]),
    ("inbound_unicode_emoji.txt", Inbound, &["inbound id=ec9adc86-0000-4000-8000-000000000004 from=+254700000001 to=21512 at=2026-03-04T06:04:45.000Z ids repeat: Asante sana 😊 👍🏾"]),
    ("inbound_unicode_french.txt", Inbound, &["inbound id=ec9adc86-0000-4000-8000-000000000003 from=+221700000001 to=21512 at=2026-03-04T06:04:45.000Z ids repeat: Arrêt"]),
    ("optout.txt", OptOuts, &["opt-out +254700000001 from MYCLINIC"]),
    ("optout_missing_phone.txt", OptOuts, &["unrecognised: the field \"phoneNumber\" is missing or empty"]),
    ("subscription_addition.txt", Subscriptions, &["addition +254700000001 21512 health"]),
    ("subscription_deletion.txt", Subscriptions, &["deletion +254700000001 21512 health"]),
    // Answers of the inbox: no callbacks.
    ("fetch_inbox_200.json", Reports, &["unsupported media type"]),
    ("fetch_inbox_empty_200.json", Reports, &["unsupported media type"]),
];

#[test]
fn every_fixture_becomes_what_the_table_says() {
    check("africastalking", TABLE);
}

#[test]
fn a_failure_reason_has_the_class_of_its_kind() {
    for (reason, class) in [
        ("UserDoesNotExist", "permanent_number"),
        ("UserAccountSuspended", "permanent_number"),
        ("UserIsInactive", "permanent_number"),
        ("UserInBlackList", "consent"),
        ("UserInBlacklist", "consent"),
        ("NotNetworkSubcriber", "temporary"),
        ("NotNetworkSubscriber", "temporary"),
        ("DoNotDisturbRejection", "temporary"),
        ("InsufficientCredit", "credit"),
        ("InvalidLinkId", "unknown"),
        ("UserNotSubscribedToProduct", "unknown"),
    ] {
        let body = format!("id=1&status=Failed&failureReason={reason}");
        let expected = format!("Failed means failed id=1 reason={reason} class={class}");
        assert_eq!(said(Reports, &body), [expected]);
    }
}

#[test]
fn an_impossible_phone_number_or_time_is_no_reason_to_refuse() {
    assert_eq!(
        said(Reports, "id=1&status=Success&phoneNumber=not+a+number"),
        ["Success means delivered id=1 to=not a number"]
    );
    assert_eq!(
        said(Inbound, "id=1&text=x&from=%2B1&to=2&date=yesterday"),
        ["inbound id=1 from=+1 to=2 at=none ids repeat: x"]
    );
}

#[test]
fn an_inbound_message_may_come_without_an_id() {
    let body = "text=Hi&from=%2B254700000001&to=21512&date=2026-03-04+06:04:45";
    assert_eq!(
        said(Inbound, body),
        ["inbound id=none from=+254700000001 to=21512 at=2026-03-04T06:04:45.000Z ids repeat: Hi"]
    );
}

#[test]
fn ids_are_taken_exactly() {
    assert_eq!(
        said(Reports, "id=+007+&status=Sent"),
        ["Sent means sent id= 007 "]
    );
}

#[test]
fn an_empty_body_and_a_callback_of_another_kind_are_unrecognised() {
    for (kind, body) in [
        (Reports, ""),
        (Reports, "senderId=MYCLINIC&phoneNumber=%2B254700000001"),
        (OptOuts, "id=1&status=Sent&phoneNumber=%2B254700000001"),
        (
            Subscriptions,
            "phoneNumber=%2B254700000001&shortCode=1&keyword=health",
        ),
        (Inbound, "id=1&text=x&to=2"),
        (Inbound, "id=1&text=x&from=2"),
    ] {
        assert!(
            said(kind, body)[0].starts_with("unrecognised: the field "),
            "{body}"
        );
    }
}

fn said(kind: Kind, body: &str) -> Vec<String> {
    let body = Body {
        media_type: MediaType::Form,
        bytes: body.as_bytes(),
    };
    outcome(find("africastalking").parse(kind, body))
}
