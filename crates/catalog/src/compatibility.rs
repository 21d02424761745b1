//! Whether a version breaks those who know the one before: it may add members that may be left out,
//! and say more to people. Anything else either refuses what publishers send, or sends what receivers
//! do not expect.

use crate::fault::{Fault, MOST_FAULTS, escaped};
use crate::schema::ANNOTATIONS;
use serde_json::{Map, Value};

/// What breaks, of a schema that comes after another. Both were judged before. At most so many as an
/// answer tells; the pointers begin at the new schema.
pub fn differences(old: &Value, new: &Value) -> Vec<Fault> {
    let mut found = Vec::new();
    compare(old, new, "", &mut found);
    found.truncate(MOST_FAULTS);
    found
}

fn compare(old: &Value, new: &Value, at: &str, found: &mut Vec<Fault>) {
    let (Value::Object(before), Value::Object(after)) = (old, new) else {
        if old != new {
            found.push(Fault::new(at, "it is another schema than before"));
        }
        return;
    };
    let mut keywords: Vec<&String> = before.keys().chain(after.keys()).collect();
    keywords.sort();
    keywords.dedup();
    for keyword in keywords {
        if found.len() >= MOST_FAULTS {
            return;
        }
        let is_said = ANNOTATIONS.contains(&keyword.as_str()) || keyword.starts_with("x-");
        if !is_said && keyword != "$schema" {
            let here = format!("{at}/{}", escaped(keyword));
            compare_keyword(keyword, before, after, &here, found);
        }
    }
}

fn compare_keyword(
    keyword: &str,
    before: &Map<String, Value>,
    after: &Map<String, Value>,
    at: &str,
    found: &mut Vec<Fault>,
) {
    let (old, new) = (before.get(keyword), after.get(keyword));
    match (keyword, old, new) {
        ("properties", old, new) => compare_properties(before, old, new, at, found),
        ("required", old, new) => compare_required(old, new, at, found),
        ("$defs", old, new) => {
            // What is new there is compared where it is used.
            for (name, old) in old.and_then(Value::as_object).into_iter().flatten() {
                if let Some(new) = new.and_then(|all| all.get(name)) {
                    compare(old, new, &format!("{at}/{}", escaped(name)), found);
                }
            }
        }
        ("items" | "additionalProperties" | "contains" | "propertyNames", Some(old), Some(new)) => {
            compare(old, new, at, found);
        }
        (
            "prefixItems" | "allOf" | "anyOf" | "oneOf",
            Some(Value::Array(old)),
            Some(Value::Array(new)),
        ) if old.len() == new.len() => {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                compare(old, new, &format!("{at}/{index}"), found);
            }
        }
        (_, old, new) if old == new => {}
        (_, None, _) => found.push(Fault::new(at, "this was not said before")),
        (_, _, None) => found.push(Fault::new(at, "this was said before")),
        _ => found.push(Fault::new(at, "this is not as before")),
    }
}

fn compare_properties(
    before: &Map<String, Value>,
    old: Option<&Value>,
    new: Option<&Value>,
    at: &str,
    found: &mut Vec<Fault>,
) {
    let empty = Map::new();
    let members = |value: Option<&'_ Value>| value.and_then(Value::as_object).cloned();
    let (old, new) = (
        members(old).unwrap_or_else(|| empty.clone()),
        members(new).unwrap_or(empty),
    );
    for (name, old) in &old {
        let here = format!("{at}/{}", escaped(name));
        match new.get(name) {
            Some(new) => compare(old, new, &here, found),
            None => found.push(Fault::new(here, "this member is gone")),
        }
    }
    let others = before.get("additionalProperties");
    let was_closed = others.is_some_and(|others| others != &Value::Bool(true))
        || before.contains_key("patternProperties")
        || before.contains_key("propertyNames");
    for name in new.keys().filter(|name| !old.contains_key(*name)) {
        if was_closed {
            let here = format!("{at}/{}", escaped(name));
            found.push(Fault::new(
                here,
                "this member is new where others were not allowed, or only in a form",
            ));
        }
    }
}

fn compare_required(old: Option<&Value>, new: Option<&Value>, at: &str, found: &mut Vec<Fault>) {
    let names = |value: Option<&Value>| -> Vec<String> {
        let items = value.and_then(Value::as_array).into_iter().flatten();
        items.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let (old, new) = (names(old), names(new));
    for name in new.iter().filter(|name| !old.contains(name)) {
        let detail = format!(
            "{:?} may not be left out any more",
            domain::text::cut(name, 64)
        );
        found.push(Fault::new(at, detail));
    }
    for name in old.iter().filter(|name| !new.contains(name)) {
        let detail = format!("{:?} may be left out now", domain::text::cut(name, 64));
        found.push(Fault::new(at, detail));
    }
}
