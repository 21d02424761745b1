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
