//! What is kept of an attempt, as it is written: short, because there is one for each attempt. What its row
//! and its delivery say already, and what is as it usually is, is left out; members and the headers of every
//! request have names of one letter. What earlier releases wrote has their whole names, and is read as well.

use domain::Timestamp;
use domain::attempt::{Detail, Timing};
use domain::id::EventId;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The method that requests have, unless their subscription says otherwise.
const USUAL_METHOD: &str = "POST";

/// Headers by their letters, which are capitals: a header's name has none.
const LETTERS: [(&str, &str); 8] = [
    ("C", "content-type"),
    ("D", "date"),
    ("I", "webhook-id"),
    ("L", "content-length"),
    ("P", "traceparent"),
    ("S", "webhook-signature"),
    ("T", "webhook-timestamp"),
    ("U", "user-agent"),
];

/// What is known of an attempt beside its detail.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    /// The event that was told.
    pub(crate) event_id: EventId,
    /// When the attempt began.
    pub(crate) started_at: Timestamp,
    /// How long it took.
    pub(crate) duration_ms: i64,
}

/// The detail of an attempt of which this is known.
pub(crate) fn write(detail: &Detail, known: Known) -> Option<String> {
    // Texts and numbers: this cannot fail to be written.
    serde_json::to_string(&Written::of(detail, known)).ok()
}

/// What was written of an attempt of which this is known; none where it cannot be read.
pub(crate) fn read(text: &str, known: Known) -> Option<Detail> {
    let written: Written<'_> = serde_json::from_str(text).ok()?;
    Some(written.whole(known))
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Written<'a> {
    #[serde(rename = "e", alias = "error_detail")]
    #[serde(skip_serializing_if = "Option::is_none")]
    error_detail: Option<Cow<'a, str>>,
    #[serde(rename = "t", alias = "timing")]
    #[serde(skip_serializing_if = "Times::is_usual")]
    times: Times,
    /// None: the usual one.
    #[serde(rename = "m", alias = "method")]
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<Cow<'a, str>>,
    #[serde(rename = "q", alias = "request_headers")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    request_headers: Vec<Header<'a>>,
    #[serde(rename = "a", alias = "response_headers")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    response_headers: Vec<Header<'a>>,
    #[serde(rename = "c", alias = "is_response_cut")]
    #[serde(skip_serializing_if = "is_default")]
    is_response_cut: bool,
    /// None: that of the header `traceparent`. Empty: it belongs to none.
    #[serde(rename = "i", alias = "trace_id")]
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<Cow<'a, str>>,
    #[serde(rename = "b", alias = "payload_bytes")]
    #[serde(skip_serializing_if = "is_default")]
    payload_bytes: u64,
    #[serde(rename = "h", alias = "payload_sha256")]
    #[serde(skip_serializing_if = "str::is_empty")]
    payload_sha256: Cow<'a, str>,
}

/// In milliseconds.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Times {
    #[serde(rename = "d", alias = "dns_ms")]
    #[serde(skip_serializing_if = "Option::is_none")]
    dns: Option<u64>,
    #[serde(rename = "c", alias = "connect_ms")]
    #[serde(skip_serializing_if = "Option::is_none")]
    connect: Option<u64>,
    #[serde(rename = "s", alias = "tls_ms")]
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<u64>,
    #[serde(rename = "f", alias = "first_byte_ms")]
    #[serde(skip_serializing_if = "Option::is_none")]
    first_byte: Option<u64>,
    /// None: as long as the attempt.
    #[serde(rename = "a", alias = "total_ms")]
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Header<'a> {
    /// Its value follows from what is known.
    Implied(Cow<'a, str>),
    Told(Cow<'a, str>, Cow<'a, str>),
}

impl<'a> Written<'a> {
    fn of(detail: &'a Detail, known: Known) -> Self {
        let request_headers = of_each(&detail.request_headers);
        let trace_id = detail.trace_id.as_deref().unwrap_or_default();
        let is_usual = detail.method == USUAL_METHOD;
        let is_told = trace_id == trace_of(&detail.request_headers);
        let implied = |name: &str, value: &str| follows(name, known).is_some_and(|it| it == value);
        Self {
            error_detail: detail.error_detail.as_deref().map(Cow::from),
            times: Times::of(&detail.timing, known),
            method: (!is_usual).then(|| detail.method.as_str().into()),
            request_headers: request_headers
                .map(|(name, value)| Header::of(name, value, implied(name, value)))
                .collect(),
            response_headers: of_each(&detail.response_headers)
                .map(|(name, value)| Header::of(name, value, false))
                .collect(),
            is_response_cut: detail.is_response_cut,
            trace_id: (!is_told).then(|| trace_id.into()),
            payload_bytes: detail.payload_bytes,
            payload_sha256: detail.payload_sha256.as_str().into(),
        }
    }

    fn whole(self, known: Known) -> Detail {
        let headers = |written: Vec<Header<'_>>| {
            let headers = written.into_iter();
            headers.filter_map(|header| header.whole(known)).collect()
        };
        let request_headers: Vec<(String, String)> = headers(self.request_headers);
        let trace_id = match self.trace_id {
            Some(trace_id) => trace_id.into_owned(),
            None => trace_of(&request_headers).to_owned(),
        };
        Detail {
            error_detail: self.error_detail.map(Cow::into_owned),
            timing: self.times.whole(known),
            method: self
                .method
                .map_or_else(|| USUAL_METHOD.to_owned(), Cow::into_owned),
            request_headers,
            response_headers: headers(self.response_headers),
            is_response_cut: self.is_response_cut,
            trace_id: (!trace_id.is_empty()).then_some(trace_id),
            payload_bytes: self.payload_bytes,
            payload_sha256: self.payload_sha256.into_owned(),
        }
    }
}

impl Times {
    fn of(timing: &Timing, known: Known) -> Self {
        let is_known = Some(timing.total_ms) == u64::try_from(known.duration_ms).ok();
        Self {
            dns: timing.dns_ms,
            connect: timing.connect_ms,
            tls: timing.tls_ms,
            first_byte: timing.first_byte_ms,
            total: (!is_known).then_some(timing.total_ms),
        }
    }

    fn whole(self, known: Known) -> Timing {
        let known_ms = || u64::try_from(known.duration_ms).unwrap_or_default();
        Timing {
            dns_ms: self.dns,
            connect_ms: self.connect,
            tls_ms: self.tls,
            first_byte_ms: self.first_byte,
            total_ms: self.total.unwrap_or_else(known_ms),
        }
    }

    const fn is_usual(&self) -> bool {
        matches!(
            self,
            Self {
                dns: None,
                connect: None,
                tls: None,
                first_byte: None,
                total: None
            }
        )
    }
}

impl<'a> Header<'a> {
    fn of(name: &'a str, value: &'a str, is_implied: bool) -> Self {
        let letter = LETTERS.iter().find(|(_, of)| *of == name);
        let name = letter.map_or(name, |(letter, _)| *letter).into();
        if is_implied {
            Self::Implied(name)
        } else {
            Self::Told(name, value.into())
        }
    }

    fn whole(self, known: Known) -> Option<(String, String)> {
        let (name, value) = match self {
            Self::Implied(name) => (name, None),
            Self::Told(name, value) => (name, Some(value.into_owned())),
        };
        let of_letter = LETTERS.iter().find(|(letter, _)| *letter == name);
        let name = of_letter.map_or(name, |(_, name)| (*name).into());
        let value = value.or_else(|| follows(&name, known))?;
        Some((name.into_owned(), value))
    }
}

/// The value that a header of a request has, going by what is known.
fn follows(name: &str, known: Known) -> Option<String> {
    match name {
        "content-type" => Some("application/json".to_owned()),
        "webhook-id" => Some(known.event_id.to_string()),
        "webhook-timestamp" => Some(known.started_at.as_seconds().to_string()),
        _ => None,
    }
}

/// The trace that the headers of a request name; empty where they name none.
fn trace_of(headers: &[(String, String)]) -> &str {
    let traceparent = headers.iter().find(|(name, _)| name == "traceparent");
    let trace = traceparent.and_then(|(_, value)| value.split('-').nth(1));
    trace.unwrap_or_default()
}

fn of_each(headers: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Clock, Random};

    fn known() -> Known {
        let started_at = Timestamp::from_millis(1_795_830_628_123);
        Known {
            event_id: EventId::new(Clock::system().now(), &Random::seeded(3)),
            started_at,
            duration_ms: 3,
        }
    }

    fn headers(of: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        of.iter().map(owned).collect()
    }

    /// As a delivery that succeeds leaves it.
    fn usual(known: Known) -> Detail {
        Detail {
            error_detail: None,
            timing: Timing {
                first_byte_ms: Some(2),
                total_ms: 3,
                ..Timing::default()
            },
            method: "POST".to_owned(),
            request_headers: headers(&[
                ("content-type", "application/json"),
                ("user-agent", "Tidings/0.1.0"),
                ("webhook-id", &known.event_id.to_string()),
                ("webhook-timestamp", "1795830628"),
                (
                    "traceparent",
                    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                ),
                (
                    "webhook-signature",
                    "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
                ),
            ]),
            response_headers: headers(&[
                ("content-length", "0"),
                ("date", "Sat, 28 Nov 2026 01:50:28 GMT"),
            ]),
            is_response_cut: false,
            trace_id: Some("0af7651916cd43dd8448eb211c80319c".to_owned()),
            payload_bytes: 412,
            payload_sha256: "9f".repeat(32),
        }
    }

    fn again(detail: &Detail, known: Known) -> Detail {
        read(&write(detail, known).unwrap(), known).unwrap()
    }

    #[test]
    fn what_is_usual_is_written_short_and_read_as_it_was() {
        let known = known();
        let detail = usual(known);
        let written = write(&detail, known).unwrap();
        let before = serde_json::to_string(&detail).unwrap();
        assert!(
            written.len() < 330 && before.len() > 680,
            "{} of {}: {written}",
            written.len(),
            before.len()
        );
        assert_eq!(read(&written, known), Some(detail));
    }

    #[test]
    fn what_is_unusual_is_read_as_it_was() {
        let known = known();
        let nothing = Detail::default();
        assert_eq!(again(&nothing, known), nothing);
        let other = Detail {
            error_detail: Some("no route".to_owned()),
            timing: Timing {
                dns_ms: Some(0),
                connect_ms: Some(1),
                tls_ms: Some(2),
                first_byte_ms: None,
                total_ms: 4,
            },
            method: "PUT".to_owned(),
            // Values that are not what they usually are, names twice, and one that is a letter.
            request_headers: headers(&[
                ("content-type", "text/plain"),
                ("webhook-id", "evt_other"),
                ("webhook-timestamp", ""),
                ("c", "d"),
                ("c", "***"),
            ]),
            response_headers: headers(&[("content-type", "application/json")]),
            is_response_cut: true,
            trace_id: Some("of another".to_owned()),
            ..usual(known)
        };
        assert_eq!(again(&other, known), other);
        let without_trace = Detail {
            trace_id: None,
            ..usual(known)
        };
        assert_eq!(again(&without_trace, known), without_trace);
    }

    #[test]
    fn what_an_earlier_release_wrote_is_read() {
        let known = known();
        for detail in [
            usual(known),
            Detail {
                trace_id: None,
                request_headers: Vec::new(),
                ..usual(known)
            },
        ] {
            let written = serde_json::to_string(&detail).unwrap();
            assert_eq!(read(&written, known), Some(detail));
        }
        assert_eq!(read("{}", known).unwrap().timing.total_ms, 3);
        assert_eq!(read("no detail", known), None);
    }
}
