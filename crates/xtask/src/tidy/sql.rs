//! As much SQL as migrations need: which tables, columns and indexes a script leaves behind.

mod statement;
mod token;

use std::collections::BTreeMap;

use statement::Statement;

/// Tables and indexes by name, after some scripts.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Schema {
    /// The columns of each table, in their order.
    pub tables: BTreeMap<String, Vec<String>>,
    pub indexes: BTreeMap<String, Index>,
}

/// What an index is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    pub table: String,
    pub is_unique: bool,
}

impl Schema {
    /// Applies the `CREATE`, `ALTER` and `DROP` statements for tables and indexes, and skips the others.
    /// Partitions of a table are not tables here. Fails where a statement cannot be understood.
    pub fn apply(&mut self, script: &str) -> Result<(), String> {
        let tokens = token::read(script)?;
        for statement in statement::split(&tokens) {
            self.apply_statement(statement)?;
        }
        Ok(())
    }

    fn apply_statement(&mut self, mut statement: Statement<'_>) -> Result<(), String> {
        if statement.take("create") {
            let is_unique = statement.take("unique");
            while statement.take_any(&["unlogged", "temp", "temporary", "global", "local"]) {}
            if statement.take("table") {
                return self.create_table(statement);
            } else if statement.take("index") {
                return self.create_index(statement, is_unique);
            }
        } else if statement.take("alter") && statement.take("table") {
            return self.alter_table(statement);
        } else if statement.take("drop") {
            if statement.take("table") {
                return self.drop_table(statement);
            } else if statement.take("index") {
                return self.drop_index(statement);
            }
        }
        Ok(())
    }

    fn create_table(&mut self, mut statement: Statement<'_>) -> Result<(), String> {
        statement.take_all(&["if", "not", "exists"]);
        let name = statement.name()?;
        if statement.take("partition") {
            return Ok(());
        }
        let columns = statement
            .columns()
            .map_err(|reason| format!("table {name}: {reason}"))?;
        self.tables.insert(name, columns);
        Ok(())
    }

    fn create_index(
        &mut self,
        mut statement: Statement<'_>,
        is_unique: bool,
    ) -> Result<(), String> {
        statement.take("concurrently");
        statement.take_all(&["if", "not", "exists"]);
        if statement.take("on") {
            return Err("an index has no name".to_owned());
        }
        let name = statement.name()?;
        if !statement.take("on") {
            return Err(format!("index {name} is on no table"));
        }
        statement.take("only");
        let table = statement.name()?;
        self.indexes.insert(name, Index { table, is_unique });
        Ok(())
    }

    fn alter_table(&mut self, mut statement: Statement<'_>) -> Result<(), String> {
        statement.take_all(&["if", "exists"]);
        statement.take("only");
        let mut table = statement.name()?;
        loop {
            if let Some(new) = statement.rename_table()? {
                self.rename_table(&table, &new)?;
                table = new;
            } else {
                let columns = self
                    .tables
                    .get_mut(&table)
                    .ok_or_else(|| format!("table {table} is altered but does not exist"))?;
                statement
                    .alter_columns(columns)
                    .map_err(|why| format!("table {table}: {why}"))?;
            }
            if !statement.skip_past_comma() {
                return Ok(());
            }
        }
    }

    fn rename_table(&mut self, old: &str, new: &str) -> Result<(), String> {
        let columns = self
            .tables
            .remove(old)
            .ok_or_else(|| format!("table {old} is renamed but does not exist"))?;
        self.tables.insert(new.to_owned(), columns);
        for index in self.indexes.values_mut().filter(|index| index.table == old) {
            new.clone_into(&mut index.table);
        }
        Ok(())
    }

    fn drop_table(&mut self, mut statement: Statement<'_>) -> Result<(), String> {
        statement.take_all(&["if", "exists"]);
        loop {
            let name = statement.name()?;
            self.tables.remove(&name);
            self.indexes.retain(|_, index| index.table != name);
            if !statement.skip_past_comma() {
                return Ok(());
            }
        }
    }

    fn drop_index(&mut self, mut statement: Statement<'_>) -> Result<(), String> {
        statement.take("concurrently");
        statement.take_all(&["if", "exists"]);
        loop {
            self.indexes.remove(&statement.name()?);
            if !statement.skip_past_comma() {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(script: &str) -> Schema {
        let mut schema = Schema::default();
        schema.apply(script).unwrap();
        schema
    }

    #[test]
    fn columns_are_read_and_constraints_are_not() {
        let schema = schema(
            "CREATE TABLE IF NOT EXISTS public.messages (
                id uuid PRIMARY KEY DEFAULT f(1, 2), -- a comment, with (
                \"check\" numeric(10, 2) CHECK (\"check\" IN (1, 2)),
                text text NOT NULL DEFAULT 'a, b); drop table x',
                UNIQUE (id, text), PRIMARY KEY (id),
                CONSTRAINT positive CHECK (id > 0), FOREIGN KEY (id) REFERENCES other (id)
            ) PARTITION BY RANGE (id);
            create table callbacks_default partition of messages default;",
        );
        assert_eq!(schema.tables.len(), 1);
        assert_eq!(schema.tables["messages"], ["id", "check", "text"]);
    }

    #[test]
    fn columns_come_go_and_change_their_names() {
        let schema = schema(
            "create table a (x int, y int) without rowid; create index a_by_x on a (x);
             alter table a add column z int default (1, 2), add w int, drop column y;
             alter table a add constraint one unique (x), alter column x set not null;
             alter table a rename column w to v;
             alter table a rename to b",
        );
        assert_eq!(schema.tables["b"], ["x", "z", "v"]);
        assert_eq!(schema.indexes["a_by_x"].table, "b");
    }

    #[test]
    fn an_index_has_a_name_a_table_and_may_be_unique() {
        let schema = schema(
            "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS one ON a (x) WHERE y;
             create index two on only b using gin (x); create index three on a (x);
             drop index if exists three;",
        );
        assert_eq!(
            schema.indexes["one"],
            Index {
                table: "a".to_owned(),
                is_unique: true
            }
        );
        assert_eq!(
            schema.indexes["two"],
            Index {
                table: "b".to_owned(),
                is_unique: false
            }
        );
        assert_eq!(schema.indexes.len(), 2);
    }

    #[test]
    fn a_dropped_table_takes_its_indexes_with_it() {
        let schema = schema("create table a (x int); create index i on a (x); drop table a, b;");
        assert_eq!(schema, Schema::default());
    }

    #[test]
    fn what_is_quoted_or_commented_is_not_a_statement() {
        let schema = schema(
            "/* create table a (x int); */ DO $body$ begin create table b (x int); end $body$;
             insert into c values ('create table d (x int);', 'it''s');",
        );
        assert_eq!(schema, Schema::default());
    }

    #[test]
    fn what_cannot_be_understood_is_an_error() {
        for script in [
            "create table a as select 1",
            "create table a (x int",
            "create index on a (x)",
            "alter table nowhere add column x int",
            "alter table nowhere rename to b",
            "create table a (x int); alter table a drop column y",
            "insert into a values ('",
            "do $$ begin",
        ] {
            assert!(Schema::default().apply(script).is_err(), "{script}");
        }
    }
}
