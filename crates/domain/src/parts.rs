//! Messages in several parts: each part is joined on its own, and the message stands on all of them.

use crate::state::{Standing, State};
use std::collections::BTreeMap;

/// What was said of a message in parts: of all of them at once, and of single ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// The greatest standing of what was said of all parts.
    pub whole: Standing,
    /// The greatest standing of what was said of single parts, by their number, from 1.
    pub single: BTreeMap<u32, Standing>,
}

impl Parts {
    /// Nothing was said of single parts yet.
    pub const fn of(whole: Standing) -> Self {
        Self {
            whole,
            single: BTreeMap::new(),
        }
    }

    /// Takes in what is said of a part, or of all; whether that is more than was known.
    pub fn join(&mut self, part: Option<u32>, standing: Standing) -> bool {
        let known = match part {
            None => &mut self.whole,
            Some(part) => self.single.entry(part).or_insert(Standing::registered()),
        };
        let grows = standing > *known;
        if grows {
            *known = standing;
        }
        grows
    }

    /// What a message of so many parts stands on: delivered when all parts are; else the worst of the
    /// parts that came to another end; else sent, once anything was said of any.
    pub fn standing(&self, total: u32) -> Standing {
        let of_each = || (1..=total).map(|part| self.of_part(part));
        let greatest = of_each().max().unwrap_or(self.whole);
        if of_each().all(|part| part.state() == State::Delivered) {
            return greatest;
        }
        let ended = of_each().filter(|part| {
            let state = part.state();
            state.is_final() && state != State::Delivered
        });
        if let Some(worst) = ended.max() {
            return worst;
        }
        if greatest.state() == State::Pending {
            return greatest;
        }
        let sent = of_each().filter(|part| part.state() == State::Sent).max();
        sent.unwrap_or_else(|| {
            let Standing {
                override_number,
                send_attempt,
                provider_time,
                ..
            } = greatest;
            Standing::new(State::Sent, override_number, send_attempt, provider_time)
        })
    }

    /// How many of so many parts are delivered.
    pub fn delivered(&self, total: u32) -> u32 {
        let delivered = (1..=total).filter(|part| self.of_part(*part).state() == State::Delivered);
        u32::try_from(delivered.count()).unwrap_or(total)
    }

    fn of_part(&self, part: u32) -> Standing {
        let single = self.single.get(&part).copied();
        single.map_or(self.whole, |single| single.max(self.whole))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(state: State) -> Standing {
        Standing::new(state, 0, 1, None)
    }

    fn parts(said: &[(Option<u32>, State)]) -> Parts {
        let mut parts = Parts::of(Standing::registered());
        for (part, state) in said {
            parts.join(*part, at(*state));
        }
        parts
    }

    #[test]
    fn a_message_is_delivered_when_all_its_parts_are() {
        use State::{Delivered, Expired, Failed, Pending, Rejected, Sent};
        for (said, state, delivered) in [
            (&[][..], Pending, 0),
            (&[(Some(1), Sent)], Sent, 0),
            (&[(Some(1), Delivered)], Sent, 1),
            (&[(Some(1), Delivered), (Some(2), Delivered)], Delivered, 2),
            (&[(None, Delivered)], Delivered, 2),
            (&[(None, Sent), (Some(2), Delivered)], Sent, 1),
            (&[(Some(1), Failed)], Failed, 0),
            (&[(Some(1), Failed), (Some(2), Delivered)], Failed, 1),
            (&[(Some(1), Failed), (Some(2), Rejected)], Rejected, 0),
            (&[(Some(1), Expired), (Some(1), Delivered)], Sent, 1),
            (&[(Some(1), Failed), (None, Delivered)], Delivered, 2),
            (&[(None, Failed), (Some(1), Delivered)], Failed, 1),
        ] {
            let parts = parts(said);
            assert_eq!(parts.standing(2).state(), state, "{said:?}");
            assert_eq!(parts.delivered(2), delivered, "{said:?}");
        }
    }

    #[test]
    fn a_forced_state_speaks_for_all_parts() {
        let mut parts = parts(&[(Some(1), State::Delivered)]);
        parts.join(None, Standing::new(State::Failed, 1, 1, None));
        assert_eq!(parts.standing(3).state(), State::Failed);
        parts.join(Some(2), at(State::Delivered));
        assert_eq!(parts.standing(3).state(), State::Failed);
    }

    proptest! {
        #[test]
        fn any_order_and_duplication_ends_the_same(
            said in proptest::collection::vec(
                (proptest::option::of(1u32..4), 0usize..7, proptest::option::of(0i64..4)), 1..9),
            turn in any::<proptest::sample::Index>(),
        ) {
            let said: Vec<_> = said.into_iter().map(|(part, state, time)| {
                let time = time.map(crate::Timestamp::from_millis);
                (part, Standing::new(State::ALL[state], 0, 1, time))
            }).collect();
            let mut other = said.clone();
            other.rotate_left(turn.index(said.len()));
            other.reverse();
            other.extend(said.clone());
            let end = |order: &[(Option<u32>, Standing)]| {
                let mut parts = Parts::of(Standing::registered());
                for (part, standing) in order {
                    parts.join(*part, *standing);
                }
                (parts.standing(3), parts.delivered(3))
            };
            prop_assert_eq!(end(&said), end(&other));
        }
    }
}
