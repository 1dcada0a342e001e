"""Verifies one captured event, JSON on standard input, with the published library, and prints its type."""
import json
import sys

from standardwebhooks import Webhook

captured = json.load(sys.stdin)
print(Webhook(captured["secret"]).verify(captured["body"], captured["headers"])["type"])
