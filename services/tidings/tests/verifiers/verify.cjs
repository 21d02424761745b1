// Verifies a webhook, as a tenant would, with the published library: reads {"secret", "headers", "body"}.
const { readFileSync } = require("node:fs");
const { Webhook, WebhookVerificationError } = require("standardwebhooks");

const request = JSON.parse(readFileSync(0, "utf8"));
try {
  const event = new Webhook(request.secret).verify(request.body, request.headers);
  console.log("verified", event.id);
} catch (error) {
  if (!(error instanceof WebhookVerificationError)) throw error;
  console.error("refused:", error.message);
  process.exit(1);
}
