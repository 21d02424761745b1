use super::*;
use crate::erasure::BLANK;
use crate::report::tests::report;
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::from_millis(1_000_000);

#[test]
fn a_person_is_believed_only_where_it_would_win_unless_it_is_forced() {
    let mut message = message(1, "+254700000001");
    let later = NOW.plus(std::time::Duration::from_secs(9));
    message.apply(&report("DELIVRD", Some(State::Delivered)), 1, NOW);
    assert_eq!(message.rule(State::Failed, false, later), None);
    let ruled = message.rule(State::Failed, true, later).unwrap();
    let transition = ruled.transition.unwrap();
    assert_eq!(
        (transition.from, transition.to),
        (State::Delivered, State::Failed)
    );
    assert_eq!(message.delivered_at, None);
    // What a provider says from then on is history, and so is a person who does not force it.
    let again = message.apply(&report("DELIVRD", Some(State::Delivered)), 1, later);
    assert_eq!(again.outcome, Outcome::Stale);
    assert_eq!(message.rule(State::Delivered, false, later), None);
    let ruled = message.rule(State::Delivered, true, later).unwrap();
    assert_eq!(ruled.transition.unwrap().number, 3);
    assert_eq!(message.delivered_at, Some(later));
}

#[test]
fn a_person_corrects_a_failure_with_another_and_tells_no_conflict() {
    let mut message = message(1, "+254700000001");
    message.apply(&report("EXPIRED", Some(State::Expired)), 1, NOW);
    let ruled = message.rule(State::Rejected, false, NOW).unwrap();
    assert_eq!(message.state(), State::Rejected);
    assert!(ruled.conflicts.is_empty());
    assert_eq!(message.failure_reason, None);
    let same = message.rule(State::Rejected, true, NOW).unwrap();
    assert_eq!(
        same.transition, None,
        "nothing changed that anybody would be told"
    );
}

#[test]
fn the_parts_of_a_message_are_told_as_they_come_and_corrected_by_a_later_delivery() {
    let mut message = message(1, "+254700000001");
    message.registration.parts = 2;
    let of = |part, state| Report {
        part: Some(part),
        failure_reason: (state == State::Failed).then(|| "no credit".to_owned()),
        ..said(state)
    };
    let first = message.apply(&of(1, State::Delivered), 1, NOW);
    assert!(first.is_partial);
    assert_eq!(
        (message.state(), message.parts_delivered()),
        (State::Sent, 1)
    );
    assert_eq!(message.delivered_at, None);
    let failed = message.apply(&of(2, State::Failed), 1, NOW);
    assert!(!failed.is_partial && failed.conflicts.is_empty());
    assert_eq!(message.failure_reason.as_deref(), Some("no credit"));
    message.apply(&of(2, State::Sent), 1, NOW);
    assert_eq!(message.state(), State::Failed);
    assert_eq!(message.failure_reason.as_deref(), Some("no credit"));
    let corrected = message.apply(&of(2, State::Delivered), 1, NOW);
    let transition = corrected.transition.unwrap();
    assert_eq!(
        (transition.from, transition.to),
        (State::Failed, State::Delivered)
    );
    assert!(!corrected.is_partial, "all are there: that is told already");
    assert_eq!(
        (message.parts_delivered(), message.delivered_at),
        (2, Some(NOW))
    );
    assert_eq!(message.failure_reason, None);
    // A number that the message does not have speaks for all of it.
    let beyond = message.apply(&of(7, State::Delivered), 1, NOW);
    assert_eq!(beyond.transition, None);
}

fn second(account: u128, id: Option<&str>, reference: Option<&str>) -> SendAttempt {
    SendAttempt {
        number: 2,
        account_id: AccountId(uuid::Uuid::from_u128(account)),
        provider_account: "other".parse().unwrap(),
        provider: "orange".to_owned(),
        provider_message_id: id.map(str::to_owned),
        client_reference: reference.map(str::to_owned),
        created_at: NOW,
    }
}

#[test]
fn a_new_send_attempt_makes_a_message_pending_unless_it_is_delivered_or_forced() {
    let again = |message: &mut Message| message.send_again(second(2, Some("m-2"), None), NOW);
    let mut failed = message(1, "+254700000001");
    let reported = Report {
        failure_reason: Some("no credit".to_owned()),
        ..said(State::Failed)
    };
    failed.apply(&reported, 1, NOW);
    let transition = again(&mut failed).unwrap();
    assert_eq!(
        (transition.from, transition.to, transition.number),
        (State::Failed, State::Pending, 2)
    );
    assert_eq!(
        (failed.failure_reason.as_deref(), failed.send_attempt),
        (None, 2)
    );
    let told_again = failed.apply(&said(State::Failed), 2, NOW);
    assert_eq!(told_again.transition.map(|told| told.number), Some(3));
    let mut delivered = message(1, "+254700000001");
    delivered.apply(&said(State::Delivered), 1, NOW);
    assert_eq!(again(&mut delivered), None);
    assert_eq!(delivered.state(), State::Delivered);
    let mut forced = message(1, "+254700000001");
    forced.rule(State::Rejected, true, NOW);
    assert_eq!(again(&mut forced), None);
    assert_eq!(forced.state(), State::Rejected);
}

#[test]
fn a_report_of_an_earlier_attempt_changes_nothing_but_that_it_was_delivered() {
    let mut message = message(1, "+254700000001");
    message.send_again(second(2, Some("m-2"), None), NOW);
    message.apply(&said(State::Sent), 2, NOW);
    for state in [State::Sent, State::Unknown, State::Failed, State::Rejected] {
        let late = message.apply(&said(state), 1, NOW);
        assert_eq!((late.outcome, late.transition), (Outcome::Stale, None));
    }
    let late = message.apply(&said(State::Delivered), 1, NOW);
    assert_eq!(late.transition.map(|told| told.to), Some(State::Delivered));
    assert_eq!(late.conflicts.len(), 2, "of the first attempt alone");
    assert_eq!(message.standing.send_attempt, 1);
    assert!(
        message
            .apply(&said(State::Failed), 2, NOW)
            .conflicts
            .is_empty()
    );
}

#[test]
fn the_parts_of_a_message_that_were_not_delivered_are_sent_again() {
    let mut message = message(1, "+254700000001");
    message.registration.parts = 2;
    let of = |part, state| Report {
        part: Some(part),
        ..said(state)
    };
    message.apply(&of(1, State::Delivered), 1, NOW);
    message.apply(&of(2, State::Failed), 1, NOW);
    message.send_again(second(2, Some("m-2"), None), NOW);
    assert_eq!(
        (message.state(), message.parts_delivered()),
        (State::Pending, 1)
    );
    message.apply(&of(2, State::Delivered), 2, NOW);
    assert_eq!(
        (message.state(), message.parts_delivered()),
        (State::Delivered, 2)
    );
}

#[test]
fn a_report_is_about_the_attempt_whose_ids_it_names() {
    let mut sent_twice = message(1, "+254700000001");
    sent_twice.send_again(second(2, Some("m-2"), None), NOW);
    sent_twice.send_again(
        SendAttempt {
            number: 3,
            ..second(1, Some("m-3"), Some("r-1"))
        },
        NOW,
    );
    let find = |account: u128, id: Option<&str>, reference: Option<&str>| {
        let report = Report {
            provider_message_id: id.map(str::to_owned),
            client_reference: reference.map(str::to_owned),
            ..said(State::Sent)
        };
        let account = AccountId(uuid::Uuid::from_u128(account));
        find_match([&sent_twice].into_iter(), account, &report).map(|found| found.send_attempt)
    };
    assert_eq!(find(1, Some("m-1"), None), Some(1));
    assert_eq!(find(2, Some("m-2"), None), Some(2));
    assert_eq!(find(1, Some("m-2"), None), None, "through another account");
    assert_eq!(find(1, Some("m-3"), None), Some(3));
    assert_eq!(find(1, None, Some("r-1")), Some(3), "the newest with it");
    assert_eq!(find(1, Some("m-1"), Some("r-1")), Some(1));
}

fn message(id: u128, to: &str) -> Message {
    let registration = Registration {
        account_id: AccountId(uuid::Uuid::from_u128(1)),
        provider_account: "clinic".parse().unwrap(),
        provider: "stub".to_owned(),
        provider_message_id: Some("m-1".to_owned()),
        client_reference: Some("r-1".to_owned()),
        to: to.to_owned(),
        from: None,
        notification_id: None,
        parts: 1,
        cost: None,
        metadata: None,
        environment: Environment::default(),
    };
    let id = MessageId(uuid::Uuid::from_u128(id));
    Message::register(id, TenantId::PLATFORM, registration, NOW)
}

fn said(state: State) -> Report {
    report(state.as_str(), Some(state))
}

#[test]
fn a_late_sent_does_not_undo_delivered() {
    let mut message = message(1, "+254700000001");
    assert!(
        message
            .apply(&said(State::Delivered), 1, NOW)
            .transition
            .is_some()
    );
    let late = message.apply(&said(State::Sent), 1, NOW);
    assert_eq!((late.outcome, late.transition), (Outcome::Stale, None));
    assert_eq!(message.state(), State::Delivered);
}

#[test]
fn a_word_that_is_not_listed_changes_nothing() {
    let mut message = message(1, "+254700000001");
    let before = message.clone();
    assert_eq!(
        message.apply(&report("Teleported", None), 1, NOW).outcome,
        Outcome::Unmapped
    );
    assert_eq!(message, before);
}

#[test]
fn each_pair_of_contradicting_states_is_noticed_once() {
    let mut message = message(1, "+254700000001");
    assert!(
        message
            .apply(&said(State::Failed), 1, NOW)
            .conflicts
            .is_empty()
    );
    let delivered = message.apply(&said(State::Delivered), 1, NOW).conflicts;
    assert_eq!(delivered, [[State::Failed, State::Delivered]]);
    assert!(
        message
            .apply(&said(State::Delivered), 1, NOW)
            .conflicts
            .is_empty()
    );
    let rejected = message.apply(&said(State::Rejected), 1, NOW).conflicts;
    assert_eq!(
        rejected,
        [
            [State::Delivered, State::Rejected],
            [State::Failed, State::Rejected]
        ]
    );
}

#[test]
fn a_temporary_failure_before_delivery_is_no_contradiction() {
    let mut message = message(1, "+254700000001");
    let absent = Report {
        is_temporary: true,
        ..said(State::Failed)
    };
    assert!(message.apply(&absent, 1, NOW).conflicts.is_empty());
    assert!(
        message
            .apply(&said(State::Delivered), 1, NOW)
            .conflicts
            .is_empty()
    );
}

#[test]
fn times_are_the_providers_where_it_tells_one() {
    let mut message = message(1, "+254700000001");
    let told = Timestamp::from_millis(999_000);
    message.apply(
        &Report {
            provider_time: Some(told),
            ..said(State::Sent)
        },
        1,
        NOW,
    );
    message.apply(
        &said(State::Delivered),
        1,
        NOW.plus(std::time::Duration::from_secs(2)),
    );
    assert_eq!(message.sent_at, Some(told));
    assert_eq!(message.delivery_duration_ms(), Some(2_000));
}

#[test]
fn a_report_finds_its_message_by_id_then_reference_and_by_recipient_where_many_share_an_id() {
    let account = AccountId(uuid::Uuid::from_u128(1));
    let messages = [message(1, "+254700000001"), message(2, "+254700000002")];
    let find = |report: &Report| {
        find_match(messages.iter(), account, report).map(|found| found.message.0.as_u128())
    };
    let plain = said(State::Sent);
    assert_eq!(find(&plain), Some(1));
    assert_eq!(
        find(&Report {
            recipient: Some("tel:+254700000002".into()),
            ..plain.clone()
        }),
        Some(2)
    );
    assert_eq!(
        find(&Report {
            recipient: Some("+254700000003".into()),
            ..plain.clone()
        }),
        None
    );
    assert_eq!(
        find(&Report {
            recipient: None,
            ..plain.clone()
        }),
        None
    );
    let by_reference = Report {
        provider_message_id: Some("other".into()),
        client_reference: Some("r-1".into()),
        ..plain.clone()
    };
    assert_eq!(find(&by_reference), Some(1));
    let one = &messages[..1];
    let unknown_recipient = Report {
        recipient: Some("0700 000 001".into()),
        ..plain
    };
    assert!(find_match(one.iter(), account, &unknown_recipient).is_some());
    assert!(
        find_match(
            one.iter(),
            AccountId(uuid::Uuid::from_u128(9)),
            &unknown_recipient
        )
        .is_none()
    );
}

#[test]
fn a_report_finds_a_message_whose_number_was_erased_where_no_other_is_named() {
    let account = AccountId(uuid::Uuid::from_u128(1));
    let messages = [message(1, "+254700000001"), message(2, BLANK)];
    let find = |number: &str| {
        let mut report = said(State::Sent);
        report.recipient = Some(number.to_owned());
        find_match(messages.iter(), account, &report).map(|found| found.message.0.as_u128())
    };
    assert_eq!(find("+254700000001"), Some(1));
    assert_eq!(find("+254700000002"), Some(2));
}

#[test]
fn what_a_message_cost_is_what_was_said_last_and_counted() {
    let cost = |amount| Cost::new(amount, "KES").ok();
    let mut message = message(1, "+254700000001");
    message.registration.cost = cost("0.80");
    assert_eq!(message.cost(), cost("0.80").as_ref());
    let told = Report {
        cost: cost("0.7500"),
        ..said(State::Delivered)
    };
    message.apply(&told, 1, NOW);
    let late = Report {
        cost: cost("9"),
        ..said(State::Sent)
    };
    message.apply(&late, 1, NOW);
    assert_eq!(message.cost(), cost("0.7500").as_ref());
    assert_eq!(message.registration.cost, cost("0.80"));
}

proptest! {
    #[test]
    fn any_order_and_duplication_ends_the_same_and_never_tells_backwards(
        reports in proptest::collection::vec(
            (0usize..6, proptest::option::of(0i64..4)), 1..7),
        shuffle in any::<proptest::sample::Index>(),
    ) {
        let reports: Vec<Report> = reports.into_iter().map(|(state, time)| Report {
            provider_time: time.map(Timestamp::from_millis),
            ..said(State::ALL[state + 1])
        }).collect();
        let mut other_order = reports.clone();
        other_order.rotate_left(shuffle.index(reports.len()));
        other_order.reverse();
        other_order.extend(reports.clone());

        let end = |order: &[Report]| {
            let mut message = message(1, "+254700000001");
            let mut told = Vec::new();
            for report in order {
                let before = message.standing;
                let applied = message.apply(report, 1, NOW);
                prop_assert!(message.standing >= before);
                told.extend(applied.transition);
            }
            for (index, transition) in told.iter().enumerate() {
                prop_assert_eq!(transition.number as usize, index + 1);
                prop_assert_ne!(transition.from, transition.to);
            }
            Ok((message.standing, message.decided_seen))
        };
        prop_assert_eq!(end(&reports)?, end(&other_order)?);
    }
}
