use domain::catalog::TYPES;
use domain::id::TenantId;
use domain::plan::{Limit, Mark, Use, day_of, end_of};
use domain::{Random, Timestamp};
use serde_json::Value;
use tidings_catalog::built_in;

#[test]
fn every_type_that_ships_has_a_description_a_schema_and_an_example_that_fits() {
    let shipped: Vec<&str> = built_in::all()
        .iter()
        .map(|one| one.name.as_str())
        .collect();
    let mut names: Vec<&str> = TYPES.iter().map(|one| one.name).collect();
    names.sort_unstable();
    assert_eq!(shipped, names);
    for one in built_in::all() {
        assert!(one.description.ends_with('.'), "{}", one.name);
        let schema = one
            .compiled()
            .unwrap_or_else(|faults| panic!("{}: {faults:?}", one.name));
        assert_eq!(schema.check(&one.example), Ok(()), "{}", one.name);
        let category = domain::catalog::category(&one.name);
        assert!(built_in::category(category).is_some(), "{category}");
    }
}

#[test]
fn a_type_that_tidings_raises_says_what_every_member_is() {
    for name in TYPES
        .iter()
        .filter(|one| one.is_raised_by_us)
        .map(|one| one.name)
    {
        // What a test of a webhook says is for whoever asks for it.
        if name == "webhook.test" {
            continue;
        }
        let one = built_in::find(name).unwrap();
        let schema: Value = serde_json::from_str(one.schema.as_str()).unwrap();
        let properties = schema["properties"]
            .as_object()
            .unwrap_or_else(|| panic!("{name}"));
        assert!(
            properties.values().all(|of| of["description"].is_string()),
            "{name}"
        );
        let example: Value = serde_json::from_str(one.example.as_str()).unwrap();
        let members = example.as_object().unwrap();
        assert!(
            members.keys().all(|member| properties.contains_key(member)),
            "{name}"
        );
        assert!(!schema["required"].as_array().unwrap().is_empty(), "{name}");
        let empty = crate::raw(serde_json::json!({}));
        assert!(one.compiled().unwrap().check(&empty).is_err(), "{name}");
    }
}

#[test]
fn what_others_publish_is_described_and_not_constrained() {
    let anything = crate::raw(serde_json::json!({"job_id": [1], "x": {"y": null}}));
    for name in TYPES
        .iter()
        .filter(|one| !one.is_raised_by_us)
        .map(|one| one.name)
    {
        let schema = built_in::find(name).unwrap().compiled().unwrap();
        assert_eq!(schema.check(&anything), Ok(()), "{name}");
    }
}

#[test]
fn what_is_told_of_limits_is_what_its_types_say() {
    let (now, random) = (Timestamp::from_millis(0), Random::seeded(7));
    let tenant = TenantId::new(now, &random);
    for (limit, resets_at) in [
        (Limit::EventsPerDay, Some(end_of(day_of(now)))),
        (Limit::Webhooks, None),
    ] {
        let used = Use {
            limit,
            plan: "starter".to_owned(),
            used: 8,
            allowed: 10,
            resets_at,
        };
        for mark in [Mark::Warning, Mark::Reached] {
            let told = used.events(tenant, mark, now, &random);
            assert_eq!(told.len(), 2);
            for event in told {
                let shipped = built_in::find(&event.event_type).unwrap();
                let schema = shipped.compiled().unwrap();
                assert_eq!(schema.check(&event.data), Ok(()), "{}", event.event_type);
                let said: Value = serde_json::from_str(event.data.as_str()).unwrap();
                let example: Value = serde_json::from_str(shipped.example.as_str()).unwrap();
                let names = |of: &Value| of.as_object().unwrap().keys().cloned().collect();
                let (said, known): (Vec<String>, Vec<String>) = (names(&said), names(&example));
                assert_eq!(said, known);
            }
        }
    }
}
