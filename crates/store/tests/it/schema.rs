//! What diesel believes of the tables is what the migrations make.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Every table as diesel sees it: the text of `schema.rs` and of the files in its folder.
pub fn text() -> String {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let folder = fs::read_dir(source.join("schema")).unwrap();
    let inside = folder.map(|entry| entry.unwrap().path());
    let files = [source.join("schema.rs")].into_iter().chain(inside);
    files
        .map(|file| fs::read_to_string(file).unwrap())
        .collect()
}

/// Tables with their columns: the name, and whether it may be null.
type Tables = BTreeMap<String, Vec<(String, bool)>>;

fn migrated() -> Tables {
    let folder = format!("{}/../../migrations/sqlite", env!("CARGO_MANIFEST_DIR"));
    let mut migrations: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().join("up.sql"))
        .collect();
    migrations.sort();
    let mut tables = Tables::new();
    for migration in migrations {
        let sql = std::fs::read_to_string(migration).unwrap();
        tables.extend(sql.split("create table ").skip(1).map(created));
        for altered in sql.split("alter table ").skip(1) {
            let (table, column) = added(altered);
            tables.get_mut(table).unwrap().push(column);
        }
    }
    tables
}

/// The one change to a table that this test understands.
fn added(alter: &str) -> (&str, (String, bool)) {
    let change = alter.split(';').next().unwrap();
    let (table, column) = change
        .split_once(" add column ")
        .unwrap_or_else(|| panic!("this test would not see {change:?}"));
    let name = column.split(' ').next().unwrap().to_owned();
    (table, (name, !column.contains("not null")))
}

fn created(create: &str) -> (String, Vec<(String, bool)>) {
    let (name, rest) = create.split_once(" (\n").unwrap();
    let body = rest.split("\n)").next().unwrap();
    let columns = body
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("primary key"))
        .map(|line| {
            let column = line.split(' ').next().unwrap().to_owned();
            (column, !line.contains("not null"))
        });
    (name.to_owned(), columns.collect())
}

fn believed() -> Tables {
    let mut tables = Tables::new();
    for table in text().split("diesel::table!").skip(1) {
        let body = table.split("::*;").last().unwrap();
        let name = body.trim().split(' ').next().unwrap().to_owned();
        let columns = body.lines().filter_map(|line| {
            let (column, kind) = line.trim().split_once(" -> ")?;
            Some((column.to_owned(), kind.starts_with("Nullable")))
        });
        tables.insert(name, columns.collect());
    }
    tables
}

#[test]
fn diesel_knows_every_table_and_column_of_the_migrations() {
    assert_eq!(believed(), migrated());
    assert!(migrated().len() > 15);
}
