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
    /// The newest send attempt of which anything was said, of any part; zero as long as nothing was.
    pub heard: u32,
}

impl Parts {
    /// Nothing was said of single parts yet.
    pub fn of(whole: Standing) -> Self {
        let is_silent = whole.state() == State::Pending;
        Self {
            whole,
            single: BTreeMap::new(),
            heard: whole.send_attempt.saturating_sub(u32::from(is_silent)),
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
        let is_first_heard =
            standing.state() != State::Pending && standing.send_attempt > self.heard;
        if is_first_heard {
            self.heard = standing.send_attempt;
        }
        grows || is_first_heard
    }

    /// What a message of so many parts stands on: delivered when all parts are; else the worst of the
    /// parts that came to another end; else sent, once anything was said of any in the newest send
    /// attempt. With a new one, every part that was not delivered is pending again.
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
        if self.heard < self.whole.send_attempt {
            return self.whole;
        }
        let sent = of_each().filter(|part| part.state() == State::Sent).max();
        sent.unwrap_or_else(|| {
            let Standing {
                override_number,
                send_attempt,
                provider_time,
                ..
            } = greatest;
            let send_attempt = send_attempt.max(self.heard);
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

    #[test]
    fn a_new_send_attempt_is_about_the_parts_that_were_not_delivered() {
        use State::{Delivered, Failed, Pending, Sent};
        let second = |state| Standing::new(state, 0, 2, None);
        let mut parts = parts(&[(Some(1), Delivered), (Some(2), Failed)]);
        assert!(parts.join(None, second(Pending)));
        let standing = parts.standing(2);
        assert_eq!((standing.state(), standing.send_attempt), (Pending, 2));
        assert_eq!(parts.delivered(2), 1);
        // Late news of the first attempt changes nothing but a delivery.
        assert!(!parts.join(Some(2), at(Failed)));
        assert_eq!(parts.standing(2).state(), Pending);
        // What is heard of the new attempt says that it was sent, also of a part that is there already.
        assert!(parts.join(Some(1), second(Sent)));
        let standing = parts.standing(2);
        assert_eq!((standing.state(), standing.send_attempt), (Sent, 2));
        parts.join(Some(2), second(Failed));
        assert_eq!(parts.standing(2).state(), Failed);
        parts.join(Some(2), at(Delivered));
        assert_eq!(parts.standing(2).state(), Delivered);
        assert!(!parts.join(None, Standing::new(Pending, 0, 3, None)) || parts.delivered(2) == 2);
        assert_eq!(parts.standing(2).state(), Delivered);
    }

    #[test]
    fn a_new_send_attempt_of_which_nothing_was_heard_is_pending_whatever_came_of_the_first() {
        for said in [
            &[][..],
            &[(None, State::Sent)],
            &[(Some(1), State::Delivered)],
            &[(Some(1), State::Sent), (Some(2), State::Rejected)],
        ] {
            let mut parts = parts(said);
            parts.join(None, Standing::new(State::Pending, 0, 2, None));
            assert_eq!(parts.standing(2).state(), State::Pending, "{said:?}");
        }
    }

    proptest! {
        #[test]
        fn any_order_and_duplication_ends_the_same(
            said in proptest::collection::vec(
                (proptest::option::of(1u32..4), 0usize..7, 1u32..3, proptest::option::of(0i64..4)),
                1..9),
            turn in any::<proptest::sample::Index>(),
        ) {
            let mut said: Vec<_> = said.into_iter().map(|(part, state, attempt, time)| {
                let time = time.map(crate::Timestamp::from_millis);
                (part, Standing::new(State::ALL[state], 0, attempt, time))
            }).collect();
            said.push((None, Standing::new(State::Pending, 0, 2, None)));
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
