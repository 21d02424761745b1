//! The values of settings: shares, delays and outcomes, as a person writes them.

use domain::{Random, State};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The longest delay of a callback.
const MAX_DELAY_SECONDS: f64 = 86_400.0;

/// How often something happens: from 0, never, to 1, always.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Share(f64);

impl Share {
    /// Whether it happens this time.
    pub(super) fn happens(self, random: &Random) -> bool {
        random.fraction() < self.0
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(share) if (0.0..=1.0).contains(&share) => Ok(Self(share)),
            _ => Err("write a share from 0 (never) to 1 (always), such as 0.3".to_owned()),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How long something takes: between these, evenly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Delay {
    least: f64,
    most: f64,
}

impl Delay {
    /// One of these waits.
    pub(super) fn draw(self, random: &Random) -> Duration {
        let seconds = (self.most - self.least).mul_add(random.fraction(), self.least);
        Duration::from_secs_f64(seconds.clamp(0.0, MAX_DELAY_SECONDS))
    }
}

impl FromStr for Delay {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (least, most) = text.split_once("..").unwrap_or((text, text));
        match (least.parse(), most.parse()) {
            (Ok(least), Ok(most)) if least <= most && least >= 0.0 && most <= MAX_DELAY_SECONDS => {
                Ok(Self { least, most })
            }
            _ => Err("write seconds, such as 1.5 or 0..2, at most a day".to_owned()),
        }
    }
}

impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.least, self.most)
    }
}

/// What becomes of messages, with how many of them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outcomes(Vec<(State, f64)>);

/// What a message may come to. `sent` is one whose end nobody is ever told.
pub(super) const OUTCOMES: [State; 6] = [
    State::Sent,
    State::Delivered,
    State::Failed,
    State::Rejected,
    State::Expired,
    State::Unknown,
];

impl Outcomes {
    /// One of them, each as often as its weight says.
    pub(super) fn draw(&self, random: &Random) -> State {
        let all: f64 = self.0.iter().map(|(_, weight)| weight).sum();
        let mut left = random.fraction() * all;
        for (state, weight) in &self.0 {
            left -= weight;
            if left < 0.0 {
                return *state;
            }
        }
        self.0.last().map_or(State::Delivered, |(state, _)| *state)
    }
}

/// The outcome of this name.
pub(super) fn outcome(name: &str) -> Option<State> {
    OUTCOMES.into_iter().find(|state| state.as_str() == name)
}

impl FromStr for Outcomes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = |pair: &str| {
            let (name, weight) = pair.split_once('=').unwrap_or((pair, "1"));
            let weight: f64 = weight.parse().ok()?;
            let state = outcome(name.trim())?;
            (weight.is_finite() && weight > 0.0).then_some((state, weight))
        };
        let outcomes: Option<Vec<_>> = text.split(',').map(read).collect();
        outcomes.map(Self).ok_or_else(|| {
            let names = OUTCOMES.map(State::as_str).join(", ");
            format!("write outcomes with weights, such as delivered=0.9,failed=0.1, of: {names}")
        })
    }
}

impl fmt::Display for Outcomes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (state, weight)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{}={weight}", state.as_str())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_they_are_written_and_others_are_refused() {
        for text in ["0", "0.3", "1"] {
            assert_eq!(text.parse::<Share>().unwrap().to_string(), text);
        }
        for text in ["", "-0.1", "1.1", "NaN", "half"] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
        assert_eq!("0..2".parse::<Delay>().unwrap().to_string(), "0..2");
        assert_eq!("1.5".parse::<Delay>().unwrap().to_string(), "1.5..1.5");
        for text in ["", "2..1", "-1..1", "0..inf", "NaN", "0..86401", "1...2"] {
            assert!(text.parse::<Delay>().is_err(), "{text}");
        }
        let text = "delivered=0.9,failed=0.1";
        assert_eq!(text.parse::<Outcomes>().unwrap().to_string(), text);
        assert_eq!("sent".parse::<Outcomes>().unwrap().to_string(), "sent=1");
        for text in [
            "",
            "delivered=0",
            "pending=1",
            "delivered=inf",
            "x=1",
            "sent=1,",
        ] {
            assert!(text.parse::<Outcomes>().is_err(), "{text}");
        }
    }

    #[test]
    fn outcomes_are_drawn_as_often_as_they_weigh() {
        let outcomes: Outcomes = "delivered=3,failed=1".parse().unwrap();
        let random = Random::seeded(1);
        let failed = (0..4_000).filter(|_| outcomes.draw(&random) == State::Failed);
        assert!((900..1_100).contains(&failed.count()));
    }
}
