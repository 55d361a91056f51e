// Signed batches: what the log list, its detail and its guards are tried on.

import { createHmac } from "node:crypto";

/** @typedef {{ api_key: string, signing_secret: string }} Key */

/** Strings that would run, break out or disguise themselves if a page took them for more than text. */
export const HOSTILE = [
  "<img src=x onerror=\"window.ran=1\">",
  "\"><svg onload=window.ran=2>",
  "</script><script>window.ran=3</script>",
  "javascript:window.ran=4",
  "${window.ran=5}{{window.ran=6}}",
  "<iframe srcdoc=\"<script>parent.ran=7</script>\">",
  "right \u202eto left\u202c and \u001b[31mred\u001b[0m",
  `${"w".repeat(3000)}`,
  "'; DROP TABLE logs; -- \\ \" ' ` \u0000?",
];

/**
 * Posts one signed batch; throws unless every event was accepted.
 * @param {string} base
 * @param {Key} key
 * @param {string} body JSON
 * @param {number} [now] the service's time, in ms
 */
export async function postBatch(base, key, body, now = Date.now()) {
  const time = String(Math.floor(now / 1000));
  const mac = createHmac("sha256", key.signing_secret).update(`${time}.${body}`).digest("hex");
  const reply = await fetch(`${base}/log`, {
    method: "POST",
    headers: {
      "Content-Type": "application/json",
      "X-Project-Key": key.api_key,
      "X-Timestamp": time,
      "X-Signature": `sha256=${mac}`,
    },
    body,
  });
  const text = await reply.text();
  if (reply.status !== 200 || JSON.parse(text).rejected?.length) throw new Error(`${reply.status} ${text}`);
}

const MESSAGES = [
  "GET /api/carts/7f3a 200 in 12 ms",
  "cache miss for catalogue page 3",
  "payment authorised, gateway answered in 231 ms",
  "retrying upstream inventory: connection reset by peer",
  "slow query: 1,204 ms on orders by customer and state, plan changed since the last deploy",
  "user signed in",
];

/**
 * `count` events a few seconds apart, newest last, of every level but mostly quiet.
 * @param {number} count
 */
export function ordinary(count) {
  const levels = ["info", "info", "debug", "info", "warn", "info", "trace", "info", "error", "info"];
  return Array.from({ length: count }, (_, index) => ({
    ts: new Date(Date.now() - (count - index) * 9000).toISOString(),
    level: levels[index % levels.length],
    message: `${MESSAGES[index % MESSAGES.length]} #${index}`,
    source: ["web", "worker", "billing-reconciler"][index % 3],
    env: "production",
    release: "2026.11.4",
    user_id: String(1000 + (index % 7)),
    request_id: `req-${index}`,
  }));
}

/** One event with everything in it. */
export const FULL = {
  level: "fatal",
  message: "Unhandled exception: checkout failed after 3 tries\nTimeoutError: gateway did not answer in 5000 ms",
  source: "checkout",
  env: "production",
  release: "2026.11.4+b81",
  user_id: "cust 42",
  request_id: "01hq-full-event",
  tags: ["payment", "needs review"],
  ctx: {
    order: { id: 8121, total: 129.9, currency: "EUR", lines: [{ sku: "TK-1", n: 2 }, { sku: "TK-9", n: 1 }] },
    gateway: "north",
    tries: 3,
    live: true,
    coupon: null,
    empty: {},
  },
  stack: "TimeoutError: gateway did not answer in 5000 ms\n    at Gateway.charge (/srv/shop/gateway.js:118:11)\n    at async Checkout.pay (/srv/shop/checkout.js:64:20)\n    at async handler (/srv/shop/routes/pay.js:22:5)",
};

/** One event for each hostile string, with it in every field. */
export function hostileEvents() {
  return HOSTILE.map((text) => ({
    level: "error",
    message: `hostile ${text}`,
    source: text,
    env: text,
    release: text,
    user_id: text,
    request_id: text,
    tags: [text],
    stack: `${text}\n    at ${text}`,
    ctx: { [text]: text, list: [text], deep: { [text]: { [text]: text } } },
  }));
}
