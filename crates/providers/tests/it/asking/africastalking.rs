use super::*;
use domain::callback::Statement;
use tidings_providers::ask::{Fetched, InboxApi};

fn inbox() -> &'static dyn InboxApi {
    find("africastalking").inbox_api().unwrap()
}

fn read(body: &str) -> Fetched {
    inbox().read(&access(&[]), reply(200, body)).unwrap()
}

#[test]
fn the_inbox_is_asked_from_the_cursor_on() {
    let access = access(&[("username", "my app"), ("api_key", "k3y")]);
    for (after, id) in [(None, "0"), (Some("15071"), "15071")] {
        assert_eq!(
            written(&inbox().request(&access, after)),
            format!(
                "GET https://api.example/version1/messaging?username=my%20app&lastReceivedId={id} \
                 apikey: k3y accept: application/json "
            )
        );
    }
    assert!(find("africastalking").status_api().is_none());
}

#[test]
fn what_phones_wrote_is_read_and_the_greatest_id_is_the_cursor() {
    let fetched = read(&fixture("africastalking/fetch_inbox_200.json"));
    let [Statement::Inbound(inbound)] = &fetched.statements[..] else {
        panic!("{fetched:?}")
    };
    assert_eq!(inbound.provider_message_id.as_deref(), Some("15071"));
    assert_eq!((&*inbound.from, &*inbound.to), ("+254700000001", "28901"));
    assert_eq!(inbound.text, "Hello");
    assert_eq!(
        inbound.provider_time.unwrap().to_string(),
        "2026-03-19T08:34:18.445Z"
    );
    assert_eq!(fetched.cursor.as_deref(), Some("15071"));
    assert!(!fetched.has_more);
    assert_eq!(
        read(&fixture("africastalking/fetch_inbox_empty_200.json")),
        Fetched::default()
    );
}

#[test]
fn a_full_page_may_not_be_the_last() {
    let page = |count: u64| {
        let entries: Vec<_> = (1..=count)
            .rev()
            .map(|id| format!(r#"{{"id":{id},"from":"+254700000001","to":"1","text":"x"}}"#))
            .collect();
        format!(
            r#"{{"SMSMessageData":{{"Messages":[{}]}}}}"#,
            entries.join(",")
        )
    };
    let (full, short) = (read(&page(100)), read(&page(99)));
    assert_eq!((full.statements.len(), full.has_more), (100, true));
    assert_eq!(full.cursor.as_deref(), Some("100"));
    assert!(!short.has_more);
}

#[test]
fn a_message_that_cannot_be_read_is_passed_over() {
    let fetched = read(
        r#"{"SMSMessageData":{"Messages":[{"id":"9","from":"1","to":"2"},{"id":7,"from":"1","to":"2","text":""},
        {"id":"None","from":"1","to":"2","text":"x"},{"id":99999999999999999999,"from":"1","to":"2","text":"x"}]}}"#,
    );
    assert_eq!(fetched.statements.len(), 1);
    assert_eq!(fetched.cursor.as_deref(), Some("9"));
    for body in [
        "{}",
        "<html>",
        r#"{"SMSMessageData":{}}"#,
        r#"{"SMSMessageData":{"Messages":[1]}}"#,
    ] {
        let read = inbox().read(&access(&[]), reply(200, body));
        assert!(matches!(read, Err(Unanswered::Unreadable(_))), "{body}");
    }
}
