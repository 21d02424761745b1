//! What every store must do, whatever its engine.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

/// A story is told on SQLite, and on PostgreSQL where `TIDINGS_TEST_POSTGRES_URL` names one.
macro_rules! on_each_engine {
    ($story:ident) => {
        mod $story {
            use crate::scene::Scene;

            #[tokio::test]
            async fn on_sqlite() {
                super::$story(Scene::on_sqlite().await).await;
            }

            #[tokio::test]
            async fn on_postgres() {
                if let Some(scene) = Scene::on_postgres().await {
                    super::$story(scene).await;
                }
            }
        }
    };
}

/// A story about several processes, or about what happens to a connection.
macro_rules! on_postgres {
    ($story:ident) => {
        mod $story {
            #[tokio::test]
            async fn on_postgres() {
                if let Some(scene) = crate::scene::Scene::on_postgres().await {
                    super::$story(scene).await;
                }
            }
        }
    };
}

mod access;
mod audit;
mod callbacks;
mod conditions;
mod conflicts;
mod dead_letters;
mod deliveries;
mod directory;
mod endings;
mod erasure;
mod event_log;
mod event_types;
mod events;
mod faults;
mod health;
mod leases;
mod limits;
mod messages;
mod migrations;
mod nodes;
mod notifications;
mod pace;
mod partitions;
mod plans;
mod polls;
mod proxy;
mod recovery;
mod replays;
mod requests;
mod retention;
mod scene;
mod schema;
mod secrets;
mod send_attempts;
mod subscriptions;
mod tallies;
mod tenants;
mod timeline;
mod tls;
mod trips;
mod turns;
mod warnings;
mod writes;
