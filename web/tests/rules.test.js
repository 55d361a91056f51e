import assert from "node:assert/strict";
import { test } from "node:test";
import { answerText, ruleLimits } from "../lib/rules.js";

const ANSWER = { delivered: true, status: 200, detail: "delivered (HTTP 200)", retry_after_ms: null };

test("a channel's answer says once whether it was delivered, and with which status", () => {
  assert.equal(answerText(ANSWER), "Delivered, status 200.");
  assert.equal(answerText({ ...ANSWER, delivered: false, status: 404, detail: "the channel refused it (HTTP 404)" }), "Not delivered, status 404: the channel refused it.");
  assert.equal(answerText({ ...ANSWER, delivered: false, status: 429, detail: "too many messages (HTTP 429)", retry_after_ms: 1500 }),
    "Not delivered, status 429: too many messages. It asks to wait 2 s.");
  assert.equal(answerText({ ...ANSWER, delivered: false, status: null, detail: "no answer within 10 s." }), "Not delivered: no answer within 10 s.");
});

test("a rule of no channel is told from one of every channel, and from one whose channels are none yet", () => {
  const rule = { id: 1, project_id: null, kind: "spike", name: "spike", enabled: true, source: /** @type {const} */ ("custom"), cooldown_sec: 900 };
  const name = (/** @type {number | string} */ id) => `number ${id}`;
  const told = (/** @type {number[] | null} */ channels, none = false) => ruleLimits({ ...rule, channels }, name, none ? 0 : 2).replace("Repeats at most every 15 min; ", "");
  assert.equal(told(null), "to every channel of the project.");
  assert.equal(told(null, true), "to no channel yet.");
  assert.equal(told([]), "kept in the history alone.");
  assert.equal(told([], true), "kept in the history alone.");
  assert.equal(told([3, 4]), "to number 3, number 4.");
});
