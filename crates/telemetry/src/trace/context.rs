//! What of a trace crosses a process boundary: the `traceparent` of W3C Trace Context, level 1
//! (<https://www.w3.org/TR/trace-context/>).

use std::fmt;

/// Length of a `traceparent` of version 00, in bytes.
const LENGTH: usize = 55;

/// A position in a trace: which trace, which span, and whether it is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceContext {
    trace_id: u128,
    span_id: u64,
    sampled: bool,
}

impl TraceContext {
    pub(super) const fn new(trace_id: u128, span_id: u64, sampled: bool) -> Self {
        Self {
            trace_id,
            span_id,
            sampled,
        }
    }

    /// Reads a `traceparent`. `None` for anything the specification calls invalid, and then a new trace starts:
    /// a caller's bad header is no reason to refuse its request.
    ///
    /// A higher version than 00 is read by what it shares with 00, as the specification asks.
    pub fn parse(text: &str) -> Option<Self> {
        let head = text.get(..LENGTH)?;
        let mut fields = head.split('-');
        let version = hex(fields.next()?, 2)?;
        let trace_id = hex(fields.next()?, 32)?;
        let span_id = u64::try_from(hex(fields.next()?, 16)?).ok()?;
        let flags = hex(fields.next()?, 2)?;
        let rest = text.as_bytes().get(LENGTH..)?;
        let is_ended = rest.is_empty() || (version > 0 && rest.starts_with(b"-"));
        if version == 0xff || trace_id == 0 || span_id == 0 || !is_ended {
            return None;
        }
        Some(Self {
            trace_id,
            span_id,
            sampled: flags & 1 == 1,
        })
    }

    /// The trace, never zero.
    pub const fn trace_id(self) -> u128 {
        self.trace_id
    }

    /// The span within the trace, never zero.
    pub const fn span_id(self) -> u64 {
        self.span_id
    }

    /// Whether the caller records this trace.
    pub const fn is_sampled(self) -> bool {
        self.sampled
    }

    pub(super) const fn child(self, span_id: u64) -> Self {
        Self { span_id, ..self }
    }
}

/// A `traceparent` of version 00.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "00-{:032x}-{:016x}-{:02x}",
            self.trace_id,
            self.span_id,
            u8::from(self.sampled)
        )
    }
}

/// `digits` lower-case hexadecimal digits, no sign.
fn hex(text: &str, digits: usize) -> Option<u128> {
    let is_hex = text
        .bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if text.len() != digits || !is_hex {
        return None;
    }
    u128::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_context_is_written_as_it_was_read() {
        let context = TraceContext::parse(VALID).unwrap();
        assert_eq!(
            context.trace_id(),
            0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c
        );
        assert_eq!(context.span_id(), 0xb7ad_6b71_6920_3331);
        assert!(context.is_sampled());
        assert_eq!(context.to_string(), VALID);
        let unsampled = VALID.replace("-01", "-00");
        assert_eq!(
            TraceContext::parse(&unsampled).unwrap().to_string(),
            unsampled
        );
    }

    #[test]
    fn flags_other_than_sampled_are_not_passed_on() {
        let context = TraceContext::parse(&VALID.replace("-01", "-ff")).unwrap();
        assert_eq!(context.to_string(), VALID);
        assert!(
            !TraceContext::parse(&VALID.replace("-01", "-fe"))
                .unwrap()
                .is_sampled()
        );
    }

    #[test]
    fn a_future_version_is_read_by_what_it_shares_with_this_one() {
        for future in [
            VALID.replacen("00", "01", 1),
            VALID.replacen("00", "cc", 1) + "-what-comes-next",
        ] {
            assert_eq!(
                TraceContext::parse(&future),
                TraceContext::parse(VALID),
                "{future}"
            );
        }
    }

    #[test]
    fn anything_the_specification_calls_invalid_is_refused() {
        for invalid in [
            "",
            "00",
            &VALID[..54],
            &VALID.to_uppercase(),
            &VALID.replacen("00", "ff", 1),
            &format!("{VALID}-more"),
            &format!("{VALID} "),
            &format!(" {VALID}"),
            &(VALID.replacen("00", "01", 1) + "more"),
            &VALID.replace('-', "_"),
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0g",
            "00-0af7651916cd43dd8448eb211c80319c-+7ad6b7169203331-01",
            "0-00af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319-cb7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-é1",
        ] {
            assert_eq!(TraceContext::parse(invalid), None, "{invalid}");
        }
    }
}
