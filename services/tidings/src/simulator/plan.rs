//! What becomes of a message, decided when it is sent: its end, and the callbacks that tell it.

use super::imitation::Imitation;
use super::settings::Settings;
use domain::{Random, State};
use std::time::Duration;

/// What will happen to a message.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plan {
    pub outcome: State,
    pub ends_after: Duration,
    pub callbacks: Vec<Planned>,
    pub planned: u32,
    pub lost: u32,
}

/// A callback that will be sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Planned {
    pub after: Duration,
    pub state: State,
    pub part: Option<u32>,
}

impl Plan {
    /// Draws a plan. An outcome that the provider has no word for is its nearest.
    pub(super) fn draw(
        imitation: &dyn Imitation,
        settings: &Settings,
        wanted: Option<State>,
        parts: u32,
        random: &Random,
    ) -> Self {
        let drawn = settings.outcomes.draw(random);
        let outcome = nearest(imitation, wanted.unwrap_or(drawn));
        let ends_after = settings.delay.draw(random);
        let is_disordered = settings.disorder.happens(random);
        let sent_after = if is_disordered && outcome != State::Sent {
            ends_after + settings.delay.draw(random)
        } else {
            ends_after / 2
        };
        let mut plan = Self {
            outcome,
            ends_after,
            callbacks: Vec::new(),
            planned: 0,
            lost: 0,
        };
        let mut tell = |after, state, part| {
            let planned = Planned { after, state, part };
            plan.tell(planned, settings, random);
        };
        tell(sent_after, State::Sent, None);
        if outcome == State::Sent {
            return plan;
        }
        if parts == 1 || !imitation.tells_parts() {
            tell(ends_after, outcome, None);
            return plan;
        }
        for part in 1..=parts {
            // The last part has the message's end; the others arrive.
            let state = if part == parts {
                outcome
            } else {
                State::Delivered
            };
            tell(ends_after, state, Some(part));
        }
        plan
    }

    fn tell(&mut self, planned: Planned, settings: &Settings, random: &Random) {
        let copies = if settings.duplicate.happens(random) {
            2
        } else {
            1
        };
        for copy in 0..copies {
            self.planned += 1;
            if settings.loss.happens(random) {
                self.lost += 1;
                continue;
            }
            let later = settings.delay.draw(random) * copy;
            self.callbacks.push(Planned {
                after: planned.after + later,
                ..planned
            });
        }
    }
}

/// An end that the provider tells apart: what else is bad is a failure, and what it cannot say it
/// never says.
fn nearest(imitation: &dyn Imitation, outcome: State) -> State {
    let outcomes = imitation.outcomes();
    match outcome {
        known if known == State::Sent || outcomes.contains(&known) => known,
        State::Unknown => State::Sent,
        _ => State::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::super::imitation;
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        settings: Settings,
    }

    fn plans(provider: &str, args: &str, wanted: Option<State>, parts: u32) -> Vec<Plan> {
        let line = std::iter::once("simulator").chain(args.split_whitespace());
        let settings = Line::parse_from(line).settings;
        let imitation = imitation::find(provider).unwrap();
        let draw = |seed| {
            let random = Random::seeded(seed);
            Plan::draw(imitation, &settings, wanted, parts, &random)
        };
        (0..200).map(draw).collect()
    }

    fn told(plan: &Plan) -> Vec<(State, Option<u32>)> {
        let told = plan.callbacks.iter();
        told.map(|planned| (planned.state, planned.part)).collect()
    }

    #[test]
    fn sent_is_told_before_the_end_unless_there_is_disorder() {
        for (args, is_before) in [("", true), ("--disorder 1", false)] {
            for plan in plans("stub", args, None, 1) {
                let [sent, end] = plan.callbacks[..] else {
                    panic!("{plan:?}")
                };
                assert_eq!((sent.state, end.state), (State::Sent, State::Delivered));
                assert_eq!(end.after, plan.ends_after);
                assert_eq!(sent.after <= end.after, is_before, "{plan:?}");
            }
        }
    }

    #[test]
    fn only_the_last_part_of_a_message_that_fails_fails() {
        for plan in plans("stub", "", Some(State::Expired), 3) {
            let expected = [
                (State::Sent, None),
                (State::Delivered, Some(1)),
                (State::Delivered, Some(2)),
                (State::Expired, Some(3)),
            ];
            assert_eq!(told(&plan), expected);
        }
        // A provider that knows no parts speaks for all of them.
        for plan in plans("mtn", "", Some(State::Expired), 3) {
            assert_eq!(told(&plan), [(State::Sent, None), (State::Expired, None)]);
        }
    }

    #[test]
    fn what_a_provider_has_no_word_for_is_its_nearest() {
        for (provider, wanted, outcome) in [
            ("orange", State::Rejected, State::Failed),
            ("orange", State::Unknown, State::Unknown),
            ("twilio", State::Expired, State::Failed),
            ("twilio", State::Unknown, State::Sent),
            ("africastalking", State::Sent, State::Sent),
        ] {
            let plan = &plans(provider, "", Some(wanted), 1)[0];
            assert_eq!(plan.outcome, outcome, "{provider} {wanted}");
            let last = plan.callbacks.last().unwrap();
            assert_eq!(last.state, outcome, "{provider} {wanted}");
        }
    }

    #[test]
    fn as_many_callbacks_are_lost_and_repeated_as_is_said() {
        let count = |args| {
            let plans = plans("mtn", args, None, 1);
            let lost: u32 = plans.iter().map(|plan| plan.lost).sum();
            let sent: usize = plans.iter().map(|plan| plan.callbacks.len()).sum();
            let planned: u32 = plans.iter().map(|plan| plan.planned).sum();
            assert_eq!(planned as usize, sent + lost as usize);
            (planned, lost)
        };
        assert_eq!(count(""), (400, 0));
        assert_eq!(count("--duplicate 1"), (800, 0));
        assert_eq!(count("--loss 1"), (400, 400));
        let (planned, lost) = count("--loss 0.3 --duplicate 0.1");
        assert!((420..460).contains(&planned), "{planned}");
        assert!((100..160).contains(&lost), "{lost}");
    }
}
