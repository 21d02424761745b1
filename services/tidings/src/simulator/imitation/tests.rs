//! What is imitated is what the providers of Tidings read.

use super::*;
use crate::simulator::share::OUTCOMES;
use crate::simulator::world::Callbacks;
use domain::callback::{Kind, Statement};
use domain::report::Report;
use providers::ask::{Access, Asked, Reply, Request};
use providers::{Body, MediaType, Provider, registry};
use std::time::Duration;

const TO: &str = "+260970000001";

fn provider(imitation: &dyn Imitation) -> &'static dyn Provider {
    registry::find(imitation.name().trim_end_matches("-v3")).unwrap()
}

fn told(imitation: &dyn Imitation, state: State, reference: Option<&str>) -> Told {
    let sent_at = Timestamp::parse_rfc3339("2026-05-01T10:15:00Z").unwrap();
    let message = Message {
        id: imitation.message_id(reference, 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef),
        to: TO.to_owned(),
        from: "MYCLINIC".to_owned(),
        parts: 1,
        client_reference: reference.map(str::to_owned),
        outcome: state,
        sent_at,
        ends_at: sent_at.plus(Duration::from_secs(30)),
        asked: 1,
        callbacks: Callbacks::default(),
    };
    Told {
        at: message.since(state),
        state,
        part: None,
        message,
    }
}

fn said(imitation: &dyn Imitation, callback: &Callback) -> Vec<Report> {
    let provider = provider(imitation);
    let content_type = (callback.method == "POST").then(|| callback.content_type());
    let media_type = provider.media_type(content_type).unwrap();
    assert!(callback.method == "POST" || provider.calls_by_get());
    let body = match callback.method {
        "GET" => callback.encoded(),
        _ => callback.body(),
    };
    let media_type = if callback.method == "GET" {
        MediaType::Form
    } else {
        media_type
    };
    let bytes = body.as_bytes();
    let statements = provider
        .parse(Kind::Reports, Body { media_type, bytes })
        .unwrap();
    let report = |statement| match statement {
        Statement::Report(report) => report,
        other => panic!("{other:?}"),
    };
    statements.into_iter().map(report).collect()
}

/// The ends that a provider tells apart, and the way there.
fn states(imitation: &dyn Imitation) -> impl Iterator<Item = State> {
    let told = imitation.outcomes();
    OUTCOMES
        .into_iter()
        .filter(move |state| *state == State::Sent || told.contains(state))
}

#[test]
fn every_callback_is_read_as_what_it_means() {
    for imitation in ALL {
        for state in states(imitation) {
            let told = told(imitation, state, Some("msg-1"));
            let reports = said(imitation, &imitation.callback(std::slice::from_ref(&told)));
            let name = imitation.name();
            assert_eq!(reports.len(), 1, "{name}");
            let report = &reports[0];
            assert_eq!(report.state, Some(state), "{name} {report:?}");
            assert_eq!(
                report.provider_message_id.as_ref(),
                Some(&told.message.id),
                "{name}"
            );
            if name != "jasmin" {
                assert_eq!(report.recipient_e164().as_deref(), Some(TO), "{name}");
            }
        }
    }
}

/// What somebody asks, as the simulator sees it.
fn asking(request: &Request) -> Asking {
    let url = request.url.strip_prefix("http://simulator/").unwrap();
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let decode = |text: &str| {
        percent_encoding::percent_decode_str(text)
            .decode_utf8_lossy()
            .into_owned()
    };
    let pairs = |text: &str| {
        form_urlencoded::parse(text.as_bytes())
            .into_owned()
            .collect()
    };
    let header = |name: &str| {
        let found = request.headers.iter().find(|(known, _)| *known == name);
        found.map_or_else(String::new, |(_, value)| value.clone())
    };
    Asking {
        method: request.method.to_owned(),
        path: path.split('/').map(decode).collect(),
        query: pairs(query),
        form: pairs(&request.body),
        authorization: header("authorization"),
        apikey: header("apikey"),
    }
}

fn access(imitation: &dyn Imitation) -> Access {
    let names = ["client_id", "client_secret", "account_sid", "auth_token"];
    let more = ["api_key", "api_secret", "username", "token_url"];
    let values = names.iter().chain(&more);
    let mut values: std::collections::BTreeMap<_, _> = values
        .map(|name| ((*name).to_owned(), format!("the-{name}")))
        .collect();
    let token_url = "http://simulator/oauth/v3/token".to_owned();
    values.insert("token_url".to_owned(), token_url);
    Access {
        base_url: format!("http://simulator{}", imitation.api_path().unwrap()),
        values,
    }
}

fn reply(body: &str) -> Reply<'_> {
    Reply {
        status: 200,
        content_type: None,
        retry_after: None,
        body: body.as_bytes(),
    }
}

#[test]
fn every_answer_is_read_as_what_it_means() {
    let mut names = Vec::new();
    for imitation in ALL {
        let Some(api) = provider(imitation).status_api() else {
            continue;
        };
        if imitation.api_path().is_none() {
            continue;
        }
        names.push(imitation.name());
        let access = access(imitation);
        if let Some(request) = api.token_request(&access) {
            let call = imitation.recognise(&asking(&request)).unwrap();
            assert_eq!(call.what, What::Token);
            assert!(matches!(call.shown, Shown::Pair(..)), "{call:?}");
        }
        for state in states(imitation) {
            let told = told(imitation, state, Some("msg-1"));
            let asked = Asked {
                provider_message_id: Some(told.message.id.clone()),
                client_reference: None,
                to: TO.to_owned(),
                from: Some("MYCLINIC".to_owned()),
                since: told.message.sent_at,
            };
            assert!(api.can_ask(&asked));
            let all = [asked];
            let request = api.request(&access, None, &all, None);
            let asking = asking(&request);
            let call = imitation.recognise(&asking).unwrap();
            assert_eq!(call.what, What::Status(vec![told.message.id.clone()]));
            let answer = imitation
                .answer(std::slice::from_ref(&told), &[], &asking)
                .unwrap()
                .to_string();
            let answered = api.read(&access, &all, reply(&answer)).unwrap();
            let name = imitation.name();
            assert_eq!(answered.foreign, 0, "{name}: {answer}");
            assert_eq!(answered.reports.len(), 1, "{name}: {answer}");
            assert_eq!(answered.reports[0].state, Some(state), "{name}: {answer}");
        }
        let error = imitation.error().to_string();
        assert!(api.read(&access, &[], reply(&error)).is_err(), "{error}");
    }
    for expected in ["orange", "mtn", "twilio", "infobip", "vonage"] {
        assert!(names.contains(&expected), "{expected} is in {names:?}");
    }
}

#[test]
fn a_poll_and_a_callback_make_one_statement_where_they_can() {
    let account = "acc_00000000000000000000000001".parse().unwrap();
    for name in ["orange", "mtn", "infobip"] {
        let imitation = find(name).unwrap();
        let told = told(imitation, State::Delivered, Some("msg-1"));
        let asked = Asked {
            provider_message_id: Some(told.message.id.clone()),
            client_reference: None,
            to: TO.to_owned(),
            from: Some("MYCLINIC".to_owned()),
            since: told.message.sent_at,
        };
        let api = provider(imitation).status_api().unwrap();
        let access = access(imitation);
        let all = [asked];
        let asking = asking(&api.request(&access, None, &all, None));
        let answer = imitation.answer(std::slice::from_ref(&told), &[], &asking);
        let answer = answer.unwrap().to_string();
        let polled = api.read(&access, &all, reply(&answer)).unwrap().reports;
        let called = said(imitation, &imitation.callback(std::slice::from_ref(&told)));
        assert_eq!(
            polled[0].dedupe_key(account),
            called[0].dedupe_key(account),
            "{name}"
        );
    }
}

#[test]
fn the_inbox_is_read_as_it_is() {
    let imitation = find("africastalking").unwrap();
    let inbox = provider(imitation).inbox_api().unwrap();
    let access = access(imitation);
    let call = imitation.recognise(&asking(&inbox.request(&access, Some("7"))));
    assert_eq!(call.unwrap().what, What::Inbox(7));
    let message = FromPhone {
        id: 8,
        from: TO.to_owned(),
        to: "20880".to_owned(),
        text: "Hello".to_owned(),
        at: Timestamp::from_millis(0),
    };
    let answer = imitation.inbox(&[message]).to_string();
    let fetched = inbox.read(&access, reply(&answer)).unwrap();
    assert_eq!(fetched.statements.len(), 1);
    assert_eq!(fetched.cursor.as_deref(), Some("8"));
}
