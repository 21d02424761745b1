//! Event types that tenants and the operator bring.

use crate::scene::Scene;
use domain::catalog::MAX_OWN_TYPES;
use domain::id::TenantId;
use domain::json::Raw;
use tidings_store::event_type::{Added, Change, NewVersion};

fn raw(text: &str) -> Raw {
    Raw::parse(text.to_owned()).unwrap()
}

fn version(name: &str, number: u32) -> NewVersion {
    NewVersion {
        name: name.to_owned(),
        description: Some("Something happened.".to_owned()),
        is_deprecated: false,
        number,
        schema: raw(r#"{"type":"object", "title":"1.00"}"#),
        example: raw(r#"{"z":1.00,"a":12345678901234567890}"#),
        is_breaking: number == 2,
        upgrade: (number == 2).then(|| raw("[]")),
        downgrade: None,
    }
}

async fn add(scene: &Scene, owner: TenantId, all: Vec<NewVersion>) -> Vec<Added> {
    let now = scene.clock.now();
    scene
        .store
        .add_event_type_versions(owner, all, now)
        .await
        .unwrap()
}

async fn versions_are_added_one_after_another_and_stay_as_they_were_written(scene: Scene) {
    let (store, tenant) = (&scene.store, scene.tenant);
    let first = add(
        &scene,
        tenant,
        vec![version("b.two", 1), version("a.one", 1)],
    )
    .await;
    assert_eq!(first, [Added::New, Added::New]);
    // Whoever judged by what was there before comes too late.
    let second = add(
        &scene,
        tenant,
        vec![
            version("a.one", 1),
            version("b.two", 2),
            version("c.none", 2),
        ],
    )
    .await;
    assert_eq!(second, [Added::Overtaken, Added::New, Added::Overtaken]);
    let found = store
        .find_event_type(tenant, "b.two".to_owned())
        .await
        .unwrap()
        .unwrap();
    assert_eq!((found.owner, found.newest), (tenant, 2));
    let found = store
        .event_type_versions(tenant, "b.two".to_owned(), 1, 9)
        .await
        .unwrap();
    assert_eq!(
        found.iter().map(|one| one.number).collect::<Vec<_>>(),
        [1, 2]
    );
    assert_eq!(
        found[0].example,
        raw(r#"{"z":1.00,"a":12345678901234567890}"#)
    );
    assert_eq!(
        (&found[0].upgrade, found[1].upgrade.as_ref()),
        (&None, Some(&raw("[]")))
    );
    let newest = store
        .newest_versions(tenant, vec!["b.two".to_owned(), "x.y".to_owned()])
        .await
        .unwrap();
    assert_eq!((newest.len(), newest[0].1.number), (1, 2));
    let change = Change {
        description: Some(None),
        is_archived: Some(true),
        ..Change::default()
    };
    let now = scene.clock.now();
    let changed = store
        .change_event_type(tenant, "a.one".to_owned(), change, now)
        .await
        .unwrap()
        .unwrap();
    assert!(changed.is_archived && !changed.is_deprecated && changed.description.is_none());
    let other = store
        .change_event_type(tenant, "x.y".to_owned(), Change::default(), now)
        .await
        .unwrap();
    assert_eq!(other, None);
}
on_each_engine!(versions_are_added_one_after_another_and_stay_as_they_were_written);

async fn a_tenant_sees_its_own_types_and_the_operators(scene: Scene) {
    let (store, tenant) = (&scene.store, scene.tenant);
    let names = ["a.b_c", "a.bc", "a_b.c", "z.z"];
    add(
        &scene,
        tenant,
        vec![version(names[1], 1), version(names[3], 1)],
    )
    .await;
    let of_operator = vec![
        version(names[0], 1),
        version(names[1], 1),
        version(names[2], 1),
    ];
    add(&scene, TenantId::PLATFORM, of_operator).await;
    // In the order of their bytes, whatever the language of the database.
    let mut expected = names.to_vec();
    expected.sort_unstable();
    let found = store.event_type_names(tenant).await.unwrap();
    let found: Vec<String> = found.into_iter().map(|(name, _)| name).collect();
    assert_eq!(found, expected);
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = store.list_event_types(tenant, after, 1).await.unwrap();
        let Some((of, _)) = page.into_iter().next() else {
            break;
        };
        after = Some(of.name.clone());
        listed.push((of.name, of.owner == tenant));
    }
    let own = |name: &str| name == names[1] || name == names[3];
    let expected: Vec<_> = expected
        .iter()
        .map(|name| ((*name).to_owned(), own(name)))
        .collect();
    assert_eq!(listed, expected);
    let other = TenantId::new(scene.clock.now(), &domain::Random::seeded(9));
    assert_eq!(store.event_type_names(other).await.unwrap().len(), 3);
    assert_eq!(
        store
            .event_type_names(TenantId::PLATFORM)
            .await
            .unwrap()
            .len(),
        3
    );
    // What no type can be called is asked for in vain.
    let odd = vec!["a\0".to_owned(), String::new(), "x".repeat(10_000)];
    assert!(
        store
            .find_event_types(tenant, odd.clone())
            .await
            .unwrap()
            .is_empty()
    );
    assert!(store.newest_versions(tenant, odd).await.unwrap().is_empty());
}
on_each_engine!(a_tenant_sees_its_own_types_and_the_operators);

async fn nobody_has_more_types_than_there_may_be(scene: Scene) {
    let letters = |n: usize| -> String {
        let digit =
            |place: u32| char::from(b'a' + u8::try_from(n / 26_usize.pow(place) % 26).unwrap());
        (0..3).map(digit).collect()
    };
    let all: Vec<NewVersion> = (0..=MAX_OWN_TYPES)
        .map(|n| version(&format!("a.{}", letters(n)), 1))
        .collect();
    let added = add(&scene, scene.tenant, all).await;
    assert_eq!(
        added.iter().filter(|one| **one == Added::New).count(),
        MAX_OWN_TYPES
    );
    assert_eq!(added.last(), Some(&Added::TooMany));
    // A version of what is there still fits.
    assert_eq!(
        add(&scene, scene.tenant, vec![version("a.aaa", 2)]).await,
        [Added::New]
    );
}
on_each_engine!(nobody_has_more_types_than_there_may_be);
