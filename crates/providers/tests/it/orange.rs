//! Orange: every fixture, and what the fixtures do not show.

use crate::table::{Line, check, find, outcome};
use domain::callback::Kind::{self, Inbound, Reports};
use tidings_providers::{Body, MediaType};

const MERCI: &str = "inbound id=none from=tel:+2250700000001 to=+2257839 at=2026-04-15T07:40:13.000Z: Merci 🙏 Merci 🙏 Merci 🙏 Merci 🙏 Merci 🙏 Merci 🙏 Merci 🙏 Merci 🙏 Merci 🙏 Merci 🙏 Merci 🙏 Merci 🙏 Merci 🙏 Merci 🙏 Merci 🙏 Merci 🙏 Merci 🙏 Merci 🙏 Merci 🙏 Merci 🙏 Merci 🙏 Merci 🙏 Merci 🙏 Merci 🙏 Merci 🙏 Merci 🙏 Merci 🙏 Merci 🙏 Merci 🙏 Merci 🙏 Merci 🙏 Merci 🙏 Merci 🙏 Merci 🙏 Merci 🙏 Merci 🙏 Merci 🙏 Merci 🙏 Merci 🙏 Merci 🙏 ";

#[rustfmt::skip]
const TABLE: &[Line] = &[
    ("dlr_callbackdata_empty.json", Reports, &["unrecognised: the field \"callbackData\" is missing or empty"]),
    ("dlr_callbackdata_missing.json", Reports, &["unrecognised: the field \"callbackData\" is missing or empty"]),
    ("dlr_deliveredtonetwork.json", Reports, &["DeliveredToNetwork means sent id=9d523078-1d3d-4c90-8984-000000000001 ref=9d523078-1d3d-4c90-8984-000000000001 to=tel:+2250700000001"]),
    ("dlr_deliveredtoterminal.json", Reports, &["DeliveredToTerminal means delivered id=9d523078-1d3d-4c90-8984-000000000001 ref=9d523078-1d3d-4c90-8984-000000000001 to=tel:+2250700000001"]),
    ("dlr_deliveredtoterminal_repeated.json", Reports, &["DeliveredToTerminal means delivered id=9d523078-1d3d-4c90-8984-000000000001 ref=9d523078-1d3d-4c90-8984-000000000001 to=tel:+2250700000001"]),
    ("dlr_deliveryimpossible.json", Reports, &["DeliveryImpossible means failed id=9d523078-1d3d-4c90-8984-000000000001 ref=9d523078-1d3d-4c90-8984-000000000001 to=tel:+2250700000001"]),
    ("dlr_deliveryuncertain.json", Reports, &["DeliveryUncertain means unknown id=9d523078-1d3d-4c90-8984-000000000001 ref=9d523078-1d3d-4c90-8984-000000000001 to=tel:+2250700000001"]),
    ("dlr_empty_batch.json", Reports, &[]),
    ("dlr_messagewaiting.json", Reports, &["MessageWaiting means sent id=9d523078-1d3d-4c90-8984-000000000001 ref=9d523078-1d3d-4c90-8984-000000000001 to=tel:+2250700000001"]),
    ("dlr_missing_status.json", Reports, &["unrecognised: deliveryInfo[0]: the field \"deliveryStatus\" is missing or empty"]),
    ("dlr_not_a_dr.json", Reports, &["unrecognised: neither \"deliveryInfoNotification\" nor \"inboundSMSMessageNotification\" is there"]),
    ("dlr_oneapi_batch_array.json", Reports, &[
        "DeliveredToTerminal means delivered id=9d523078-1d3d-4c90-8984-000000000002 ref=9d523078-1d3d-4c90-8984-000000000002 to=tel:+2250700000001",
        "MessageWaiting means sent id=9d523078-1d3d-4c90-8984-000000000002 ref=9d523078-1d3d-4c90-8984-000000000002 to=tel:+2250700000002",
    ]),
    ("dlr_sdp_client_callbackdata.json", Reports, &["DeliveredToTerminal means delivered id=my-own-message-id-1 ref=my-own-message-id-1 to=tel:+2250700000001"]),
    ("dlr_unknown_status.json", Reports, &["DeliveredToGateway means nothing id=9d523078-1d3d-4c90-8984-000000000001 ref=9d523078-1d3d-4c90-8984-000000000001 to=tel:+2250700000001"]),
    ("dlr_waiting_after_delivered_out_of_order.json", Reports, &["MessageWaiting means sent id=9d523078-1d3d-4c90-8984-000000000001 ref=9d523078-1d3d-4c90-8984-000000000001 to=tel:+2250700000001"]),
    ("inbound_arabic.json", Inbound, &["inbound id=none from=tel:+21620000001 to=+21685000 at=2026-04-15T07:40:13.000Z: ايقاف"]),
    ("inbound_basic.json", Inbound, &["inbound id=none from=tel:+2250700000001 to=+2257839 at=2026-04-15T07:40:13.000Z: BEGIN Test éèà@ END"]),
    ("inbound_emoji_long.json", Inbound, &[MERCI]),
    ("inbound_missing_message.json", Inbound, &["unrecognised: inboundSMSMessage[0]: the field \"message\" is missing or empty"]),
    ("inbound_repeated.json", Inbound, &["inbound id=none from=tel:+2250700000001 to=+2257839 at=2026-04-15T07:40:13.000Z: BEGIN Test éèà@ END"]),
    ("inbound_sender_without_tel.json", Inbound, &["inbound id=none from=+2250700000001 to=tel:+2257839 at=2026-04-15T07:40:13.000Z: STOP"]),
    ("inbound_with_messageid.json", Inbound, &["inbound id=mo-0001 from=tel:+2250700000001 to=+2257839 at=2026-04-15T07:40:13.000Z: STOP"]),
    // Answers to what Orange and others are asked: no callbacks.
    ("UNVERIFIED_oneapi_deliveryinfos_query_200.json", Reports, &["unrecognised: neither \"deliveryInfoNotification\" nor \"inboundSMSMessageNotification\" is there"]),
    ("error_policy_exception.json", Reports, &["unrecognised: neither \"deliveryInfoNotification\" nor \"inboundSMSMessageNotification\" is there"]),
    ("error_service_exception.json", Reports, &["unrecognised: neither \"deliveryInfoNotification\" nor \"inboundSMSMessageNotification\" is there"]),
    ("token_v2_legacy_200.json", Reports, &["unrecognised: neither \"deliveryInfoNotification\" nor \"inboundSMSMessageNotification\" is there"]),
    ("token_v3_200.json", Reports, &["unrecognised: neither \"deliveryInfoNotification\" nor \"inboundSMSMessageNotification\" is there"]),
];

#[test]
fn every_fixture_becomes_what_the_table_says() {
    check("orange", TABLE);
}

#[test]
fn the_payload_decides_between_reports_and_inbound_on_either_url() {
    let swapped: Vec<Line> = TABLE
        .iter()
        .map(|(file, kind, expected)| {
            (
                *file,
                if *kind == Reports { Inbound } else { Reports },
                *expected,
            )
        })
        .collect();
    check("orange", &swapped);
}

#[test]
fn a_batch_with_one_unreadable_entry_is_refused_as_a_whole() {
    let body = r#"{"deliveryInfoNotification":{"callbackData":"1","deliveryInfo":[
        {"address":"tel:+2250700000001","deliveryStatus":"MessageWaiting"},{"address":"tel:+2250700000002"}]}}"#;
    assert_eq!(
        said(Reports, body),
        ["unrecognised: deliveryInfo[1]: the field \"deliveryStatus\" is missing or empty"]
    );
}

#[test]
fn an_envelope_of_another_shape_is_unrecognised() {
    for body in [
        r#"{"deliveryInfoNotification":null}"#,
        r#"{"deliveryInfoNotification":"x"}"#,
        r#"{"deliveryInfoNotification":{"callbackData":"1"}}"#,
        r#"{"deliveryInfoNotification":{"callbackData":"1","deliveryInfo":"x"}}"#,
        r#"{"deliveryInfoNotification":{"callbackData":"1","deliveryInfo":[1]}}"#,
        r#"{"deliveryInfoNotification":{"callbackData":{},"deliveryInfo":{"deliveryStatus":"x"}}}"#,
        r#"{"inboundSMSMessageNotification":{}}"#,
        r#"{"deliveryInfoNotification":{},"inboundSMSMessageNotification":{}}"#,
        r#"[{"deliveryInfoNotification":{"callbackData":"1","deliveryInfo":[]}}]"#,
    ] {
        assert!(
            said(Reports, body)[0].starts_with("unrecognised: "),
            "{body}"
        );
    }
}

#[test]
fn more_entries_than_any_batch_has_are_unrecognised() {
    let entry = r#"{"deliveryStatus":"MessageWaiting"}"#;
    let body = |count| {
        let entries = vec![entry; count].join(",");
        format!(
            r#"{{"deliveryInfoNotification":{{"callbackData":"1","deliveryInfo":[{entries}]}}}}"#
        )
    };
    assert_eq!(said(Reports, &body(5_000)).len(), 5_000);
    assert_eq!(
        said(Reports, &body(5_001)),
        ["unrecognised: \"deliveryInfo\" has more than 5000 entries"]
    );
}

#[test]
fn extra_fields_numbers_and_a_missing_address_are_fine() {
    let body = r#"{"x":[{}],"deliveryInfoNotification":{"y":null,"callbackData":7,
        "deliveryInfo":{"deliveryStatus":"DeliveryImpossible","z":{"address":"no"}}}}"#;
    assert_eq!(
        said(Reports, body),
        ["DeliveryImpossible means failed id=7 ref=7"]
    );
}

fn said(kind: Kind, body: &str) -> Vec<String> {
    let body = Body {
        media_type: MediaType::Json,
        bytes: body.as_bytes(),
    };
    outcome(find("orange").parse(kind, body))
}
