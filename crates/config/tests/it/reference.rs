use std::collections::BTreeMap;

use tidings_config::{DEFAULT, KEYS};

use crate::from_text;

/// The keys that `config/default.toml` shows, in order, each with whether it is commented out.
fn documented() -> Vec<(String, bool)> {
    let mut section = String::new();
    let mut keys = Vec::new();
    for line in DEFAULT.lines() {
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            section = format!("{name}.");
        } else if let Some(name) = key_of(line) {
            keys.push((format!("{section}{name}"), false));
        } else if let Some(name) = line.strip_prefix("# ").and_then(key_of) {
            keys.push((format!("{section}{name}"), true));
        }
    }
    keys
}

fn key_of(line: &str) -> Option<&str> {
    let (name, _) = line.split_once(" = ")?;
    name.bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        .then_some(name)
}

#[test]
fn every_key_is_documented_once_in_order_and_no_other() {
    let documented: Vec<String> = documented().into_iter().map(|(name, _)| name).collect();
    let keys: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
    assert_eq!(documented, keys);
}

#[test]
fn what_has_no_default_is_commented_out() {
    let commented: Vec<String> = documented()
        .into_iter()
        .filter(|(_, commented)| *commented)
        .map(|(name, _)| name)
        .collect();
    assert_eq!(
        commented,
        [
            "store.encryption_key",
            "store.previous_encryption_key",
            "ingress.public_url",
            "subscriptions.public_url",
            "subscriptions.admin_key",
            "egress.proxy",
            "dispatcher.retry",
            "telemetry.otlp_endpoint"
        ]
    );
}

#[test]
fn every_key_has_a_comment_that_tells_whether_it_may_come_from_a_file() {
    let comments = comments();
    for key in KEYS {
        let comment = &comments[key.name.rsplit('.').next().unwrap()];
        assert!(!comment.is_empty(), "{} has no comment", key.name);
    }
    let from_file = KEYS.iter().filter(|key| key.from_file).count();
    let marked = DEFAULT.matches("[or from a file]").count();
    // One is the explanation at the top.
    assert_eq!(marked, from_file + 1);
}

/// The comment above each key, by its last name.
fn comments() -> BTreeMap<String, String> {
    let mut comments = BTreeMap::new();
    let mut comment = String::new();
    for line in DEFAULT.lines() {
        match key_of(line.strip_prefix("# ").unwrap_or(line)) {
            Some(name) => drop(comments.insert(name.to_owned(), std::mem::take(&mut comment))),
            None if line.starts_with('#') => comment.push_str(line),
            None => comment.clear(),
        }
    }
    comments
}

#[test]
fn the_commented_examples_are_valid_except_the_secrets() {
    let text = |secrets: bool| {
        let shown = |line: &str| match line
            .strip_prefix("# ")
            .filter(|rest| key_of(rest).is_some())
        {
            Some(example) if secrets || !example.contains('<') => example.to_owned(),
            _ => line.to_owned(),
        };
        DEFAULT.lines().map(shown).collect::<Vec<_>>().join("\n")
    };
    let config = from_text(&text(false)).unwrap();
    assert!(config.ingress.public_url.is_some() && config.telemetry.otlp_endpoint.is_some());
    // A key that everybody can read in the documentation must not work.
    assert!(
        from_text(&text(true))
            .unwrap_err()
            .to_string()
            .starts_with("`store.encryption_key`")
    );
    from_text("subscriptions.admin_key = \"<at least 16 characters>\"").unwrap_err();
}
