//! Airtel: every fixture, in the format we propose, and what it is told.

use crate::table::{Line, check, find};
use domain::callback::Kind::{Inbound, Reports};
use tidings_providers::{Answer, MediaType};

/// The first is an answer of Airtel IQ in India, which nobody posts.
#[rustfmt::skip]
const TABLE: &[Line] = &[
    ("CLIENT_INFERRED_iq_india_send_200.json", Reports, &["unrecognised: one of the fields \"messageId\" and \"clientRef\" is required"]),
    ("PROPOSED_dlr_acceptd.json", Reports, &["ACCEPTD means sent id=air-000001 ref=msg-0001 to=+260970000001 at=2026-05-01T10:15:00.000Z"]),
    ("PROPOSED_dlr_clientref_only.json", Reports, &["DELIVRD means delivered ref=msg-0001 to=+260970000001"]),
    ("PROPOSED_dlr_delivrd.json", Reports, &["DELIVRD means delivered id=air-000001 ref=msg-0001 to=+260970000001 at=2026-05-01T10:15:30.000Z"]),
    ("PROPOSED_dlr_delivrd_repeated.json", Reports, &["DELIVRD means delivered id=air-000001 ref=msg-0001 to=+260970000001 at=2026-05-01T10:15:30.000Z"]),
    ("PROPOSED_dlr_enroute.json", Reports, &["ENROUTE means sent id=air-000001 ref=msg-0001 to=+260970000001 at=2026-05-01T10:15:00.000Z"]),
    ("PROPOSED_dlr_expired.json", Reports, &["EXPIRED means expired id=air-000001 ref=msg-0001 to=+260970000001 at=2026-05-01T10:15:30.000Z"]),
    ("PROPOSED_dlr_minimal.json", Reports, &["DELIVRD means delivered id=air-000001"]),
    ("PROPOSED_dlr_part1of2.json", Reports, &["DELIVRD means delivered id=air-000001 ref=msg-0001 to=+260970000001 part=1 at=2026-05-01T10:15:30.000Z"]),
    ("PROPOSED_dlr_rejectd.json", Reports, &["REJECTD means rejected id=air-000001 ref=msg-0001 to=+260970000001 at=2026-05-01T10:15:30.000Z reason=011 class=unknown"]),
    ("PROPOSED_dlr_undeliv.json", Reports, &["UNDELIV means failed id=air-000001 ref=msg-0001 to=+260970000001 at=2026-05-01T10:15:30.000Z reason=027 class=unknown"]),
    ("PROPOSED_dlr_unknown.json", Reports, &["UNKNOWN means unknown id=air-000001 ref=msg-0001 to=+260970000001 at=2026-05-01T10:15:30.000Z"]),
    ("PROPOSED_dlr_unlisted_status.json", Reports, &["ZZZZ means nothing id=air-000001 ref=msg-0001 to=+260970000001 at=2026-05-01T10:15:30.000Z"]),
    ("PROPOSED_inbound.json", Inbound, &["inbound id=air-mo-1 from=+260970000001 to=4455 at=2026-05-01T10:20:00.000Z: LEKA"]),
];

#[test]
fn every_fixture_becomes_what_the_table_says() {
    check("airtel", TABLE);
}

#[test]
fn airtel_sends_json_or_a_form_and_is_told_ok() {
    let airtel = find("airtel");
    assert_eq!(airtel.kinds(), [Reports, Inbound]);
    assert_eq!(airtel.media_type(None), Some(MediaType::Json));
    let form = Some("application/x-www-form-urlencoded");
    assert_eq!(airtel.media_type(form), Some(MediaType::Form));
    assert_eq!(airtel.media_type(Some("text/plain")), None);
    let id = "cb_0000000000000000000000000a".parse().unwrap();
    for kind in [Reports, Inbound] {
        let answer = airtel.answer(kind);
        assert_eq!(answer, Answer::StandardWithOk);
        assert_eq!(answer.content_type(), "application/json");
        assert_eq!(
            answer.body(id),
            r#"{"status":"accepted","callback_id":"cb_0000000000000000000000000a","event_id":"cb_0000000000000000000000000a","ok":true}"#
        );
    }
}
