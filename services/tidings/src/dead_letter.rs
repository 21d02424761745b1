//! `tidings dead-letters`: jobs that were given up, over the API of the running server.

use crate::exit::Failure;
use crate::operator::Operator;
use crate::print;
use clap::{Args, Subcommand};
use config::Config;
use reqwest::Method;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// Many may be marked or purged.
const WITHIN: Duration = Duration::from_mins(2);

#[derive(Debug, Args)]
pub(crate) struct DeadLettersArgs {
    /// Whose: the platform's own, unless a tenant is named.
    #[arg(long, global = true, value_name = "ten_…")]
    tenant: Option<String>,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List them, newest first, without their bodies.
    List {
        #[command(flatten)]
        filter: Filter,
        /// How many: 1 to 100.
        #[arg(long, default_value_t = 50)]
        limit: u32,
        /// Where to go on: the `next_cursor` of the page before.
        #[arg(long)]
        cursor: Option<String>,
    },
    /// Show one, with the job as it was published, `body_base64`.
    Show {
        /// Which.
        #[arg(value_name = "dlt_…")]
        id: String,
    },
    /// Have them done again: one, those a filter wants, or --all.
    Requeue {
        #[command(flatten)]
        which: Which,
        /// Only say how many.
        #[arg(long)]
        dry_run: bool,
        /// How many in each second: 1 to 500.
        #[arg(long, value_name = "NUMBER")]
        per_second: Option<u32>,
    },
    /// Take back what is to be done again and is not yet: one, those a filter wants, or --all.
    Cancel {
        #[command(flatten)]
        which: Which,
    },
    /// Delete them for good: one, those a filter wants, or --all.
    Purge {
        #[command(flatten)]
        which: Which,
        /// Only say how many.
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Debug, Args)]
struct Filter {
    /// Of this queue, such as callbacks.v1.
    #[arg(long)]
    queue: Option<String>,
    /// Of this kind, such as callback.v1 or unreadable.
    #[arg(long)]
    kind: Option<String>,
    /// Of this provider account.
    #[arg(long, value_name = "SLUG")]
    account: Option<String>,
    /// Given up at or after this, such as 2026-11-23T21:09:00Z.
    #[arg(long, value_name = "TIME")]
    after: Option<String>,
    /// Given up before this.
    #[arg(long, value_name = "TIME")]
    before: Option<String>,
}

#[derive(Debug, Args)]
struct Which {
    /// This one.
    #[arg(value_name = "dlt_…")]
    id: Option<String>,
    #[command(flatten)]
    filter: Filter,
    /// All of them.
    #[arg(long)]
    all: bool,
}

/// Does it and prints what the server answers.
pub(crate) async fn dead_letters(config: &Config, args: DeadLettersArgs) -> Result<(), Failure> {
    let is_list = matches!(args.what, What::List { .. });
    let Demand {
        method,
        path,
        mut query,
        body,
    } = args.what.demand()?;
    query.extend(args.tenant.map(|tenant| ("tenant", tenant)));
    let operator = match Operator::find(config, WITHIN, "")? {
        Some(operator) => operator,
        // With its files elsewhere, it says nothing here.
        None => Operator::at(config.subscriptions.listen.to_string(), config, WITHIN, "")?,
    };
    let mut said = operator.ask(method, &path, &query, body).await?;
    if is_list {
        said = without_bodies(said);
    }
    print::line(&serde_json::to_string_pretty(&said).map_err(Failure::runtime)?);
    Ok(())
}

/// What is asked of the server.
struct Demand {
    method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    body: Option<Value>,
}

impl Demand {
    fn get(path: String, query: Vec<(&'static str, String)>) -> Self {
        Self {
            method: Method::GET,
            path,
            query,
            body: None,
        }
    }

    fn post(path: &str, body: Value) -> Self {
        Self {
            method: Method::POST,
            path: path.to_owned(),
            query: Vec::new(),
            body: Some(body),
        }
    }
}

impl What {
    fn demand(self) -> Result<Demand, Failure> {
        Ok(match self {
            Self::List {
                filter,
                limit,
                cursor,
            } => {
                let mut query: Vec<_> = filter.pairs().collect();
                query.push(("limit", limit.to_string()));
                query.extend(cursor.map(|cursor| ("cursor", cursor)));
                Demand::get("/v1/dead-letters".to_owned(), query)
            }
            Self::Show { id } => {
                Demand::get(format!("/v1/dead-letters/{}", segment(&id)?), Vec::new())
            }
            Self::Requeue {
                which,
                dry_run,
                per_second,
            } => {
                let mut body = json!({ "filter": which.filter()?, "dry_run": dry_run });
                if let Some(per_second) = per_second {
                    body["per_second"] = per_second.into();
                }
                Demand::post("/v1/dead-letters/requeue", body)
            }
            Self::Cancel { which } => {
                let body = json!({ "filter": which.filter()? });
                Demand::post("/v1/dead-letters/cancel", body)
            }
            Self::Purge { which, dry_run } => {
                let body = json!({ "filter": which.filter()?, "dry_run": dry_run });
                Demand::post("/v1/dead-letters/purge", body)
            }
        })
    }
}

impl Filter {
    fn pairs(self) -> impl Iterator<Item = (&'static str, String)> {
        [
            ("queue", self.queue),
            ("kind", self.kind),
            ("account", self.account),
            ("after", self.after),
            ("before", self.before),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
    }
}

impl Which {
    /// Nobody means all of them by saying nothing.
    fn filter(self) -> Result<Value, Failure> {
        let id = self.id.map(|id| ("id", id));
        let said = id.into_iter().chain(self.filter.pairs());
        let filter: Map<String, Value> = said
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        if filter.is_empty() != self.all {
            return Err(Failure::Configuration(
                "name one (dlt_…), or a filter (--queue, --kind, --account, --after, --before), or --all"
                    .to_owned(),
            ));
        }
        Ok(filter.into())
    }
}

/// An id in a path: nothing that could lead elsewhere.
fn segment(id: &str) -> Result<&str, Failure> {
    if !id.is_empty() && id.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_') {
        return Ok(id);
    }
    Err(Failure::Configuration(format!(
        "{:?} is not the id of a dead letter, dlt_…",
        domain::text::cut(id, 64)
    )))
}

fn without_bodies(mut listed: Value) -> Value {
    if let Some(letters) = listed["data"].as_array_mut() {
        for letter in letters.iter_mut().filter_map(Value::as_object_mut) {
            letter.remove("body_base64");
        }
    }
    listed
}
