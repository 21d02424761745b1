//! What all status APIs do alike: their requests are written, and their answers are distrusted.
//!
//! An answer is the least trusted thing that is read: it was not even sent to us by itself, and may be
//! a proxy's page, another account's message or an error with status 200. So nothing is taken from it
//! but reports that name a message which was asked about, by its id and its recipient.

use crate::ask::{Answered, Asked, Reply, Request, Unanswered};
use crate::oauth;
use crate::object::Object;
use crate::refusal::{Refusal, quote};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::callback::Statement;
use domain::report::Report;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What stays as it is in a segment of a path or a value of a query (RFC 3986, section 2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Written so that it is one segment of a path, or one value of a query.
pub(crate) fn escaped(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// Whether a text can be a segment of a path: the two that mean other segments cannot, in whatever way
/// they are written.
pub(crate) fn is_segment(text: &str) -> bool {
    !matches!(text, "" | "." | "..")
}

/// A GET with these headers, which wants JSON.
pub(crate) fn get(url: String, mut headers: Vec<(&'static str, String)>) -> Request {
    headers.push(("accept", "application/json".to_owned()));
    Request {
        method: "GET",
        url,
        headers,
        body: String::new(),
    }
}

/// A POST of a form, which wants JSON.
pub(crate) fn post_form(
    url: String,
    mut headers: Vec<(&'static str, String)>,
    body: String,
) -> Request {
    headers.push(("content-type", crate::body::FORM.to_owned()));
    headers.push(("accept", "application/json".to_owned()));
    Request {
        method: "POST",
        url,
        headers,
        body,
    }
}

/// The header of HTTP Basic (RFC 7617).
pub(crate) fn basic(user: &str, password: &str) -> (&'static str, String) {
    let credentials = STANDARD.encode(format!("{user}:{password}"));
    ("authorization", format!("Basic {credentials}"))
}

/// The object in an answer that has one.
///
/// A 404 says that the message is unknown only where it is JSON: another one comes from a wrong
/// address, or from whatever stands before the API.
pub(crate) fn object(reply: Reply<'_>) -> Result<Object<'_>, Unanswered> {
    let told = |what: &str| format!("status {} {what}", reply.status);
    match reply.status {
        200..=299 => Object::read(reply.body).map_err(unreadable),
        401 | 403 => Err(Unanswered::CredentialsRefused(told("was answered"))),
        404 if Object::read(reply.body).is_ok() => Err(Unanswered::NotFound),
        429 => Err(slow_down(reply)),
        500..=599 => Err(Unanswered::Unavailable(told("was answered"))),
        _ => Err(Unanswered::Unreadable(told("was answered"))),
    }
}

/// We ask too much.
pub(crate) fn slow_down(reply: Reply<'_>) -> Unanswered {
    Unanswered::SlowDown {
        retry_after: oauth::retry_after(reply),
    }
}

/// An answer of another shape. What a refusal shows of it is short and quoted.
pub(crate) fn unreadable(refusal: Refusal) -> Unanswered {
    Unanswered::Unreadable(refusal.detail().to_owned())
}

/// An answer without what it must have.
pub(crate) fn lacks(name: &str) -> Unanswered {
    unreadable(Refusal::missing(name))
}

/// An error with a status that says that all is well. Only its code is shown: a text may name people.
pub(crate) fn error_body(code: &str) -> Unanswered {
    Unanswered::Unreadable(format!("an error, {}, as if all were well", quote(code)))
}

/// The error that GSMA `OneAPI` puts into `requestError`, and Infobip too; none where there is none.
pub(crate) fn request_error(object: &Object<'_>, reply: Reply<'_>) -> Option<Unanswered> {
    let error = match object.object("requestError") {
        Ok(error) => error?,
        Err(refusal) => return Some(unreadable(refusal)),
    };
    let exception = ["serviceException", "policyException"]
        .iter()
        .find_map(|name| error.object(name).ok().flatten());
    let code = exception.and_then(|it| it.text("messageId").map(std::borrow::Cow::into_owned));
    Some(match code.as_deref() {
        Some("UNAUTHORIZED" | "FORBIDDEN") => {
            Unanswered::CredentialsRefused(format!("{} was answered", quote(&code?)))
        }
        Some("TOO_MANY_REQUESTS") => slow_down(reply),
        // "Service error" (OneAPI): theirs, and perhaps for now.
        Some("SVC0001") => Unanswered::Unavailable("SVC0001 was answered".to_owned()),
        other => error_body(other.unwrap_or("requestError")),
    })
}

/// Takes the reports that are about messages asked about: the same id, and the same recipient. What
/// could not be read is about none of them.
pub(crate) fn cross_checked(
    asked: &[Asked],
    read: impl IntoIterator<Item = Result<Report, Refusal>>,
) -> Answered {
    let mut answered = Answered::default();
    for report in read {
        match report {
            Ok(report) if asked.iter().any(|asked| is_about(&report, asked)) => {
                answered.reports.push(report);
            }
            _ => answered.foreign += 1,
        }
    }
    answered
}

fn is_about(report: &Report, asked: &Asked) -> bool {
    report.provider_message_id.is_some()
        && report.provider_message_id == asked.provider_message_id
        && report.recipient_e164().is_some_and(|to| to == asked.to)
}

/// The reports of statements; others are none.
pub(crate) fn reports(
    statements: Result<Vec<Statement>, Refusal>,
) -> Result<Vec<Result<Report, Refusal>>, Unanswered> {
    let statements = statements.map_err(unreadable)?;
    let reports = statements.into_iter().filter_map(|it| match it {
        Statement::Report(report) => Some(Ok(report)),
        _ => None,
    });
    Ok(reports.collect())
}

/// The id that the provider has for a message asked about; empty where it has none.
pub(crate) fn provider_id(asked: &Asked) -> &str {
    asked.provider_message_id.as_deref().unwrap_or_default()
}

/// The ids of messages asked about, as one value of a query: a comma between them.
pub(crate) fn listed(asked: &[Asked]) -> String {
    let ids = asked.iter().map(|asked| escaped(provider_id(asked)));
    ids.collect::<Vec<_>>().join(",")
}

/// Whether an id can be one of a list with commas, and is at most this long.
pub(crate) fn is_listable(id: &str, most: usize) -> bool {
    (1..=most).contains(&id.len()) && !id.contains(',')
}
