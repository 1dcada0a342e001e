// Verifies one captured event, JSON on standard input, with the published library, and prints its type.
import { readFileSync } from "node:fs";
import { Webhook } from "standardwebhooks";

const captured = JSON.parse(readFileSync(0, "utf8"));
console.log(new Webhook(captured.secret).verify(captured.body, captured.headers).type);
