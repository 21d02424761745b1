//! Both migration trees lead to the same tables, columns and indexes.

use std::collections::{BTreeMap, BTreeSet};

use super::sql::{Index, Schema};
use crate::tree::Tree;

const SQLITE: &str = "migrations/sqlite";
const POSTGRES: &str = "migrations/postgres";

/// The same migrations in both trees, each with an `up.sql`, and after each the same schema by name:
/// tables, their columns in order, indexes with their table and uniqueness. Types may differ.
pub fn check(tree: &Tree) -> Vec<String> {
    let (sqlite, postgres) = (names(tree, SQLITE), names(tree, POSTGRES));
    let mut findings = one_sided(&sqlite, &postgres);
    let mut schemas = (Schema::default(), Schema::default());
    for name in sqlite.intersection(&postgres) {
        let mut changed = Vec::new();
        changed.extend(apply(tree, SQLITE, name, &mut schemas.0));
        changed.extend(apply(tree, POSTGRES, name, &mut schemas.1));
        if changed.is_empty() {
            changed = compare(name, &schemas.0, &schemas.1);
        }
        if !changed.is_empty() {
            // What follows would only repeat it.
            findings.extend(changed);
            break;
        }
    }
    findings
}

fn names<'a>(tree: &'a Tree, side: &str) -> BTreeSet<&'a str> {
    tree.iter()
        .filter_map(|(path, _)| path.strip_prefix(side)?.strip_prefix('/')?.split_once('/'))
        .map(|(name, _)| name)
        .collect()
}

fn one_sided(sqlite: &BTreeSet<&str>, postgres: &BTreeSet<&str>) -> Vec<String> {
    let empty = [(SQLITE, sqlite), (POSTGRES, postgres)]
        .into_iter()
        .filter(|(_, names)| names.is_empty())
        .map(|(side, _)| format!("{side} has no migrations"));
    let only = |side: &str, other: &str, name: &&str| {
        format!("{side} has the migration {name}, {other} does not")
    };
    let left = sqlite
        .difference(postgres)
        .map(|name| only(SQLITE, POSTGRES, name));
    let right = postgres
        .difference(sqlite)
        .map(|name| only(POSTGRES, SQLITE, name));
    empty.chain(left).chain(right).collect()
}

fn apply(tree: &Tree, side: &str, name: &str, schema: &mut Schema) -> Option<String> {
    let path = format!("{side}/{name}/up.sql");
    let script = match tree.require(&path) {
        Ok(script) => script,
        Err(message) => return Some(message),
    };
    schema
        .apply(script)
        .err()
        .map(|reason| format!("{path}: {reason}"))
}

fn compare(name: &str, sqlite: &Schema, postgres: &Schema) -> Vec<String> {
    let tables = differences(
        "table",
        &sqlite.tables,
        &postgres.tables,
        |columns: &Vec<String>| format!("({})", columns.join(", ")),
    );
    let indexes = differences(
        "index",
        &sqlite.indexes,
        &postgres.indexes,
        |index: &Index| {
            format!(
                "{}on {}",
                if index.is_unique { "unique " } else { "" },
                index.table
            )
        },
    );
    tables
        .into_iter()
        .chain(indexes)
        .map(|what| format!("after {name}, {what}"))
        .collect()
}

fn differences<T: PartialEq>(
    kind: &str,
    sqlite: &BTreeMap<String, T>,
    postgres: &BTreeMap<String, T>,
    describe: impl Fn(&T) -> String,
) -> Vec<String> {
    let all: BTreeSet<&String> = sqlite.keys().chain(postgres.keys()).collect();
    let difference = |name: &&String| match (sqlite.get(*name), postgres.get(*name)) {
        (Some(left), Some(right)) if left == right => None,
        (left, right) => {
            let said = |side: Option<&T>| side.map_or("missing".to_owned(), &describe);
            Some(format!(
                "{kind} {name} is {} on sqlite and {} on postgres",
                said(left),
                said(right)
            ))
        }
    };
    all.iter().filter_map(difference).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(sqlite: &str, postgres: &str) -> Vec<String> {
        check(&Tree::of(&[
            ("migrations/sqlite/1_create/up.sql", sqlite),
            ("migrations/postgres/1_create/up.sql", postgres),
            ("migrations/postgres/1_create/down.sql", "drop table a"),
        ]))
    }

    #[test]
    fn types_may_differ() {
        let sqlite = "create table a (id blob, at bigint); create index i on a (at);";
        let postgres = "CREATE TABLE a (id uuid, at timestamptz); CREATE INDEX i ON a (at);";
        assert_eq!(findings(sqlite, postgres), Vec::<String>::new());
    }

    #[test]
    fn a_missing_table_or_index_is_named() {
        assert_eq!(
            findings("create table a (x int); create index i on a (x);", ""),
            [
                "after 1_create, table a is (x) on sqlite and missing on postgres",
                "after 1_create, index i is on a on sqlite and missing on postgres",
            ]
        );
    }

    #[test]
    fn other_columns_or_another_order_are_named() {
        assert_eq!(
            findings(
                "create table a (x int, y int);",
                "create table a (y int, x int);"
            ),
            ["after 1_create, table a is (x, y) on sqlite and (y, x) on postgres"]
        );
    }

    #[test]
    fn an_index_that_is_unique_on_one_side_only_is_named() {
        assert_eq!(
            findings("create index i on a (x)", "create unique index i on a (x)"),
            ["after 1_create, index i is on a on sqlite and unique on a on postgres"]
        );
    }

    #[test]
    fn a_migration_on_one_side_or_without_a_script_is_named() {
        let tree = Tree::of(&[
            ("migrations/sqlite/1_create/down.sql", ""),
            ("migrations/postgres/1_create/up.sql", ""),
            ("migrations/postgres/2_more/up.sql", ""),
        ]);
        assert_eq!(
            check(&tree),
            [
                "migrations/postgres has the migration 2_more, migrations/sqlite does not",
                "migrations/sqlite/1_create/up.sql does not exist",
            ]
        );
    }

    #[test]
    fn no_migrations_at_all_are_not_equal_trees() {
        assert_eq!(
            check(&Tree::default()),
            [
                "migrations/sqlite has no migrations",
                "migrations/postgres has no migrations"
            ]
        );
    }

    #[test]
    fn a_script_that_cannot_be_understood_is_named() {
        let found = findings("create table a as select 1", "");
        assert!(
            found[0].starts_with("migrations/sqlite/1_create/up.sql: table a:"),
            "{found:?}"
        );
    }
}
