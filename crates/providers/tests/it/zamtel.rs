//! Zamtel: every fixture, in the format we propose, and what it is told.

use crate::table::{Line, check, find, outcome};
use domain::callback::Kind::{Inbound, OptOuts, Reports, Subscriptions};
use tidings_providers::{Answer, Body, MediaType};

/// The first two are answers of Zamtel's sending interface, which nobody posts.
#[rustfmt::skip]
const TABLE: &[Line] = &[
    ("CLIENT_INFERRED_balance_200.json", Reports, &["unrecognised: one of the fields \"messageId\" and \"clientRef\" is required"]),
    ("CLIENT_INFERRED_send_202.json", Reports, &["unrecognised: one of the fields \"messageId\" and \"clientRef\" is required"]),
    ("PROPOSED_dlr_acceptd.json", Reports, &["ACCEPTD means sent id=zam-000001 ref=msg-0001 to=+260950000001 at=2026-05-01T10:15:00.000Z"]),
    ("PROPOSED_dlr_delivrd.json", Reports, &["DELIVRD means delivered id=zam-000001 ref=msg-0001 to=+260950000001 at=2026-05-01T10:15:30.000Z"]),
    ("PROPOSED_dlr_delivrd_repeated.json", Reports, &["DELIVRD means delivered id=zam-000001 ref=msg-0001 to=+260950000001 at=2026-05-01T10:15:30.000Z"]),
    ("PROPOSED_dlr_enroute.json", Reports, &["ENROUTE means sent id=zam-000001 ref=msg-0001 to=+260950000001 at=2026-05-01T10:15:00.000Z"]),
    ("PROPOSED_dlr_expired.json", Reports, &["EXPIRED means expired id=zam-000001 ref=msg-0001 to=+260950000001 at=2026-05-01T10:15:30.000Z"]),
    ("PROPOSED_dlr_form.txt", Reports, &["DELIVRD means delivered id=zam-000001 ref=msg-0001 to=+260950000001 at=2026-05-01T10:15:30.000Z"]),
    ("PROPOSED_dlr_local_number.json", Reports, &["DELIVRD means delivered id=zam-000001 ref=msg-0001 to=0950000001 at=2026-05-01T10:15:30.000Z"]),
    ("PROPOSED_dlr_minimal.json", Reports, &["DELIVRD means delivered id=zam-000001"]),
    ("PROPOSED_dlr_part1of2.json", Reports, &["DELIVRD means delivered id=zam-000001 ref=msg-0001 to=+260950000001 part=1 at=2026-05-01T10:15:30.000Z"]),
    ("PROPOSED_dlr_part2of2_undeliv.json", Reports, &["UNDELIV means failed id=zam-000001 ref=msg-0001 to=+260950000001 part=2 at=2026-05-01T10:15:30.000Z reason=027 class=unknown"]),
    ("PROPOSED_dlr_rejectd.json", Reports, &["REJECTD means rejected id=zam-000001 ref=msg-0001 to=+260950000001 at=2026-05-01T10:15:30.000Z reason=011 class=unknown"]),
    ("PROPOSED_dlr_undeliv.json", Reports, &["UNDELIV means failed id=zam-000001 ref=msg-0001 to=+260950000001 at=2026-05-01T10:15:30.000Z reason=027 class=unknown"]),
    ("PROPOSED_dlr_unknown.json", Reports, &["UNKNOWN means unknown id=zam-000001 ref=msg-0001 to=+260950000001 at=2026-05-01T10:15:30.000Z"]),
    ("PROPOSED_inbound.json", Inbound, &["inbound id=zam-mo-1 from=+260950000001 to=4455 at=2026-05-01T10:20:00.000Z: LEKA"]),
];

#[test]
fn every_fixture_becomes_what_the_table_says() {
    check("zamtel", TABLE);
}

#[test]
fn zamtel_sends_json_or_a_form_and_is_told_ok() {
    let zamtel = find("zamtel");
    assert_eq!(zamtel.media_type(None), Some(MediaType::Json));
    let form = Some("application/x-www-form-urlencoded");
    assert_eq!(zamtel.media_type(form), Some(MediaType::Form));
    assert_eq!(zamtel.media_type(Some("text/html")), None);
    for kind in [Reports, Inbound] {
        assert_eq!(zamtel.answer(kind), Answer::StandardWithOk);
    }
}

#[test]
fn zamtel_has_reports_and_inbound_only() {
    let zamtel = find("zamtel");
    assert_eq!(zamtel.kinds(), [Reports, Inbound]);
    for kind in [OptOuts, Subscriptions] {
        let body = Body {
            media_type: MediaType::Json,
            bytes: br#"{"messageId":"1","status":"DELIVRD"}"#,
        };
        assert_eq!(
            outcome(zamtel.parse(kind, body)),
            [format!(
                "unrecognised: zamtel has no callbacks of kind {kind}"
            )]
        );
    }
}
