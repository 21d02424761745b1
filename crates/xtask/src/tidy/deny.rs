//! `deny.toml` (for `cargo deny`) and the built-in checks must say the same.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::ban::{BANS, FEATURE_BANS};
use super::licence::ALLOWED;
use crate::tree::Tree;

const FILE: &str = "deny.toml";

/// The bans, the banned features and the allowed licences are the same in both places.
pub fn check(tree: &Tree) -> Vec<String> {
    let parsed = tree.require(FILE).and_then(|text| {
        text.parse::<Table>()
            .map_err(|error| format!("{FILE} is not TOML: {}", error.message()))
    });
    let file = match parsed {
        Ok(file) => file,
        Err(message) => return vec![message],
    };
    let bans = section(&file, "bans");
    let licences = section(&file, "licenses");
    let mut findings = compare("ban", &expected_bans(), &listed(bans, "deny", ban_spec));
    findings.extend(compare(
        "banned feature",
        &expected_features(),
        &listed(bans, "features", feature_specs),
    ));
    let names = |value: &Value| vec![value.as_str().unwrap_or_default().to_owned()];
    let allowed = ALLOWED.iter().map(|name| (*name).to_owned()).collect();
    findings.extend(compare(
        "licence",
        &allowed,
        &listed(licences, "allow", names),
    ));
    findings
}

fn section<'a>(file: &'a Table, name: &str) -> Option<&'a Table> {
    file.get(name).and_then(Value::as_table)
}

fn listed(
    section: Option<&Table>,
    key: &str,
    specs: impl Fn(&Value) -> Vec<String>,
) -> BTreeSet<String> {
    let list = section
        .and_then(|section| section.get(key))
        .and_then(Value::as_array);
    list.into_iter().flatten().flat_map(specs).collect()
}

/// cargo-deny writes a version requirement after a colon.
fn expected_bans() -> BTreeSet<String> {
    let spec = |name: &str, below: Option<&str>| match below {
        Some(version) => format!("{name}:<{version}"),
        None => name.to_owned(),
    };
    BANS.iter().map(|ban| spec(ban.name, ban.below)).collect()
}

fn expected_features() -> BTreeSet<String> {
    FEATURE_BANS
        .iter()
        .flat_map(|ban| {
            ban.features
                .iter()
                .map(|feature| format!("{}/{feature}", ban.name))
        })
        .collect()
}

fn ban_spec(entry: &Value) -> Vec<String> {
    let spec = entry.get("crate").unwrap_or(entry);
    vec![spec.as_str().unwrap_or_default().to_owned()]
}

fn feature_specs(entry: &Value) -> Vec<String> {
    let name = entry
        .get("crate")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let denied = entry.get("deny").and_then(Value::as_array);
    denied
        .into_iter()
        .flatten()
        .map(|feature| format!("{name}/{}", feature.as_str().unwrap_or_default()))
        .collect()
}

fn compare(what: &str, ours: &BTreeSet<String>, theirs: &BTreeSet<String>) -> Vec<String> {
    let missing = ours
        .difference(theirs)
        .map(|name| format!("{FILE} lacks the {what} `{name}`"));
    let extra = theirs
        .difference(ours)
        .map(|name| format!("{FILE} has the {what} `{name}`, which the built-in check lacks"));
    missing.chain(extra).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agreeing() -> String {
        let quoted = |names: BTreeSet<String>| {
            names
                .iter()
                .map(|name| format!("\"{name}\""))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let allowed = ALLOWED.iter().map(|name| (*name).to_owned()).collect();
        let features = FEATURE_BANS.iter().fold(String::new(), |text, ban| {
            let (name, features) = (ban.name, ban.features);
            text + &format!(
                "[[bans.features]]
crate = \"{name}\"
deny = {features:?}
"
            )
        });
        format!(
            "[licenses]\nallow = [{}]\n[bans]\ndeny = [{}]\n{features}",
            quoted(allowed),
            quoted(expected_bans()),
        )
    }

    fn findings(text: &str) -> Vec<String> {
        check(&Tree::of(&[(FILE, text)]))
    }

    #[test]
    fn a_file_that_agrees_is_fine() {
        assert_eq!(findings(&agreeing()), Vec::<String>::new());
    }

    #[test]
    fn a_ban_may_be_a_name_or_a_table_with_a_reason() {
        let text = agreeing().replace("\"atty\"", "{ crate = \"atty\", reason = \"old\" }");
        assert_eq!(findings(&text), Vec::<String>::new());
    }

    #[test]
    fn what_one_side_lacks_is_named() {
        let text = agreeing()
            .replace("\"h2:<0.4\"", "\"h2\"")
            .replace("\"ISC\"", "\"GPL-3.0\"")
            .replacen("\"http2\"", "\"ws\"", 1);
        assert_eq!(
            findings(&text),
            [
                "deny.toml lacks the ban `h2:<0.4`",
                "deny.toml has the ban `h2`, which the built-in check lacks",
                "deny.toml lacks the banned feature `actix-http/http2`",
                "deny.toml has the banned feature `actix-http/ws`, which the built-in check lacks",
                "deny.toml lacks the licence `ISC`",
                "deny.toml has the licence `GPL-3.0`, which the built-in check lacks",
            ]
        );
    }

    #[test]
    fn a_file_that_is_missing_or_broken_is_said() {
        assert_eq!(check(&Tree::default()), ["deny.toml does not exist"]);
        assert!(findings("[bans")[0].starts_with("deny.toml is not TOML"));
    }
}
