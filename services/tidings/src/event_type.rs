//! `tidings event-types`: the operator's types, over the API of the running server.

use crate::exit::Failure;
use crate::operator::Operator;
use crate::print;
use clap::{Args, Subcommand};
use config::Config;
use reqwest::Method;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Every schema of a long file is judged.
const WITHIN: Duration = Duration::from_mins(2);
/// No request may be longer, in bytes.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

#[derive(Debug, Args)]
pub(crate) struct EventTypesArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make types, or new versions of them, for all tenants, from a file in JSON: a document of OpenAPI
    /// 3.1 with webhooks, or an object with types or schemas, as POST /v1/event-types/import takes it.
    Import {
        /// Which file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Only say what would become of each.
        #[arg(long)]
        dry_run: bool,
    },
}

/// Does it and prints what the server answers. It fails where a type was refused.
pub(crate) async fn event_types(config: &Config, args: EventTypesArgs) -> Result<(), Failure> {
    let What::Import { file, dry_run } = args.what;
    let body = read(&file, dry_run)?;
    let operator = match Operator::find(config, WITHIN, "")? {
        Some(operator) => operator,
        // With its files elsewhere, it says nothing here.
        None => Operator::at(config.subscriptions.listen.to_string(), config, WITHIN, "")?,
    };
    let said = operator
        .ask(Method::POST, "/v1/event-types/import", &[], Some(body))
        .await?;
    print::line(&serde_json::to_string_pretty(&said).map_err(Failure::runtime)?);
    let items = said["data"].as_array().into_iter().flatten();
    let refused = items.filter(|item| item["result"] == "refused").count();
    if refused > 0 {
        let text = format!("{refused} of the types were refused; the errors above say why");
        return Err(Failure::Configuration(text));
    }
    Ok(())
}

/// The body of the request that a file makes.
fn read(file: &Path, dry_run: bool) -> Result<Value, Failure> {
    let at = file.display();
    let failed = |error: std::io::Error| Failure::Configuration(format!("{at}: {error}"));
    if std::fs::metadata(file).map_err(failed)?.len() > MAX_FILE_BYTES {
        let text = format!("{at} is longer than {MAX_FILE_BYTES} bytes: split it");
        return Err(Failure::Configuration(text));
    }
    let text = std::fs::read(file).map_err(failed)?;
    let document: Map<String, Value> = serde_json::from_slice(&text)
        .map_err(|error| Failure::Configuration(format!("{at} is no JSON object: {error}")))?;
    // In a document of OpenAPI this is its version.
    let is_openapi = document.get("openapi").is_some_and(Value::is_string);
    let mut body = if is_openapi {
        Map::from_iter([("openapi".to_owned(), Value::Object(document))])
    } else {
        document
    };
    body.insert("dry_run".to_owned(), dry_run.into());
    Ok(Value::Object(body))
}
