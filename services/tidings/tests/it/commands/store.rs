use super::{PROGRAM, command, ended_well, failed};
use std::path::Path;
use testkit::Process;

#[tokio::test]
async fn migrating_says_what_it_did_and_does_it_once() {
    let root = tempfile::tempdir().unwrap();
    let first = ended_well(&command(root.path(), &["migrate"], &[]).await);
    assert!(
        !first.is_empty() && first.lines().all(|line| line.starts_with("applied ")),
        "{first}"
    );
    let second = ended_well(&command(root.path(), &["migrate"], &[]).await);
    assert_eq!(second, "the store is up to date\n");
    let elsewhere = root.path().join("other.db");
    let url = format!("sqlite:{}", elsewhere.display());
    let settings = [("TIDINGS_STORE__URL", url.as_str())];
    assert_eq!(
        ended_well(&command(root.path(), &["migrate"], &settings).await),
        first
    );
    assert!(elsewhere.exists());
    Process::start(PROGRAM, root.path(), &[]).await;
}

#[tokio::test]
async fn a_store_of_a_newer_release_is_left_alone() {
    let root = tempfile::tempdir().unwrap();
    ended_well(&command(root.path(), &["migrate"], &[]).await);
    let file = root.path().join("tidings.db");
    let newer = "insert into __diesel_schema_migrations (version, run_on) \
                 values ('99990101000000', current_timestamp)";
    rusqlite::Connection::open(&file)
        .unwrap()
        .execute(newer, [])
        .unwrap();
    for args in [
        &["run"][..],
        &["migrate"],
        &["tenant", "create", "--name", "A"],
    ] {
        let output = command(root.path(), args, &[]).await;
        failed(&output, 3, &["99990101000000", "newer"]);
    }
    let output = command(root.path(), &["doctor"], &[]).await;
    failed(&output, 1, &["1 of 2 checks found a problem"]);
    assert!(
        super::stdout(&output).contains("99990101000000"),
        "{output:?}"
    );
    let kept: i64 = rusqlite::Connection::open(&file)
        .unwrap()
        .query_row("select count(*) from tenants where name = 'A'", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(kept, 0);
}

/// What no release wrote is named, and not overwritten.
async fn assert_refused(data_dir: &Path, file: &Path, args: &[&str]) {
    let before = file.is_file().then(|| std::fs::read(file).unwrap());
    let output = command(data_dir, args, &[]).await;
    let name = file.file_name().unwrap().to_str().unwrap();
    failed(&output, 1, &[name]);
    let said = super::stderr(&output);
    assert!(!said.contains("panicked"), "{said}");
    let after = file.is_file().then(|| std::fs::read(file).unwrap());
    assert!(before == after, "{name} was changed");
}

#[tokio::test]
async fn a_store_that_is_none_is_named_and_not_touched() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("tidings.db");
    std::fs::write(
        &file,
        "this is no database, but somebody's letter\n".repeat(200),
    )
    .unwrap();
    for args in [
        &["run"][..],
        &["migrate"],
        &["tenant", "create", "--name", "A"],
    ] {
        assert_refused(root.path(), &file, args).await;
    }
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    assert_refused(root.path(), &file, &["run"]).await;
    std::fs::remove_dir(&file).unwrap();
    // The queue's file as well.
    let file = root.path().join("queue.db");
    std::fs::write(
        &file,
        "this is no database, but somebody's letter\n".repeat(200),
    )
    .unwrap();
    assert_refused(root.path(), &file, &["run"]).await;
}

#[tokio::test]
async fn a_data_directory_that_cannot_be_one_is_named() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("a-file");
    std::fs::write(&file, "").unwrap();
    for args in [
        &["run"][..],
        &["migrate"],
        &["doctor"],
        &["tenant", "create", "--name", "A"],
    ] {
        let output = command(&file, args, &[]).await;
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let said = format!("{}{}", super::stdout(&output), super::stderr(&output));
        assert!(said.contains(&*file.display().to_string()), "{said}");
        assert!(said.contains("data_dir"), "{said}");
    }
}
