use tidings_config::{Config, Error, Mode};

use crate::{KEY, from_environment};

const POSTGRES: (&str, &str) = ("TIDINGS_STORE__URL", "postgres://u:p@db/t");
const AMQP: (&str, &str) = ("TIDINGS_BROKER__URL", "amqps://u:p@mq:5671/%2f");
const ENCRYPTION_KEY: (&str, &str) = ("TIDINGS_STORE__ENCRYPTION_KEY", KEY);

fn distributed() -> Config {
    from_environment(&[POSTGRES, AMQP, ENCRYPTION_KEY]).unwrap()
}

#[test]
fn the_broker_decides_the_mode() {
    assert_eq!(distributed().mode(), Mode::Distributed);
    assert_eq!(from_environment(&[]).unwrap().mode(), Mode::Embedded);
    assert_eq!(
        from_environment(&[POSTGRES]).unwrap().mode(),
        Mode::Embedded
    );
}

#[test]
fn an_amqp_broker_needs_a_postgres_store() {
    let error = from_environment(&[AMQP, ENCRYPTION_KEY]).unwrap_err();
    assert!(matches!(error, Error::SqliteBesideAmqp));
    assert!(
        error.to_string().contains("set `store.url` to postgres://"),
        "{error}"
    );
}

#[test]
fn distributed_mode_requires_an_encryption_key() {
    let error = from_environment(&[AMQP, POSTGRES]).unwrap_err();
    assert!(matches!(error, Error::NoEncryptionKey));
    assert!(
        error
            .to_string()
            .contains("TIDINGS_STORE__ENCRYPTION_KEY_FILE"),
        "{error}"
    );
}

#[test]
fn an_embedded_broker_needs_all_roles_in_one_process() {
    for variables in [&[][..], &[POSTGRES][..]] {
        let config = from_environment(variables).unwrap();
        config.check_roles(true).unwrap();
        assert!(matches!(
            config.check_roles(false),
            Err(Error::PartialRoles)
        ));
    }
    distributed().check_roles(true).unwrap();
    distributed().check_roles(false).unwrap();
}

#[test]
fn a_broker_is_embedded_or_amqp() {
    for refused in [
        "",
        "embedded",
        "embedded:queue.db",
        "amqp://",
        "amqp:mq",
        "redis://mq",
        "amqp://u:p/w@mq",
        "amqp://mq ",
    ] {
        let variables = [POSTGRES, ENCRYPTION_KEY, ("TIDINGS_BROKER__URL", refused)];
        let error = from_environment(&variables).unwrap_err().to_string();
        assert!(
            error.starts_with("`broker.url`, set by TIDINGS_BROKER__URL"),
            "{error}"
        );
    }
}

#[test]
fn a_namespace_begins_the_names_of_queues() {
    assert_eq!(from_environment(&[]).unwrap().broker.namespace, "tidings");
    let named = from_environment(&[("TIDINGS_BROKER__NAMESPACE", "clinic-1.eu")]).unwrap();
    assert_eq!(named.broker.namespace, "clinic-1.eu");
    for refused in ["", "a b", "ü", "a/b"] {
        let error = from_environment(&[("TIDINGS_BROKER__NAMESPACE", refused)]).unwrap_err();
        let error = error.to_string();
        assert!(error.starts_with("`broker.namespace`, set by"), "{error}");
    }
}
