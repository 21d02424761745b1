//! What providers are asked, and what their answers may say.

mod africastalking;
mod hostile;
mod infobip;
mod mtn;
mod orange;
mod twilio;
mod vonage;

use crate::table::{find, report_line};
use domain::Timestamp;
use domain::report::Report;
use std::collections::BTreeMap;
use std::path::Path;
use tidings_providers::ask::{
    Access, Answered, Asked, Reply, Request, StatusApi, Token, Unanswered,
};

fn api(provider: &str) -> &'static dyn StatusApi {
    find(provider).status_api().unwrap()
}

fn access(values: &[(&str, &str)]) -> Access {
    let values = values
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Access {
        base_url: "https://api.example".to_owned(),
        values: values.collect::<BTreeMap<_, _>>(),
    }
}

fn asked(id: &str, to: &str) -> Asked {
    Asked {
        provider_message_id: Some(id.to_owned()),
        client_reference: None,
        to: to.to_owned(),
        from: Some("MYCLINIC".to_owned()),
        since: Timestamp::from_millis(1_777_630_500_000),
    }
}

fn token() -> Token {
    Token {
        value: "t0".to_owned(),
        lifetime: std::time::Duration::from_mins(1),
    }
}

fn reply(status: u16, body: &str) -> Reply<'_> {
    Reply {
        status,
        content_type: None,
        retry_after: Some("7"),
        body: body.as_bytes(),
    }
}

fn fixture(path: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    std::fs::read_to_string(folder.join(path)).unwrap()
}

/// A request as a line: its method, its URL, its headers and its body.
fn written(request: &Request) -> String {
    let headers = request.headers.iter();
    let headers = headers.map(|(name, value)| format!(" {name}: {value}"));
    format!(
        "{} {}{} {}",
        request.method,
        request.url,
        headers.collect::<String>(),
        request.body
    )
}

/// What became of an answer: a line for each report, and how many were not about what was asked.
fn outcome(answered: Result<Answered, Unanswered>) -> Vec<String> {
    match answered {
        Ok(answered) => {
            assert_eq!(answered.next_page, None);
            let mut lines: Vec<_> = answered.reports.iter().map(line).collect();
            if answered.foreign > 0 {
                lines.push(format!("foreign {}", answered.foreign));
            }
            lines
        }
        Err(unanswered) => vec![format!("{unanswered:?}")],
    }
}

fn line(report: &Report) -> String {
    let facts = [
        ("cost", report.cost.as_ref().map(ToString::to_string)),
        ("said", report.provider_response.clone()),
    ];
    let known = facts
        .into_iter()
        .filter_map(|(name, fact)| Some(format!(" {name}={}", fact?)));
    format!("{}{}", report_line(report), known.collect::<String>())
}
