//! What was said of the parts of a message, as its column holds it.

use super::{decode_state, encode_state};
use crate::error::Error;
use domain::Timestamp;
use domain::parts::Parts;
use domain::state::Standing;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Serialize, Deserialize)]
struct PartsText {
    whole: StandingText,
    single: BTreeMap<u32, StandingText>,
    /// What was written before there were send attempts speaks of the first.
    #[serde(default = "first")]
    heard: u32,
}

const fn first() -> u32 {
    1
}

/// The state, the override number, the send attempt, and the provider's time in milliseconds.
#[derive(Serialize, Deserialize)]
struct StandingText(i16, u32, u32, Option<i64>);

pub(super) fn to_text(parts: &Parts) -> String {
    let single = parts.single.iter();
    let text = PartsText {
        whole: parts.whole.into(),
        single: single
            .map(|(part, standing)| (*part, (*standing).into()))
            .collect(),
        heard: parts.heard,
    };
    serde_json::to_string(&text).unwrap_or_default()
}

pub(super) fn from_text(text: &str) -> Result<Parts, Error> {
    let text: PartsText = serde_json::from_str(text)
        .map_err(|_| Error::unreadable("a message with unreadable parts"))?;
    let single = text.single.into_iter();
    Ok(Parts {
        whole: text.whole.try_into()?,
        single: single
            .map(|(part, standing)| Ok((part, standing.try_into()?)))
            .collect::<Result<_, Error>>()?,
        heard: text.heard,
    })
}

impl From<Standing> for StandingText {
    fn from(standing: Standing) -> Self {
        Self(
            encode_state(standing.state()),
            standing.override_number,
            standing.send_attempt,
            standing.provider_time.map(Timestamp::as_millis),
        )
    }
}

impl TryFrom<StandingText> for Standing {
    type Error = Error;

    fn try_from(text: StandingText) -> Result<Self, Error> {
        let StandingText(state, override_number, send_attempt, time) = text;
        Ok(Self::new(
            decode_state(state)?,
            override_number,
            send_attempt,
            time.map(Timestamp::from_millis),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::State;

    #[test]
    fn parts_are_read_as_they_were_written() {
        let time = Some(Timestamp::from_millis(1_700_000_000_123));
        let mut parts = Parts::of(Standing::new(State::Sent, 0, 1, time));
        parts.join(Some(2), Standing::new(State::Failed, 3, 2, None));
        parts.join(Some(255), Standing::new(State::Delivered, 0, 1, time));
        assert_eq!(from_text(&to_text(&parts)).unwrap(), parts);
        assert!(from_text("{}").is_err());
        let older = r#"{"whole":[0,0,1,null],"single":{"1":[2,0,1,null]}}"#;
        assert_eq!(from_text(older).unwrap().heard, 1);
    }
}
