import assert from "node:assert/strict";
import { test } from "node:test";
import { onWhatText, resultText, whatText, whoText } from "../lib/audit.js";

const ENTRY = { id: "1", at: "2026-11-20T10:00:00Z", actor: "admin_token", network: "203.0.113.0/24", request_id: null, action: "purge", target: "", parameters: {}, result: {} };

test("a row of the audit log says who did what", () => {
  assert.equal(whoText(ENTRY), "Admin token, 203.0.113.0/24");
  assert.equal(whoText({ ...ENTRY, actor: "cli", network: null }), "Command line");
  assert.equal(whatText("alert_rule.update"), "Changed an alert rule");
  assert.equal(whatText("key.revoke"), "Revoked a key");
  assert.equal(whatText("issues.change"), "Changed issues");
  assert.equal(whatText("purge"), "Purged events");
  assert.equal(whatText("something.new"), "something.new");
});

test("a row of the audit log says on what, without what was not given", () => {
  assert.equal(onWhatText({ ...ENTRY, target: "project 2", parameters: { retention_days: 3, minute_cap: null, scrub: { off: false, extra_keys: ["pin", "iban"] } } }),
    "project 2: retention days 3, scrub (off no, extra keys pin iban)");
  assert.equal(onWhatText({ ...ENTRY, target: "all projects" }), "all projects");
  assert.equal(onWhatText({ ...ENTRY, parameters: { q: "x".repeat(500) } }).length, 201);
});

test("a row of the audit log says how it ended and how much it did", () => {
  assert.equal(resultText({ state: "done", found: true }), "Done");
  assert.equal(resultText({ state: "done", found: false }), "Nothing was there");
  assert.equal(resultText({ state: "done", deleted_events: 1200, merged_blocks: 3, took_ms: 8, complete: false }), "Done: 1,200 events deleted, not complete");
  assert.equal(resultText({ state: "done", changed: 1 }), "Done: 1 issue changed");
  assert.equal(resultText({ state: "failed", code: "storage_unavailable" }), "Failed: storage unavailable");
  assert.equal(resultText({ state: "begun" }), "Begun; its end is not known");
  assert.equal(resultText(null), "");
});
