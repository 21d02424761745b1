//! What is bounded in a statement.

use domain::callback::Statement;
use domain::report::{MAX_ID_BYTES, MAX_TEXT_BYTES};

/// A NUL becomes three bytes after the text is cut.
const MAX_CLEANED_BYTES: usize = 3 * MAX_TEXT_BYTES;

/// Ids and short texts are neither empty nor long, and no text holds a NUL.
pub(super) fn holds(statement: &Statement) {
    match statement {
        Statement::Report(report) => {
            optional(MAX_ID_BYTES, report.provider_message_id.as_deref());
            optional(MAX_ID_BYTES, report.client_reference.as_deref());
            within(MAX_CLEANED_BYTES, &report.word);
            for text in [
                &report.recipient,
                &report.failure_reason,
                &report.network_code,
                &report.provider_response,
            ] {
                optional(MAX_CLEANED_BYTES, text.as_deref());
            }
            assert!(
                report.provider_message_id.is_some() || report.client_reference.is_some(),
                "a report that has no id can never find its message: {report:?}"
            );
        }
        Statement::Inbound(inbound) => {
            optional(MAX_ID_BYTES, inbound.provider_message_id.as_deref());
            within(MAX_CLEANED_BYTES, &inbound.from);
            within(MAX_CLEANED_BYTES, &inbound.to);
            assert!(!inbound.text.contains('\0'), "a NUL in {:?}", inbound.text);
        }
        Statement::OptOut(opt_out) => {
            within(MAX_CLEANED_BYTES, &opt_out.phone);
            within(MAX_CLEANED_BYTES, &opt_out.sender);
        }
        Statement::CarrierSubscription(it) => {
            for text in [&it.phone, &it.short_code, &it.keyword, &it.update] {
                within(MAX_CLEANED_BYTES, text);
            }
        }
    }
}

fn optional(most: usize, text: Option<&str>) {
    if let Some(text) = text {
        within(most, text);
    }
}

fn within(most: usize, text: &str) {
    assert!((1..=most).contains(&text.len()), "out of bounds: {text:?}");
    assert!(!text.contains('\0'), "a NUL in {text:?}");
}
