//! What a schema may cost. Every subschema that may be applied to one and the same value is counted,
//! references included: what a value costs at most is a property of the schema then, and what all values
//! of an event cost is a product. Recursion would make it endless and is refused.

use super::keyword::{ANNOTATIONS, ASSERTIONS, BELOW, HERE, LISTS_HERE, NAMED_HERE, refusal};
use crate::fault::{Fault, MOST_FAULTS, escaped};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";
const REFERENCE: &str = "#/$defs/";
/// The most comparisons that one value may need.
const MAX_WEIGHT: u64 = 1_000;
/// The most subschemas, each counted as often as it is referred to.
const MAX_SUBSCHEMAS: u64 = 5_000;
const MAX_PATTERN_BYTES: usize = 256;
/// What a pattern costs, in comparisons.
const PATTERN_WEIGHT: u64 = 16;

/// What a schema costs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bound {
    /// How many comparisons a value may need.
    pub weight: u64,
    /// Whether it says more than that data is an object.
    pub asserts: bool,
}

/// Judges what the schema, which is a valid one, costs.
pub(super) fn judge(schema: &Value) -> Result<Bound, Vec<Fault>> {
    let mut walk = Walk {
        definitions: schema.get("$defs").and_then(Value::as_object),
        known: BTreeMap::new(),
        asserts: false,
        faults: Vec::new(),
    };
    walk.judge_root(schema);
    let mut cost = walk.cost_of(schema, "");
    // What nothing refers to is judged as well.
    for name in walk.definitions.into_iter().flat_map(Map::keys) {
        let of_definition = walk.cost_of_definition(name, "");
        cost.subschemas = cost.subschemas.saturating_add(of_definition.subschemas);
    }
    if walk.faults.is_empty() && cost.load() > MAX_WEIGHT {
        let detail = format!(
            "too much may apply to one value ({}, of at most {MAX_WEIGHT}): write fewer alternatives, \
             properties and patterns",
            cost.load()
        );
        walk.fault("", detail);
    }
    if walk.faults.is_empty() && cost.subschemas > MAX_SUBSCHEMAS {
        let detail =
            format!("write at most {MAX_SUBSCHEMAS} subschemas, each counted where it is used");
        walk.fault("", detail);
    }
    if walk.faults.is_empty() {
        return Ok(Bound {
            weight: cost.load(),
            asserts: walk.asserts,
        });
    }
    Err(walk.faults)
}

/// What a subschema costs.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    /// Comparisons with the value that it is applied to.
    here: u64,
    /// The most comparisons with any one value inside of that.
    below: u64,
    subschemas: u64,
}

impl Cost {
    /// The most comparisons with any one value.
    fn load(self) -> u64 {
        self.here.max(self.below)
    }

    /// Adds what is applied to the same value.
    fn add_here(&mut self, other: Self) {
        self.here = self.here.saturating_add(other.here);
        self.below = self.below.saturating_add(other.below);
        self.subschemas = self.subschemas.saturating_add(other.subschemas);
    }

    /// Adds what is applied to what is inside.
    fn add_below(&mut self, other: Self) {
        self.below = self.below.saturating_add(other.load());
        self.subschemas = self.subschemas.saturating_add(other.subschemas);
    }

    /// Adds those of which each value inside has one.
    fn add_one_of_below(&mut self, others: impl Iterator<Item = Self>) {
        let mut most = 0;
        for other in others {
            most = most.max(other.load());
            self.subschemas = self.subschemas.saturating_add(other.subschemas);
        }
        self.below = self.below.saturating_add(most);
    }
}

struct Walk<'a> {
    definitions: Option<&'a Map<String, Value>>,
    /// What definitions cost; none while that is being found out.
    known: BTreeMap<String, Option<Cost>>,
    asserts: bool,
    faults: Vec<Fault>,
}

impl<'a> Walk<'a> {
    fn fault(&mut self, pointer: &str, detail: impl AsRef<str>) {
        if self.faults.len() < MOST_FAULTS {
            self.faults.push(Fault::new(pointer, detail));
        }
    }

    fn judge_root(&mut self, schema: &Value) {
        if schema.get("type").and_then(Value::as_str) != Some("object") {
            self.fault("/type", "data is an object: write \"type\": \"object\"");
        }
        let draft = schema.get("$schema").and_then(Value::as_str);
        if draft.is_some_and(|draft| draft.trim_end_matches('#') != DRAFT) {
            self.fault("/$schema", format!("write {DRAFT}, or nothing"));
        }
    }

    fn cost_of(&mut self, schema: &'a Value, at: &str) -> Cost {
        let Some(members) = schema.as_object() else {
            // `false` allows nothing.
            self.asserts |= schema.as_bool() == Some(false);
            return Cost {
                here: 1,
                below: 0,
                subschemas: 1,
            };
        };
        let mut cost = Cost {
            here: 1,
            below: 0,
            subschemas: 1,
        };
        for (keyword, value) in members {
            let here = format!("{at}/{}", escaped(keyword));
            self.add_keyword(&mut cost, keyword, value, &here, at.is_empty());
        }
        cost
    }

    fn add_keyword(
        &mut self,
        cost: &mut Cost,
        keyword: &str,
        value: &'a Value,
        at: &str,
        is_root: bool,
    ) {
        match keyword {
            "$schema" | "$defs" if is_root => {}
            "$schema" | "$defs" => self.fault(at, "write this at the top of the schema"),
            "$ref" => self.add_reference(cost, value, at),
            "properties" => {
                let count = value.as_object().map_or(0, Map::len);
                cost.here = cost
                    .here
                    .saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
                let costs = self.costs_by_name(value, at);
                cost.add_one_of_below(costs.into_iter());
            }
            "patternProperties" => self.add_patterns(cost, value, at),
            "prefixItems" => {
                self.asserts = true;
                let costs = self.costs_of_list(value, at);
                cost.add_one_of_below(costs.into_iter());
            }
            _ if BELOW.contains(&keyword) => {
                self.asserts |= value.as_bool() != Some(true);
                let inside = self.cost_of(value, at);
                cost.add_below(inside);
            }
            _ if HERE.contains(&keyword) => {
                self.asserts = true;
                let same = self.cost_of(value, at);
                cost.add_here(same);
            }
            _ if LISTS_HERE.contains(&keyword) => {
                self.asserts = true;
                let all = self.costs_of_list(value, at);
                for same in all {
                    cost.add_here(same);
                }
            }
            _ if NAMED_HERE.contains(&keyword) => {
                self.asserts = true;
                let all = self.costs_by_name(value, at);
                for same in all {
                    cost.add_here(same);
                }
            }
            _ if ASSERTIONS.contains(&keyword) => {
                self.asserts |= !(is_root && keyword == "type");
                cost.here = cost.here.saturating_add(weight_of(keyword, value));
                if keyword == "pattern" {
                    self.judge_pattern(value.as_str().unwrap_or_default(), at);
                }
            }
            _ if ANNOTATIONS.contains(&keyword) || keyword.starts_with("x-") => {}
            _ => self.fault(
                at,
                refusal(keyword).unwrap_or("this is no keyword of JSON Schema 2020-12"),
            ),
        }
    }

    fn add_reference(&mut self, cost: &mut Cost, value: &Value, at: &str) {
        let name = value.as_str().and_then(|text| text.strip_prefix(REFERENCE));
        let Some(name) = name.filter(|name| !name.contains(['/', '~', '%'])) else {
            return self.fault(
                at,
                "refer to \"#/$defs/NAME\" of this schema: nothing is fetched, no schema contains itself",
            );
        };
        if !self.definitions.is_some_and(|all| all.contains_key(name)) {
            return self.fault(at, "there is no such definition in $defs");
        }
        let same = self.cost_of_definition(name, at);
        cost.add_here(same);
    }

    fn cost_of_definition(&mut self, name: &str, referred_at: &str) -> Cost {
        match self.known.get(name) {
            Some(Some(known)) => return *known,
            Some(None) => {
                self.fault(referred_at, "a schema may not contain itself");
                return Cost::default();
            }
            None => {}
        }
        let Some(schema) = self.definitions.and_then(|all| all.get(name)) else {
            return Cost::default();
        };
        self.known.insert(name.to_owned(), None);
        let cost = self.cost_of(schema, &format!("/$defs/{}", escaped(name)));
        self.known.insert(name.to_owned(), Some(cost));
        cost
    }

    fn costs_by_name(&mut self, value: &'a Value, at: &str) -> Vec<Cost> {
        let members = value.as_object().into_iter().flatten();
        members
            .map(|(name, schema)| self.cost_of(schema, &format!("{at}/{}", escaped(name))))
            .collect()
    }

    fn costs_of_list(&mut self, value: &'a Value, at: &str) -> Vec<Cost> {
        let items = value.as_array().into_iter().flatten().enumerate();
        items
            .map(|(index, schema)| self.cost_of(schema, &format!("{at}/{index}")))
            .collect()
    }

    fn add_patterns(&mut self, cost: &mut Cost, value: &'a Value, at: &str) {
        self.asserts = true;
        for (pattern, schema) in value.as_object().into_iter().flatten() {
            let here = format!("{at}/{}", escaped(pattern));
            self.judge_pattern(pattern, &here);
            cost.here = cost.here.saturating_add(PATTERN_WEIGHT);
            let mut inside = self.cost_of(schema, &here);
            // Each is compared with every name.
            inside.here = inside.here.saturating_add(PATTERN_WEIGHT);
            cost.add_below(inside);
        }
    }

    fn judge_pattern(&mut self, pattern: &str, at: &str) {
        if pattern.len() > MAX_PATTERN_BYTES {
            self.fault(at, format!("write at most {MAX_PATTERN_BYTES} bytes"));
        }
    }
}

/// What a plain comparison costs.
fn weight_of(keyword: &str, value: &Value) -> u64 {
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    match (keyword, value) {
        // Of fractions it is a long division.
        ("pattern" | "multipleOf", _) => PATTERN_WEIGHT,
        ("uniqueItems", _) => PATTERN_WEIGHT / 2,
        ("enum" | "const" | "dependentRequired", value) => super::values(value),
        ("required", Value::Array(names)) => count(names.len()),
        _ => 0,
    }
}
