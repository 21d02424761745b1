//! `tidings demo`: the main job in a minute, on the real thing: callbacks in the providers' own
//! formats over HTTP, states, events, signed webhooks.

mod client;
mod timeline;

use crate::app::App;
use crate::exit::Failure;
use crate::receiver::{self, Arrived};
use crate::role::Role;
use crate::{print, run};
use client::Client;
use config::Config;
use domain::{Clock, Random};
use providers::samples;
use runtime::Shutdown;
use serde_json::{Value, json};
use signing::WebhookSecret;
use std::time::Duration;
use timeline::Timeline;
use tokio::sync::mpsc;

/// How long each piece of news may take. It takes milliseconds.
const WITHIN: Duration = Duration::from_secs(10);

const AFRICASTALKING_MESSAGE: &str = "ATXid_0123456789abcdef0123456789abcdef";
const AFRICASTALKING_FAILED: &str = "ATXid_1111111111111111111111111111aaab";
const AFRICASTALKING_PHONE: &str = "+254700000001";
const ORANGE_MESSAGE: &str = "9d523078-1d3d-4c90-8984-000000000001";
const ORANGE_PHONE: &str = "+2250700000001";

/// Runs the demo; an error says what did not happen.
pub(crate) async fn demo(stay: bool) -> Result<(), Failure> {
    let directory = tempfile::tempdir().map_err(Failure::runtime)?;
    let admin_key = hex(Random::system().bytes::<16>());
    let config = config(directory.path(), &admin_key)?;
    let app = App::start(config, &Role::ALL, Clock::system()).await?;
    let mut stage = Stage::set(&app, &admin_key).await?;
    let played = play(&mut stage).await;
    if played.is_ok() && stay {
        stage.tell_how_to_go_on(&app, &admin_key);
        run::until_asked_to_end(app.shutdown()).await?;
    }
    app.end().await;
    played
}

fn config(data_dir: &std::path::Path, admin_key: &str) -> Result<Config, Failure> {
    let settings = [
        ("TIDINGS_DATA_DIR", data_dir.display().to_string()),
        ("TIDINGS_INGRESS__LISTEN", "127.0.0.1:0".to_owned()),
        ("TIDINGS_SUBSCRIPTIONS__LISTEN", "127.0.0.1:0".to_owned()),
        ("TIDINGS_SUBSCRIPTIONS__ADMIN_KEY", admin_key.to_owned()),
        ("TIDINGS_RUNTIME__ADMIN_LISTEN", "127.0.0.1:0".to_owned()),
        ("TIDINGS_EGRESS__ALLOW_NETWORKS", "127.0.0.0/8".to_owned()),
    ];
    Ok(Config::load(None, settings)?)
}

/// What the demo plays on: a tenant with two provider accounts and a webhook.
struct Stage {
    client: Client,
    timeline: Timeline,
    tenant_key: String,
    secret: WebhookSecret,
    arrived: mpsc::UnboundedReceiver<Arrived>,
    africastalking_url: String,
    orange_url: String,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    callbacks: usize,
    duplicates: usize,
    webhooks: usize,
}

impl Stage {
    async fn set(app: &App, admin_key: &str) -> Result<Self, Failure> {
        let mut timeline = Timeline::begin();
        let api = app.url("subscriptions").unwrap_or_default();
        let client = Client::new(api)?;
        let (tell, arrived) = mpsc::unbounded_channel();
        let receiver = receiver::listen(0, app.shutdown(), tell)?;
        let webhook_url = format!("http://{}/hooks", receiver.address);
        keep_running(app.shutdown(), receiver.run);

        let tenant = client
            .post("/v1/tenants", admin_key, &json!({ "name": "Demo Clinic" }))
            .await?;
        let key = text(&tenant, "api_key")?;
        timeline.tell(
            "tenant",
            &format!("Demo Clinic is {}", text(&tenant, "id")?),
        );
        let account = json!({ "provider": "africastalking", "slug": "demo-at", "auth": [{ "type": "token" }] });
        let at = client.post("/v1/provider-accounts", &key, &account).await?;
        timeline.tell(
            "account",
            "Africa's Talking, by a secret path (it signs nothing)",
        );
        let auth = json!([{ "type": "ip_allowlist", "cidrs": ["127.0.0.0/8"] }]);
        let account = json!({ "provider": "orange", "slug": "demo-orange", "auth": auth });
        let orange = client.post("/v1/provider-accounts", &key, &account).await?;
        timeline.tell("account", "Orange, by its network");
        let webhook = json!({ "url": webhook_url, "events": ["sms.*"], "name": "demo" });
        let webhook = client.post("/v1/webhooks", &key, &webhook).await?;
        timeline.tell("webhook", &format!("sms.* goes to {webhook_url}"));
        let secret = WebhookSecret::parse(&text(&webhook, "secret")?).map_err(Failure::runtime)?;
        Ok(Self {
            africastalking_url: text(&at["callback_urls"], "reports")?,
            orange_url: text(&orange["callback_urls"], "reports")?,
            tenant_key: key,
            client,
            timeline,
            secret,
            arrived,
            counts: Counts::default(),
        })
    }

    async fn track(&mut self, account: &str, id: &str, to: &str) -> Result<String, Failure> {
        let body = json!({ "provider_account": account, "provider_message_id": id, "to": to });
        let message = self
            .client
            .post("/v1/messages", &self.tenant_key, &body)
            .await?;
        let message_id = text(&message, "id")?;
        self.timeline.tell(
            "message",
            &format!(
                "{message_id} through {account}: {}",
                text(&message, "state")?
            ),
        );
        Ok(message_id)
    }

    /// Sends a callback as a provider does.
    async fn callback(&mut self, from: &Sender, body: &str) -> Result<(), Failure> {
        let url = match from.account {
            "demo-at" => &self.africastalking_url,
            _ => &self.orange_url,
        };
        let id = self.client.callback(url, from.content_type, body).await?;
        self.counts.callbacks += 1;
        self.timeline
            .tell("callback", &format!("{}: accepted as {id}", from.name));
        Ok(())
    }

    /// Waits for the webhook that tells a state, verifies it, and looks the state up.
    async fn expect(&mut self, message_id: &str, state: &str) -> Result<(), Failure> {
        let expected = format!("sms.{state}");
        let arrived = tokio::time::timeout(WITHIN, self.arrived.recv()).await;
        let webhook = arrived.ok().flatten().ok_or_else(|| {
            Failure::Runtime(format!(
                "no webhook told {expected} within {} s",
                WITHIN.as_secs()
            ))
        })?;
        let body = webhook.json();
        let found = self
            .client
            .get(&format!("/v1/messages/{message_id}"), &self.tenant_key)
            .await?;
        let kept = text(&found, "state")?;
        self.timeline
            .tell("state", &format!("{message_id} is {kept}"));
        let (told, about) = (text(&body, "type")?, text(&body["data"], "message_id")?);
        if told != expected || about != message_id || kept != state {
            let said =
                format!("expected {expected} about {message_id}, and got {told} about {about}");
            return Err(Failure::Runtime(format!("{said}; the message is {kept}")));
        }
        webhook
            .verify(&self.secret, Clock::system().now())
            .map_err(|reason| {
                Failure::Runtime(format!(
                    "the webhook {} cannot be verified: {reason}",
                    webhook.id
                ))
            })?;
        self.counts.webhooks += 1;
        self.timeline
            .tell("event", &format!("{} tells {told}", webhook.id));
        self.timeline
            .tell("webhook", "it arrived, and its signature is verified");
        Ok(())
    }

    fn tell_how_to_go_on(&self, app: &App, admin_key: &str) {
        let url = |name| app.url(name).unwrap_or_default();
        print::line("\nStill serving; Ctrl-C ends and removes everything.\n");
        print::line(&format!("  API        {}", url("subscriptions")));
        print::line(&format!("  ingress    {}", url("ingress")));
        print::line(&format!("  admin      {}/metrics", url("admin")));
        print::line(&format!("  tenant key {}", self.tenant_key));
        print::line(&format!("  admin key  {admin_key}"));
        print::line(&format!(
            "  callbacks  {}\n             {}",
            self.africastalking_url, self.orange_url
        ));
    }
}

/// A provider, as it sends.
struct Sender {
    name: &'static str,
    account: &'static str,
    content_type: &'static str,
}

const AFRICASTALKING: Sender = Sender {
    name: "Africa's Talking",
    account: "demo-at",
    content_type: "application/x-www-form-urlencoded",
};
const ORANGE: Sender = Sender {
    name: "Orange",
    account: "demo-orange",
    content_type: "application/json",
};

async fn play(stage: &mut Stage) -> Result<(), Failure> {
    let reminder = stage
        .track("demo-at", AFRICASTALKING_MESSAGE, AFRICASTALKING_PHONE)
        .await?;
    stage
        .callback(&AFRICASTALKING, samples::AFRICASTALKING_SENT)
        .await?;
    stage.expect(&reminder, "sent").await?;
    stage
        .callback(&AFRICASTALKING, samples::AFRICASTALKING_SUCCESS)
        .await?;
    stage.expect(&reminder, "delivered").await?;
    stage
        .callback(&AFRICASTALKING, samples::AFRICASTALKING_SUCCESS)
        .await?;
    stage.counts.duplicates += 1;
    stage.timeline.tell(
        "state",
        "the same callback again: nothing changes, nobody is told twice",
    );

    let second = stage
        .track("demo-at", AFRICASTALKING_FAILED, AFRICASTALKING_PHONE)
        .await?;
    stage
        .callback(
            &AFRICASTALKING,
            samples::AFRICASTALKING_FAILED_USER_DOES_NOT_EXIST,
        )
        .await?;
    stage.expect(&second, "failed").await?;

    stage
        .callback(&ORANGE, samples::ORANGE_DELIVERED_TO_TERMINAL)
        .await?;
    stage.timeline.tell(
        "state",
        "Orange was faster than we: the report waits for its message",
    );
    let third = stage
        .track("demo-orange", ORANGE_MESSAGE, ORANGE_PHONE)
        .await?;
    stage.expect(&third, "delivered").await?;
    stage
        .callback(&ORANGE, samples::ORANGE_DELIVERED_TO_NETWORK)
        .await?;
    stage.timeline.tell(
        "state",
        "a late \"handed to the network\" does not undo delivered",
    );
    stage.quiet().await?;
    let Counts {
        callbacks,
        duplicates,
        webhooks,
    } = stage.counts;
    print::line(&format!(
        "\n{callbacks} callbacks accepted, {duplicates} of them a duplicate; 3 messages tracked; \
         {webhooks} webhooks received, every signature verified."
    ));
    Ok(())
}

impl Stage {
    /// Nothing more may arrive: the duplicate and the late report told nobody anything.
    async fn quiet(&mut self) -> Result<(), Failure> {
        match tokio::time::timeout(Duration::from_millis(500), self.arrived.recv()).await {
            Err(_) | Ok(None) => Ok(()),
            Ok(Some(webhook)) => {
                let what = webhook.json()["type"].to_string();
                Err(Failure::Runtime(format!(
                    "a webhook arrived that nothing called for: {what}"
                )))
            }
        }
    }
}

fn text(value: &Value, member: &str) -> Result<String, Failure> {
    let found = value[member].as_str().map(str::to_owned);
    found.ok_or_else(|| Failure::Runtime(format!("an answer lacks {member}: {value}")))
}

fn keep_running(
    shutdown: &Shutdown,
    run: impl Future<Output = Result<(), runtime::Error>> + Send + 'static,
) {
    runtime::Tasks::new(shutdown.clone()).spawn("receiver", async move {
        let _ = run.await;
    });
}

fn hex(bytes: [u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(bytes))
}
