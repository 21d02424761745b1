//! The state of a message against a model that knows nothing of how it is kept: the greatest of all that
//! was said, looked for naively, whatever the order in which it was said.

use crate::Dice;
use std::collections::BTreeSet;
use std::thread;
use tidings_domain::account::Environment;
use tidings_domain::id::{AccountId, MessageId, TenantId};
use tidings_domain::message::{Applied, Message, Registration, Transition};
use tidings_domain::report::Report;
use tidings_domain::send_attempt::SendAttempt;
use tidings_domain::{State, Timestamp};

const SETS: u64 = 20_000;
const ORDERS: u64 = 50;
/// Later than every time that is told.
const NOW: Timestamp = Timestamp::from_millis(1_000_000);

/// What happens to a message. What is reported of a send attempt that is not registered yet waits for it.
#[derive(Debug, Clone)]
enum Step {
    Report(u32, Box<Report>),
    SendAgain,
    Force(State),
}

/// All that happens to a message of so many parts.
#[derive(Debug)]
struct Set {
    parts: u32,
    steps: Vec<Step>,
}

/// What everything ends in.
#[derive(Debug, PartialEq, Eq)]
struct End {
    state: State,
    parts_delivered: u32,
    send_attempt: u32,
    sent_at: Option<Timestamp>,
    /// By send attempt, both ways round.
    conflicts: BTreeSet<(u32, String)>,
}

#[test]
fn a_million_orders_of_what_is_said_end_as_the_greatest_of_it() {
    let threads = thread::available_parallelism().map_or(2, usize::from) as u64;
    let applied: u64 = thread::scope(|scope| {
        let shares = (0..threads).map(|share| {
            scope.spawn(move || {
                let sets = (0..SETS).filter(|set| set % threads == share);
                sets.map(play).sum::<u64>()
            })
        });
        let shares: Vec<_> = shares.collect();
        shares.into_iter().map(|share| share.join().unwrap()).sum()
    });
    assert_eq!(applied, SETS * ORDERS);
}

/// Applies a set in many orders; in how many.
fn play(seed: u64) -> u64 {
    let set = Set::of(&Dice::of(seed));
    let expected = model(&set);
    let mut shuffle = Shuffle(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let blank = message(set.parts);
    for turn in 0..ORDERS {
        let order = shuffle.order(&set.steps);
        let end = apply(&mut blank.clone(), &order);
        assert_eq!(end, expected, "seed {seed}, turn {turn}: {order:#?}");
    }
    ORDERS
}

impl Set {
    fn of(dice: &Dice) -> Self {
        let parts = [1, 1, 1, 2, 3][dice.index(5)];
        let attempts = [1, 1, 2, 3][dice.index(4)];
        let mut steps: Vec<_> = (1..attempts).map(|_| Step::SendAgain).collect();
        for _ in 0..=dice.below(7) {
            let attempt = 1 + dice.number(attempts);
            steps.push(Step::Report(attempt, Box::new(report(dice, parts))));
        }
        if dice.below(5) == 0 {
            for _ in 0..=dice.below(2) {
                steps.push(Step::Force(State::ALL[1 + dice.index(6)]));
            }
        }
        Self { parts, steps }
    }
}

fn report(dice: &Dice, parts: u32) -> Report {
    let state = State::ALL[dice.index(7)];
    // A word that no table lists.
    let state = (state != State::Pending).then_some(state);
    // One beyond the last part speaks for all of them.
    let part = (dice.below(3) > 0).then(|| 1 + dice.number(parts + 1));
    Report {
        provider_message_id: Some("m-1".to_owned()),
        client_reference: None,
        recipient: None,
        part,
        word: "WORD".to_owned(),
        state,
        is_temporary: state == Some(State::Failed) && dice.below(4) == 0,
        provider_time: (dice.below(2) == 0).then(|| Timestamp::from_millis(dice.number(4).into())),
        failure_reason: None,
        failure_class: None,
        network_code: None,
        cost: None,
        provider_response: None,
    }
}

/// Plays an order, and looks that every change of state follows from the one before.
fn apply(message: &mut Message, order: &[&Step]) -> End {
    let mut waiting: Vec<(u32, &Report)> = Vec::new();
    let mut conflicts = BTreeSet::new();
    let mut told = Told::default();
    for step in order {
        match step {
            Step::Report(attempt, report) if *attempt > message.send_attempt => {
                waiting.push((*attempt, report));
            }
            Step::Report(attempt, report) => {
                hear(message, *attempt, report, &mut told, &mut conflicts);
            }
            Step::SendAgain => {
                let attempt = send_attempt(message.send_attempt + 1);
                let number = attempt.number;
                told.see(message.send_again(attempt, NOW));
                let (joined, others) = waiting.into_iter().partition(|(of, _)| *of == number);
                waiting = others;
                let joined: Vec<(u32, &Report)> = joined;
                for (attempt, report) in joined {
                    hear(message, attempt, report, &mut told, &mut conflicts);
                }
            }
            Step::Force(state) => {
                let ruled = message.rule(*state, true, NOW).unwrap();
                told.see(ruled.transition);
            }
        }
    }
    assert_eq!(told.last, message.state());
    assert!(waiting.is_empty());
    End {
        state: message.state(),
        parts_delivered: message.parts_delivered(),
        send_attempt: message.send_attempt,
        sent_at: message.sent_at,
        conflicts,
    }
}

fn hear(
    message: &mut Message,
    attempt: u32,
    report: &Report,
    told: &mut Told,
    conflicts: &mut BTreeSet<(u32, String)>,
) {
    let before = message.standing;
    let Applied {
        transition,
        conflicts: found,
        ..
    } = message.apply(report, attempt, NOW);
    if message.registration.parts == 1 {
        assert!(message.standing >= before, "a report makes nothing less");
    }
    told.see(transition);
    for pair in found {
        let is_new = conflicts.insert((attempt, both(pair)));
        assert!(is_new, "each conflict is told once");
    }
}

/// The changes of state as they are told.
struct Told {
    number: u32,
    last: State,
}

impl Default for Told {
    fn default() -> Self {
        Self {
            number: 0,
            last: State::Pending,
        }
    }
}

impl Told {
    fn see(&mut self, transition: Option<Transition>) {
        let Some(Transition { number, from, to }) = transition else {
            return;
        };
        assert_eq!((number, from), (self.number + 1, self.last));
        assert_ne!(from, to);
        (self.number, self.last) = (number, to);
    }
}

/// The contract's formula, word for word: the greatest of (override, is delivered, send attempt, rank,
/// provider time with none smallest, ordinal).
type Said = (usize, bool, u32, usize, Option<Timestamp>, usize);

fn said(forced: usize, attempt: u32, state: State, time: Option<Timestamp>) -> Said {
    use State::{Delivered, Expired, Failed, Pending, Rejected, Sent, Unknown};
    let ranks = [
        &[Pending][..],
        &[Sent],
        &[Unknown],
        &[Failed, Expired, Rejected],
        &[Delivered],
    ];
    let rank = ranks.iter().position(|rank| rank.contains(&state)).unwrap();
    let ordinal = ORDINALS.iter().position(|other| *other == state).unwrap();
    (forced, state == Delivered, attempt, rank, time, ordinal)
}

const ORDINALS: [State; 7] = [
    State::Pending,
    State::Sent,
    State::Unknown,
    State::Failed,
    State::Expired,
    State::Rejected,
    State::Delivered,
];

fn model(set: &Set) -> End {
    let attempts = 1 + set
        .steps
        .iter()
        .filter(|step| matches!(step, Step::SendAgain))
        .count();
    let attempts = u32::try_from(attempts).unwrap();
    // What is said of each part, by all who speak of it or of all.
    let (mut of_all, mut of_parts) = (Vec::new(), Vec::new());
    of_all.extend((1..=attempts).map(|attempt| said(0, attempt, State::Pending, None)));
    let mut sent_at = Vec::new();
    let mut decided = Vec::new();
    let mut forced = 0;
    let mut is_newest_heard = false;
    for step in &set.steps {
        match step {
            Step::SendAgain => {}
            Step::Force(state) => {
                forced += 1;
                of_all.push(said(forced, 0, *state, None));
                sent_at.extend((*state == State::Sent).then_some(NOW));
            }
            Step::Report(attempt, report) => {
                let Some(state) = report.state else { continue };
                let standing = said(0, *attempt, state, report.provider_time);
                is_newest_heard |= *attempt == attempts;
                if state == State::Sent {
                    sent_at.push(report.provider_time.unwrap_or(NOW));
                }
                let single = report.part.filter(|part| *part <= set.parts);
                if let Some(part) = single.filter(|_| set.parts > 1) {
                    of_parts.push((part, standing));
                } else {
                    of_all.push(standing);
                    let is_decided = !matches!(state, State::Sent | State::Unknown);
                    if is_decided && !report.is_temporary {
                        decided.push((*attempt, state));
                    }
                }
            }
        }
    }
    let each: Vec<Said> = (1..=set.parts)
        .map(|part| {
            let single = of_parts.iter().filter(|(of, _)| *of == part);
            let single = single.map(|(_, said)| *said);
            of_all.iter().copied().chain(single).max().unwrap()
        })
        .collect();
    let delivered = each
        .iter()
        .filter(|said| state_of(said) == State::Delivered);
    let parts_delivered = u32::try_from(delivered.count()).unwrap();
    let ended = each.iter().filter(|said| {
        let state = state_of(said);
        !matches!(state, State::Pending | State::Sent | State::Delivered)
    });
    let state = if parts_delivered == set.parts {
        State::Delivered
    } else if let Some(worst) = ended.max() {
        state_of(worst)
    } else if is_newest_heard || forced > 0 {
        State::Sent
    } else {
        State::Pending
    };
    End {
        state,
        parts_delivered,
        send_attempt: attempts,
        sent_at: sent_at.into_iter().min(),
        conflicts: contradictions(&decided),
    }
}

fn state_of(said: &Said) -> State {
    ORDINALS[said.5]
}

/// Every two different states that were decided of one send attempt.
fn contradictions(decided: &[(u32, State)]) -> BTreeSet<(u32, String)> {
    let pairs = decided.iter().flat_map(|one| {
        let others = decided
            .iter()
            .filter(move |other| other.0 == one.0 && other.1 != one.1);
        others.map(move |other| (one.0, both([one.1, other.1])))
    });
    pairs.collect()
}

fn both(pair: [State; 2]) -> String {
    let mut names = pair.map(State::as_str);
    names.sort_unstable();
    names.join(" ")
}

/// Orders, quickly.
struct Shuffle(u64);

impl Shuffle {
    /// After George Marsaglia's "Xorshift RNGs".
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    /// All steps in some order, some reports twice. Which forced state is the last of them stays.
    fn order<'a>(&mut self, steps: &'a [Step]) -> Vec<&'a Step> {
        let mut order: Vec<&Step> = steps.iter().collect();
        for step in steps {
            if matches!(step, Step::Report(..)) && self.below(3) == 0 {
                order.push(step);
            }
        }
        for end in (1..order.len()).rev() {
            order.swap(end, self.below(end + 1));
        }
        let mut forced = steps.iter().filter(|step| matches!(step, Step::Force(_)));
        for step in &mut order {
            if matches!(step, Step::Force(_)) {
                *step = forced.next().unwrap();
            }
        }
        order
    }
}

fn message(parts: u32) -> Message {
    let registration = Registration {
        account_id: AccountId(uuid::Uuid::from_u128(1)),
        provider_account: "clinic".parse().unwrap(),
        provider: "stub".to_owned(),
        provider_message_id: Some("m-1".to_owned()),
        client_reference: None,
        to: "+254700000001".to_owned(),
        from: None,
        notification_id: None,
        parts,
        cost: None,
        metadata: None,
        environment: Environment::default(),
    };
    let id = MessageId(uuid::Uuid::from_u128(1));
    Message::register(id, TenantId::PLATFORM, registration, NOW)
}

fn send_attempt(number: u32) -> SendAttempt {
    SendAttempt {
        number,
        account_id: AccountId(uuid::Uuid::from_u128(1)),
        provider_account: "clinic".parse().unwrap(),
        provider: "stub".to_owned(),
        provider_message_id: Some(format!("m-{number}")),
        client_reference: None,
        created_at: NOW,
    }
}
