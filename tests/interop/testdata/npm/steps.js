// What the clients in JavaScript share: the job comes from the environment, each step prints a line of JSON.

import { webcrypto } from "node:crypto";

globalThis.crypto ??= webcrypto; // Node.js 18 has it there alone

const STEP_MILLISECONDS = 15000;

export const job = process.env;
export const bare = (jid) => jid.split("/")[0];
export const [user, resource] = [job.JID.split("@")[0], job.JID.split("/")[1]];

// A promise that is settled from outside; a rejection that nobody waits for is no error.
export function later() {
  const p = Promise.withResolvers?.() ?? {};
  p.promise ??= new Promise((resolve, reject) => Object.assign(p, { resolve, reject }));
  p.promise.catch(() => {});
  return p;
}

function inTime(promise) {
  const late = later();
  const timer = setTimeout(() => late.reject(new Error("nothing came in time")), STEP_MILLISECONDS);
  return Promise.race([promise, late.promise]).finally(() => clearTimeout(timer));
}

// Takes the steps, each a function that returns a detail; without a login there are no others.
export async function walk(steps) {
  for (const step of job.STEPS.split(",")) {
    let ok = true;
    let detail;
    try {
      detail = await inTime(steps[step]());
    } catch (error) {
      ok = false;
      detail = [error.condition, error.message ?? error, error.cause?.message].filter(Boolean).join(": ");
    }
    await new Promise((done) => process.stdout.write(JSON.stringify({ step, ok, detail: String(detail ?? "") }) + "\n", done));
    if (step === "login" && !ok) break;
  }
  process.exit(0);
}
