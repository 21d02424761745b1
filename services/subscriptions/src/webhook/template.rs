//! `/v1/webhook-templates`: what to write to have events sent to receivers that many use. The data is in
//! `templates.json`.

use crate::caller::Caller;
use crate::failure;
use crate::list::{PageView, Query};
use crate::openapi::{Routes, operation};
use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse};
use runtime::http::Problem;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

const TEMPLATES: &str = include_str!("templates.json");

pub(super) fn routes(routes: &mut Routes) {
    routes.add(operation!(list)).add(operation!(get));
}

/// How to have events sent to a receiver.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WebhookTemplate, examples(json!({
    "name": "generic",
    "title": "Your own endpoint",
    "description": "Any HTTPS endpoint of yours.",
    "works_today": true,
    "needs": null,
    "steps": ["Make the webhook with the body below."],
    "url_form": "https://<your host>/<your path>",
    "suggested_events": ["sms.*"],
    "limits": "Whatever your endpoint takes.",
    "webhook": { "url": "<https URL of your endpoint>", "events": ["sms.*"] },
})))]
struct Template {
    /// Its name.
    name: String,
    /// The receiver.
    title: String,
    /// What comes of it.
    description: String,
    /// Whether it takes events as they are sent today.
    works_today: bool,
    /// What has to be between, where it does not.
    needs: Option<String>,
    /// What a person does.
    steps: Vec<String>,
    /// What its URLs look like.
    url_form: String,
    /// Events that are of use there.
    suggested_events: Vec<String>,
    /// What is known of how much it takes.
    limits: String,
    /// The body for `POST /v1/webhooks`; what stands in `<…>` is to be replaced.
    #[schema(value_type = Object)]
    webhook: Value,
}

/// List the templates of webhooks
///
/// What to write to have events sent to receivers that many use.
#[utoipa::path(
    get,
    path = "/v1/webhook-templates",
    tag = "Webhooks",
    operation_id = "list_webhook_templates",
    responses((status = 200, description = "All of them", body = PageView<Template>)),
)]
async fn list(request: HttpRequest, _: Caller) -> Result<HttpResponse, Problem> {
    Query::read(&request, &[])?;
    Ok(HttpResponse::Ok().json(PageView {
        data: all()?,
        next_cursor: None,
    }))
}

/// Read a template of webhooks
///
/// By its name.
#[utoipa::path(
    get,
    path = "/v1/webhook-templates/{name}",
    tag = "Webhooks",
    operation_id = "get_webhook_template",
    params(("name" = String, Path, description = "The template")),
    responses((status = 200, description = "The template", body = Template)),
)]
async fn get(name: Path<String>, _: Caller) -> Result<HttpResponse, Problem> {
    let found = all()?.into_iter().find(|template| template.name == *name);
    let found = found.ok_or_else(|| failure::not_found("template"))?;
    Ok(HttpResponse::Ok().json(found))
}

fn all() -> Result<Vec<Template>, Problem> {
    serde_json::from_str(TEMPLATES).map_err(|error| {
        tracing::error!(%error, "the templates cannot be read");
        failure::broken()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_template_is_read_and_says_what_is_missing_where_something_is() {
        let all = all().unwrap();
        let names: Vec<&str> = all.iter().map(|template| template.name.as_str()).collect();
        assert_eq!(
            names,
            ["generic", "slack", "pagerduty", "zapier", "make", "n8n"]
        );
        for template in all {
            assert_eq!(
                template.works_today,
                template.needs.is_none(),
                "{template:?}"
            );
            assert_eq!(template.webhook["events"], json!(template.suggested_events));
        }
    }
}
