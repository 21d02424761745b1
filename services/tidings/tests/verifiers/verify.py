"""Verifies a webhook, as a tenant would, with the published library: reads {"secret", "headers", "body"}."""

import json
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

request = json.load(sys.stdin)
try:
    event = Webhook(request["secret"]).verify(request["body"], request["headers"])
except WebhookVerificationError as error:
    sys.exit(f"refused: {error}")
print("verified", event["id"])
