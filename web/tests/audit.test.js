import assert from "node:assert/strict";
import { test } from "node:test";
import { onWhatText, resultText, whatText, whoText } from "../lib/audit.js";

const ENTRY = { id: "1", at: "2026-11-20T10:00:00Z", actor: "admin_token", network: "203.0.113.0/24", request_id: null, action: "purge", target: "", parameters: {}, result: {} };

test("a row of the audit log says who did what", () => {
  assert.equal(whoText(ENTRY), "Admin token, 203.0.113.0/24");
  assert.equal(whoText({ ...ENTRY, actor: "cli", network: null }), "Command line");
  assert.equal(whatText({ ...ENTRY, action: "alert_rule.update" }), "Changed an alert rule");
  assert.equal(whatText({ ...ENTRY, action: "key.revoke" }), "Revoked a key");
  assert.equal(whatText({ ...ENTRY, action: "issues.change" }), "Changed issues");
  assert.equal(whatText(ENTRY), "Purged events");
  assert.equal(whatText({ ...ENTRY, action: "something.new" }), "something.new");
});

test("a row of the audit log says on what, without what was not given", () => {
  assert.equal(onWhatText({ ...ENTRY, target: "project 2", parameters: { retention_days: 3, minute_cap: null, scrub: { off: false, extra_keys: ["pin", "iban"] } } }),
    "project 2: retention 3 days, scrub (off no, extra keys pin iban)");
  assert.equal(onWhatText({ ...ENTRY, action: "project.update", target: "project 2", parameters: { minute_cap: null, name: "", scrub: { off: false, extra_keys: [] } } }), "project 2: minute cap none, name none, scrub (off no, extra keys none)", "what was taken away is said");
  assert.equal(onWhatText({ ...ENTRY, target: "all projects" }), "all projects");
  assert.equal(onWhatText({ ...ENTRY, target: "project 2", parameters: { retention_days: 1, minute_cap: 4000 } }, [{ id: 2, slug: "shop" }]), "project shop: retention 1 day, cap 4,000 events a minute");
  assert.equal(onWhatText({ ...ENTRY, target: "project 9", parameters: { q: "level:fatal" } }, [{ id: 2, slug: "shop" }]), "project 9: matching “level:fatal”");
  assert.equal(onWhatText({ ...ENTRY, parameters: { cooldown_sec: 900, n: 5 } }), "cooldown 15 min, n 5");
  assert.equal(onWhatText({ ...ENTRY, parameters: { q: "x".repeat(500) } }).length, 201);
});

test("a change of issues says what was done to how many, and to which", () => {
  const issues = (/** @type {unknown} */ how, ids = ["1-a", "1-b"], /** @type {unknown} */ result = { state: "done", changed: ids.length }) =>
    ({ ...ENTRY, action: "issues.change", parameters: { ids, do: how }, result });
  assert.equal(whatText(issues("reopen")), "Reopened 2 issues");
  assert.equal(whatText(issues("resolve", ["1-a"])), "Resolved 1 issue");
  assert.equal(whatText(issues({ mute_until: "2026-11-21T10:00:00Z" }, ["1-a", "1-b"], { state: "begun" })), "Muted 2 issues");
  assert.equal(onWhatText(issues("reopen", ["1-a", "1-b", "1-c", "1-d"])), "1-a, 1-b, 1-c and 1 more");
  assert.equal(onWhatText(issues({ mute_until_per_hour: 100 }, ["1-a"])), "1-a: mute until per hour 100");
});

test("a row of the audit log says how it ended and how much it did", () => {
  assert.equal(resultText({ state: "done", found: true }), "Done");
  assert.equal(resultText({ state: "done", found: false }), "Nothing was there");
  assert.equal(resultText({ state: "done", deleted_events: 1200, merged_blocks: 3, deleted_alerts: 0, took_ms: 8, complete: false }), "Done: 1,200 events deleted, merged blocks 3, not complete");
  assert.equal(resultText({ state: "done", ran: true, deleted_events: 0, deleted_issues: 312, removed_projects: 1, slices: 2 }), "Done: 0 events deleted, deleted issues 312, removed projects 1");
  assert.equal(resultText({ state: "done", ran: false, lease: { owner: "a", expires_in_ms: 1 } }), "Not run: another run was at it, or just had been");
  assert.equal(resultText({ state: "done", ran: false, lease: null, complete: false, waiting: true }), "Waits for its turn");
  assert.equal(resultText({ state: "done", taken_by: 5 }), "Not made: rule 5 is there already");
  assert.equal(resultText({ state: "done", changed: 1 }), "Done: 1 issue changed");
  assert.equal(resultText({ state: "failed", code: "storage_unavailable" }), "Failed: storage unavailable");
  assert.equal(resultText({ state: "begun" }), "Begun; its end is not known");
  assert.equal(resultText(null), "");
});
