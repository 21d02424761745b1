//! Its answers, read as Tidings reads those of the provider.

use super::*;
use domain::Timestamp;
use providers::ask::{Access, Answered, Asked, Reply, Request, StatusApi, Token, Unanswered};
use providers::registry;
use testkit::Answer;

const OUTCOMES: [&str; 3] = ["delivered", "failed", "sent"];

/// A provider that is asked, over HTTP, as the poller would.
struct Asking<'a> {
    simulator: &'a Simulator,
    api: &'static dyn StatusApi,
    access: Access,
}

impl<'a> Asking<'a> {
    fn of(name: &str, simulator: &'a Simulator, path: &str) -> Self {
        let api = registry::find(name).unwrap().status_api().unwrap();
        let fields = api.fields().iter();
        let mut values: std::collections::BTreeMap<_, _> = fields
            .map(|field| (field.name.to_owned(), format!("the-{}", field.name)))
            .collect();
        let token_url = format!("{}/oauth/v3/token", simulator.url());
        values
            .entry("token_url".to_owned())
            .and_modify(|it| *it = token_url);
        let base_url = format!("{}{path}", simulator.url());
        Self {
            simulator,
            api,
            access: Access { base_url, values },
        }
    }

    async fn answer(&self, request: &Request) -> Answer {
        let path = request.url.strip_prefix(self.simulator.url()).unwrap();
        let headers = request.headers.iter();
        let headers: Vec<_> = headers.map(|(name, it)| (*name, it.as_str())).collect();
        let body = request.body.clone();
        self.simulator
            .api()
            .request(request.method, path, &headers, body)
            .await
    }

    async fn token(&self) -> Result<Option<Token>, Unanswered> {
        let Some(request) = self.api.token_request(&self.access) else {
            return Ok(None);
        };
        let answer = self.answer(&request).await;
        self.api.read_token(reply(&answer)).map(Some)
    }

    async fn ask(&self, ids: &[String]) -> Result<Answered, Unanswered> {
        let token = self.token().await?;
        self.ask_with(token.as_ref(), ids).await
    }

    async fn ask_with(
        &self,
        token: Option<&Token>,
        ids: &[String],
    ) -> Result<Answered, Unanswered> {
        let asked: Vec<_> = ids.iter().map(|id| asked(id)).collect();
        let request = self.api.request(&self.access, token, &asked, None);
        let answer = self.answer(&request).await;
        self.api.read(&self.access, &asked, reply(&answer))
    }
}

fn asked(id: &str) -> Asked {
    Asked {
        provider_message_id: Some(id.to_owned()),
        client_reference: None,
        to: TO.to_owned(),
        from: Some("MYCLINIC".to_owned()),
        since: Timestamp::from_millis(0),
    }
}

fn reply(answer: &Answer) -> Reply<'_> {
    Reply {
        status: answer.status,
        content_type: answer.header("content-type"),
        retry_after: answer.header("retry-after"),
        body: answer.text.as_bytes(),
    }
}

/// Every provider that can be asked, with the path of its API.
const ASKED: [(&str, &str); 5] = [
    ("mtn", ""),
    ("twilio", ""),
    ("infobip", ""),
    ("vonage", ""),
    ("orange", "/smsmessaging/v1"),
];

#[tokio::test]
async fn every_status_api_tells_the_truth() {
    for (name, path) in ASKED {
        let simulator = simulator(name, &[]).await;
        let asking = Asking::of(name, &simulator, path);
        let mut ids = Vec::new();
        for outcome in OUTCOMES {
            let sent = json!({ "to": TO, "from": "MYCLINIC", "outcome": outcome });
            ids.push((simulator.send(sent).await, outcome));
        }
        for batch in ids.chunks(asking.api.batch()) {
            let wanted: Vec<_> = batch.iter().map(|(id, _)| id.clone()).collect();
            let answered = asking.ask(&wanted).await.unwrap();
            assert_eq!(answered.foreign, 0, "{name}");
            for (id, outcome) in batch {
                let mut reports = answered.reports.iter();
                let report = reports.find(|it| it.provider_message_id.as_ref() == Some(id));
                let state = report.unwrap().state.unwrap();
                assert_eq!(state.as_str(), *outcome, "{name}");
                let truth = simulator.message(id).await;
                assert_eq!(
                    (&truth["state"], &truth["asked"]),
                    (&json!(outcome), &json!(1))
                );
            }
        }
        let unknown = asking.ask(&["NOBODY0".to_owned()]).await;
        assert_eq!(unknown, Err(Unanswered::NotFound), "{name}");
        let requests = simulator.requests().await;
        assert_eq!(requests["asked_about"], 4, "{name}: {requests}");
    }
}

#[tokio::test]
async fn every_fault_is_what_it_looks_like() {
    for (name, path) in ASKED {
        let simulator = simulator(name, &[]).await;
        let asking = Asking::of(name, &simulator, path);
        let id = [simulator.send(json!({ "to": TO })).await];
        let token = asking.token().await.unwrap();
        let ask = async || asking.ask_with(token.as_ref(), &id).await;
        for (fault, expected) in [
            ("rate_limited", "SlowDown { retry_after: Some(1s) }"),
            ("errors", "Unavailable"),
            ("html", "Unreadable"),
            ("error_body", "Un"),
        ] {
            simulator.set(json!({ fault: 1 })).await;
            let unanswered = format!("{:?}", ask().await.unwrap_err());
            assert!(
                unanswered.starts_with(expected),
                "{name} {fault}: {unanswered}"
            );
            simulator.set(json!({ fault: 0 })).await;
        }
        simulator.set(json!({ "wrong_message": 1 })).await;
        let wrong = ask().await.unwrap();
        assert_eq!((wrong.reports.len(), wrong.foreign), (0, 1), "{name}");
        simulator
            .set(json!({ "wrong_message": 0, "refuse_credentials": true }))
            .await;
        let refused = ask().await.unwrap_err();
        assert!(
            matches!(refused, Unanswered::CredentialsRefused(_)),
            "{name}"
        );
        simulator.set(json!({ "refuse_credentials": false })).await;
        assert_eq!(ask().await.unwrap().reports.len(), 1, "{name}");
        let requests = simulator.requests().await;
        for count in [
            "rate_limited",
            "errors",
            "html",
            "error_bodies",
            "wrong_messages",
            "unauthorized",
        ] {
            assert_eq!(requests[count], 1, "{name}: {requests}");
        }
    }
}

#[tokio::test]
async fn only_the_credentials_that_are_wanted_are_taken() {
    let wanted = ["--api-user", "the-client_id", "--api-secret"];
    for (secret, is_taken) in [("the-client_secret", true), ("another", false)] {
        let simulator = simulator("mtn", &[&wanted[..], &[secret]].concat()).await;
        let token = Asking::of("mtn", &simulator, "").token().await;
        assert_eq!(token.is_ok(), is_taken, "{token:?}");
    }
    // A token that is none, and one that has run out.
    let simulator = simulator("mtn", &[]).await;
    let asking = Asking::of("mtn", &simulator, "");
    let id = [simulator.send(json!({ "to": TO })).await];
    assert!(asking.ask_with(None, &id).await.is_err());
    simulator.set(json!({ "token_lifetime": 0 })).await;
    let old = asking.token().await.unwrap();
    assert!(asking.ask_with(old.as_ref(), &id).await.is_err());
    simulator.set(json!({ "token_lifetime": 60 })).await;
    assert!(asking.ask(&id).await.is_ok());
}

#[tokio::test]
async fn the_inbox_has_what_phones_wrote_and_may_have_no_end() {
    let simulator = simulator("africastalking", &[]).await;
    let inbox = registry::find("africastalking")
        .unwrap()
        .inbox_api()
        .unwrap();
    let values = [("username", "me"), ("api_key", "k3y")];
    let access = Access {
        base_url: simulator.url().to_owned(),
        values: values
            .map(|(name, it)| (name.to_owned(), it.to_owned()))
            .into(),
    };
    for text in ["Hello", "STOP"] {
        let message = json!({ "from": "+254700000001", "to": "20880", "text": text });
        let put = simulator.api().post("/simulator/inbound", message).await;
        put.expect(201);
    }
    let fetch = async |after: Option<&str>| {
        let request = inbox.request(&access, after);
        let path = request.url.strip_prefix(simulator.url()).unwrap();
        let headers: Vec<_> = request
            .headers
            .iter()
            .map(|(name, it)| (*name, &**it))
            .collect();
        let answer = simulator.api().request("GET", path, &headers, "").await;
        inbox.read(&access, reply(&answer)).unwrap()
    };
    let fetched = fetch(None).await;
    assert_eq!((fetched.statements.len(), fetched.has_more), (2, false));
    assert_eq!(fetched.cursor.as_deref(), Some("2"));
    assert_eq!(fetch(Some("2")).await.statements.len(), 0);
    simulator.set(json!({ "endless_pages": true })).await;
    let mut cursor = None;
    for _ in 0..3 {
        let fetched = fetch(cursor.as_deref()).await;
        assert!(fetched.has_more && fetched.cursor > cursor, "{fetched:?}");
        cursor = fetched.cursor;
    }
}

#[tokio::test]
async fn the_stub_answers_with_its_own_reports_page_by_page() {
    let simulator = simulator("stub", &["--endless-pages", "--api-secret", SECRET]).await;
    let first = simulator.send(json!({ "to": TO })).await;
    let second = simulator
        .send(json!({ "to": TO, "outcome": "expired" }))
        .await;
    let path = format!("/status?ids={first},{second},nobody");
    let answer = simulator
        .api()
        .with_key(SECRET)
        .get(&path)
        .await
        .expect(200);
    assert_eq!(answer["messages"][0]["messageId"], first.as_str());
    assert_eq!(answer["messages"][0]["status"], "DELIVRD");
    assert_eq!(answer["messages"][1]["status"], "EXPIRED");
    assert_eq!(answer["messages"].as_array().unwrap().len(), 2);
    assert!(answer["next"].is_string());
    simulator.api().get(&path).await.expect(401);
    simulator
        .api()
        .with_key("another")
        .get(&path)
        .await
        .expect(401);
}
