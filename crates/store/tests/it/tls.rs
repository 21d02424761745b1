//! TLS to PostgreSQL. The server's certificate is for `localhost`, of an authority made for the run.

use crate::scene::{new_database, variable};
use domain::{Clock, Random};
use tidings_store::{Error, Store};

/// The outcome of connecting to the server by this name with these options.
async fn connect(url: &str, name: &str, options: &str) -> Result<(), Error> {
    let url = url.replace("127.0.0.1", name);
    let url = format!("{url}?hostaddr=127.0.0.1&{options}");
    let store = Store::open_postgres(&url, Clock::system(), Random::system())?;
    // Connected is enough: nothing was migrated.
    match store.check().await {
        Err(Error::SchemaTooOld(_)) => Ok(()),
        other => other,
    }
}

#[tokio::test]
#[expect(clippy::print_stderr, reason = "says what was not run")]
async fn each_sslmode_asks_for_as_much_as_it_says() {
    let Some(ca) = variable("TIDINGS_TEST_POSTGRES_CA") else {
        eprintln!("not run with TLS: TIDINGS_TEST_POSTGRES_CA is not set");
        return;
    };
    let Some(database) = new_database().await else {
        return;
    };
    let ca = format!("sslrootcert={ca}");
    // Not a name of its certificate.
    let other = "postgres.example";
    for mode in ["disable", "prefer", "require"] {
        connect(&database.url, other, &format!("sslmode={mode}"))
            .await
            .unwrap();
    }
    for name in ["localhost", other] {
        connect(&database.url, name, &format!("sslmode=verify-ca&{ca}"))
            .await
            .unwrap();
    }
    connect(
        &database.url,
        "localhost",
        &format!("sslmode=verify-full&{ca}"),
    )
    .await
    .unwrap();
    let refused = [
        (other, format!("sslmode=verify-full&{ca}")),
        // Of no public authority.
        ("localhost", "sslmode=verify-full".to_owned()),
        ("localhost", "sslmode=verify-ca".to_owned()),
    ];
    for (name, options) in refused {
        let error = connect(&database.url, name, &options).await.unwrap_err();
        assert!(
            error.to_string().contains("certificate"),
            "{options}: {error}"
        );
    }
}

#[tokio::test]
async fn a_file_of_authorities_that_is_none_is_a_clear_error() {
    let open = |path: &str| {
        let url = format!("postgres://db/t?sslmode=verify-full&sslrootcert={path}");
        Store::open_postgres(&url, Clock::system(), Random::system())
    };
    let empty = tempfile::NamedTempFile::new().unwrap();
    for path in ["/nowhere/ca.pem", empty.path().to_str().unwrap()] {
        let Err(error) = open(path) else {
            panic!("{path} was taken")
        };
        assert!(error.to_string().contains(path), "{error}");
    }
}
