//! `tidings listen`: receives webhooks on this machine, verifies them and prints them.

use crate::exit::Failure;
use crate::{print, receiver, run};
use domain::Clock;
use runtime::{Shutdown, Tasks};
use signing::WebhookSecret;
use std::time::Duration;
use tokio::sync::mpsc;

/// Prints what arrives until the process is asked to end.
pub(crate) async fn listen(port: u16, secret: Option<String>) -> Result<(), Failure> {
    let secret = secret
        .map(|text| WebhookSecret::parse(&text))
        .transpose()
        .map_err(|error| Failure::configuration(format!("--secret: {error}")))?;
    let (shutdown, clock) = (Shutdown::new(), Clock::system());
    let (tell, mut arrived) = mpsc::unbounded_channel();
    let serving = receiver::listen(port, &shutdown, tell)?;
    print::line(&format!(
        "listening on http://{} (Ctrl-C ends)",
        serving.address
    ));
    if secret.is_none() {
        print::line("give --secret whsec_… to verify signatures");
    }
    let tasks = Tasks::new(shutdown.clone());
    tasks.spawn("receiver", async move {
        let _ = serving.run.await;
    });
    tasks.spawn("print", async move {
        while let Some(webhook) = arrived.recv().await {
            let now = clock.now();
            let verdict = match secret.as_ref().map(|secret| webhook.verify(secret, now)) {
                None => "signature not checked".to_owned(),
                Some(Ok(())) => "signature verified".to_owned(),
                Some(Err(reason)) => format!("NOT VERIFIED: {reason}"),
            };
            print::line(&format!(
                "{now}  {}  {verdict}\n{}",
                webhook.id,
                webhook.text()
            ));
        }
    });
    run::until_asked_to_end(&shutdown).await?;
    shutdown.stop();
    tasks.join(Duration::from_secs(2)).await;
    Ok(())
}
