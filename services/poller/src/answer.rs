//! What an answer says of the messages that were asked about, and what follows for each.

use domain::callback::Statement;
use domain::poll::{Next, Outcome};
use domain::report::Report;
use domain::{State, Timestamp, text};
use providers::ask::Unanswered;
use std::time::Duration;
use store::poll::{DueMessage, Polled};

/// The longest word or reason that is kept of a poll, in bytes.
const MAX_DETAIL_BYTES: usize = 200;

/// Messages that are asked about together, and what was said of each so far.
pub(crate) struct Batch<'a> {
    messages: &'a [DueMessage],
    said: Vec<Said>,
}

#[derive(Debug, Clone, Default)]
struct Said {
    /// The last word, and what it means for all of the message.
    word: Option<String>,
    state: Option<State>,
    is_news: bool,
}

/// What a page of an answer has of interest.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct News {
    /// What is not known yet.
    pub(crate) statements: Vec<Statement>,
    /// How many statements are about nothing that was asked about.
    pub(crate) foreign: usize,
}

/// What follows for the messages of a batch.
#[derive(Debug, Default)]
pub(crate) struct Follows<'a> {
    pub(crate) polled: Vec<Polled>,
    /// Those that are given up.
    pub(crate) silent: Vec<&'a DueMessage>,
}

impl<'a> Batch<'a> {
    pub(crate) fn new(messages: &'a [DueMessage]) -> Self {
        Self {
            messages,
            said: vec![Said::default(); messages.len()],
        }
    }

    /// Hears a page. The provider's parser has looked already whether it is about what was asked; who asked looks
    /// again.
    pub(crate) fn hear(&mut self, reports: Vec<Report>) -> News {
        let mut news = News::default();
        for report in reports {
            let found = self
                .messages
                .iter()
                .zip(&mut self.said)
                .find(|(message, _)| is_about(&report, message));
            let Some((message, said)) = found else {
                news.foreign += 1;
                continue;
            };
            said.word = Some(report.word.clone());
            if report.part.is_none() || message.parts <= 1 {
                said.state = report.state.or(said.state);
            }
            if report.state != Some(message.state) {
                said.is_news = true;
                news.statements.push(Statement::Report(report));
            }
        }
        news
    }

    /// What follows now that the answer is over, or failed. `jitter` makes a number in `0.0..1.0`.
    pub(crate) fn conclude(
        &self,
        failed: Option<&Unanswered>,
        now: Timestamp,
        max_age: Duration,
        jitter: impl Fn() -> f64,
    ) -> Follows<'a> {
        let mut follows = Follows::default();
        for (message, said) in self.messages.iter().zip(&self.said) {
            let mut polled = unmoved(message, now);
            let failed = failed.filter(|_| said.word.is_none());
            if let (Some(failed), Some(outcome)) = (failed, failure(failed)) {
                polled.outcome = Some(outcome);
                polled.detail = Some(cut(&failed.to_string()));
                // So that the next attempt is about others, should these be why it failed.
                if matches!(outcome, Outcome::Unavailable | Outcome::Unreadable) {
                    polled.next = Some(message.due.unanswered(now, jitter()));
                }
            } else {
                polled.outcome = Some(said.outcome());
                polled.detail = said.word.as_deref().map(cut);
                if advance(&mut polled, message, said, max_age, jitter()) {
                    follows.silent.push(message);
                }
            }
            follows.polled.push(polled);
        }
        follows
    }
}

impl Said {
    const fn outcome(&self) -> Outcome {
        match (self.is_news, &self.word) {
            (true, _) => Outcome::Reported,
            (false, Some(_)) => Outcome::Unchanged,
            (false, None) => Outcome::Nothing,
        }
    }
}

/// A message that is due as before.
pub(crate) fn unmoved(message: &DueMessage, now: Timestamp) -> Polled {
    Polled {
        message_id: message.id,
        tenant_id: message.tenant_id,
        send_attempt: message.send_attempt,
        was_due_at: message.due.at,
        at: now,
        outcome: None,
        detail: None,
        next: message.due.at,
        polls: message.due.polls,
    }
}

/// Moves a message on in its schedule; whether it is given up.
fn advance(
    polled: &mut Polled,
    message: &DueMessage,
    said: &Said,
    max_age: Duration,
    jitter: f64,
) -> bool {
    let state = said.state.unwrap_or(message.state);
    match message.due.answered(polled.at, max_age, jitter) {
        // The tracker ends it as well, once it has heard so.
        Next::At { polls, .. } if state.is_decided() => {
            (polled.next, polled.polls) = (None, polls);
            false
        }
        Next::At { at, polls } => {
            (polled.next, polled.polls) = (Some(at), polls);
            false
        }
        Next::Over { polls } => {
            (polled.next, polled.polls) = (None, polls);
            // What is unknown by the provider's word stays so, and is not told again.
            !state.is_final()
        }
    }
}

/// How asking failed; none where the answer is that the messages are not known, or where it did not fail.
fn failure(failed: Option<&Unanswered>) -> Option<Outcome> {
    match failed? {
        Unanswered::CredentialsRefused(_) => Some(Outcome::Refused),
        Unanswered::SlowDown { .. } => Some(Outcome::Slowed),
        Unanswered::Unavailable(_) => Some(Outcome::Unavailable),
        Unanswered::Unreadable(_) => Some(Outcome::Unreadable),
        Unanswered::NotFound => None,
    }
}

/// A report has to name a message by the id or the reference that both know, and no other recipient.
fn is_about(report: &Report, message: &DueMessage) -> bool {
    let same = |said: &Option<String>, known: &Option<String>| match (said, known) {
        (Some(said), Some(known)) => Some(said == known),
        _ => None,
    };
    let by_id = same(&report.provider_message_id, &message.provider_message_id);
    let by_reference = same(&report.client_reference, &message.client_reference);
    let recipient = report.recipient_e164();
    let is_to = |recipient: String| message.to == recipient;
    by_id.or(by_reference) == Some(true) && recipient.is_none_or(is_to)
}

fn cut(detail: &str) -> String {
    text::clean(text::cut(detail, MAX_DETAIL_BYTES).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Random;
    use domain::account::Environment;
    use domain::id::{MessageId, TenantId};
    use domain::poll::{Due, Plan};

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
    const DAY: Duration = Duration::from_hours(24);

    fn message(id: &str, state: State, age: Duration) -> DueMessage {
        let from = NOW.minus(age);
        DueMessage {
            id: MessageId::new(from, &Random::seeded(1)),
            tenant_id: TenantId::PLATFORM,
            provider_account: "clinic".parse().unwrap(),
            provider: "stub".to_owned(),
            environment: Environment::default(),
            provider_message_id: Some(id.to_owned()),
            client_reference: Some(format!("ref-{id}")),
            to: "+254700000001".to_owned(),
            from: None,
            state,
            network_code: None,
            parts: 1,
            send_attempt: 1,
            created_at: from,
            due: Due {
                polls: if age >= DAY { 9 } else { 0 },
                ..Due::begin(Plan::default(), from, 0.0)
            },
        }
    }

    fn report(id: &str, state: State) -> Report {
        Report {
            provider_message_id: Some(id.to_owned()),
            client_reference: None,
            recipient: Some("+254700000001".to_owned()),
            part: None,
            word: state.as_str().to_owned(),
            state: Some(state),
            is_temporary: false,
            provider_time: None,
            failure_reason: None,
            failure_class: None,
            network_code: None,
            cost: None,
            provider_response: None,
        }
    }

    fn follows<'a>(batch: &Batch<'a>, failed: Option<&Unanswered>) -> Follows<'a> {
        batch.conclude(failed, NOW, DAY, || 0.0)
    }

    #[test]
    fn only_what_is_new_of_what_was_asked_about_is_told() {
        let messages = ["a", "b"].map(|id| message(id, State::Sent, Duration::from_secs(400)));
        let mut batch = Batch::new(&messages);
        let stranger = Report {
            recipient: Some("+254700000009".to_owned()),
            ..report("a", State::Failed)
        };
        let other_id = Report {
            client_reference: Some("ref-a".to_owned()),
            ..report("c", State::Failed)
        };
        let news = batch.hear(vec![
            report("a", State::Sent),
            report("b", State::Delivered),
            report("c", State::Delivered),
            stranger,
            other_id,
        ]);
        assert_eq!(news.foreign, 3);
        assert_eq!(
            news.statements,
            [Statement::Report(report("b", State::Delivered))]
        );
        let outcomes: Vec<_> = follows(&batch, None)
            .polled
            .iter()
            .map(|polled| (polled.outcome, polled.next.is_some(), polled.polls))
            .collect();
        assert_eq!(
            outcomes,
            [
                (Some(Outcome::Unchanged), true, 1),
                (Some(Outcome::Reported), false, 1)
            ]
        );
    }

    #[test]
    fn what_could_not_be_asked_does_not_age() {
        let messages = [message("a", State::Sent, DAY * 2)];
        let refused = Unanswered::CredentialsRefused("status 401".to_owned());
        let slow = Unanswered::SlowDown { retry_after: None };
        let away = Unanswered::Unavailable("status 503".to_owned());
        let unreadable = Unanswered::Unreadable("html".to_owned());
        for (failed, moves) in [
            (refused, false),
            (slow, false),
            (away, true),
            (unreadable, true),
        ] {
            let follows = follows(&Batch::new(&messages), Some(&failed));
            assert!(follows.silent.is_empty(), "{failed}");
            let polled = &follows.polled[0];
            assert_eq!(polled.polls, messages[0].due.polls);
            assert_eq!(polled.next != messages[0].due.at, moves, "{failed}");
        }
    }

    #[test]
    fn at_its_greatest_age_a_message_without_an_end_is_given_up_unless_it_is_unknown() {
        let messages = ["a", "b", "c", "d"].map(|id| message(id, State::Sent, DAY));
        let mut batch = Batch::new(&messages);
        batch.hear(vec![
            report("a", State::Delivered),
            report("b", State::Unknown),
            report("c", State::Sent),
        ]);
        let not_found = Unanswered::NotFound;
        let follows = follows(&batch, Some(&not_found));
        assert!(follows.polled.iter().all(|polled| polled.next.is_none()));
        let silent: Vec<_> = follows
            .silent
            .iter()
            .filter_map(|message| message.provider_message_id.as_deref())
            .collect();
        assert_eq!(silent, ["c", "d"]);
    }
}
