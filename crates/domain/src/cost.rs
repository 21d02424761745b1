//! What a message cost: a decimal number and a currency, never a binary fraction.

use serde::{Deserialize, Serialize};
use std::fmt;
use utoipa::ToSchema;

/// The most digits before and after the point.
const MAX_WHOLE_DIGITS: usize = 12;
const MAX_FRACTION_DIGITS: usize = 8;

/// An amount of money, as it was told: `0.8000` stays `0.8000`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, try_from = "Told")]
pub struct Cost {
    /// The decimal number.
    #[schema(pattern = r"^[0-9]{1,12}(\.[0-9]{1,8})?$")]
    amount: String,
    /// The currency (ISO 4217).
    #[schema(pattern = "^[A-Z]{3}$")]
    currency: String,
}

/// What was told is no amount of money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a cost is an amount, a decimal number of at most 12 digits and 8 after the point, and a \
     currency of three capital letters (ISO 4217), such as 0.80 and KES"
)]
pub struct InvalidCost;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    amount: String,
    currency: String,
}

impl Cost {
    /// An amount in a currency; the currency in any case.
    pub fn new(amount: &str, currency: &str) -> Result<Self, InvalidCost> {
        let is_currency = currency.len() == 3 && currency.bytes().all(|c| c.is_ascii_alphabetic());
        (is_amount(amount) && is_currency)
            .then(|| Self {
                amount: amount.to_owned(),
                currency: currency.to_ascii_uppercase(),
            })
            .ok_or(InvalidCost)
    }

    /// The decimal number, not negative.
    pub fn amount(&self) -> &str {
        &self.amount
    }

    /// The currency (ISO 4217).
    pub fn currency(&self) -> &str {
        &self.currency
    }
}

impl TryFrom<Told> for Cost {
    type Error = InvalidCost;

    fn try_from(told: Told) -> Result<Self, InvalidCost> {
        Self::new(&told.amount, &told.currency)
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount, self.currency)
    }
}

fn is_amount(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str, most| {
        (1..=most).contains(&part.len()) && part.bytes().all(|c| c.is_ascii_digit())
    };
    digits(whole, MAX_WHOLE_DIGITS) && digits(fraction, MAX_FRACTION_DIGITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_is_kept_as_it_was_told() {
        let cost = Cost::new("0.8000", "kes").unwrap();
        assert_eq!(cost.to_string(), "0.8000 KES");
        let json = serde_json::to_string(&cost).unwrap();
        assert_eq!(json, r#"{"amount":"0.8000","currency":"KES"}"#);
        assert_eq!(serde_json::from_str::<Cost>(&json).unwrap(), cost);
    }

    #[test]
    fn what_is_no_cost_is_refused() {
        for (amount, currency) in [
            ("", "KES"),
            ("-1", "KES"),
            ("1.", "KES"),
            (".5", "KES"),
            ("1e3", "KES"),
            ("1,5", "KES"),
            ("1.123456789", "KES"),
            ("1234567890123", "KES"),
            ("1", "KE"),
            ("1", "K€"),
        ] {
            assert_eq!(
                Cost::new(amount, currency),
                Err(InvalidCost),
                "{amount} {currency}"
            );
        }
    }
}
