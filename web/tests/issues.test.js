import assert from "node:assert/strict";
import { test } from "node:test";
import { issueAddress } from "../lib/filters.js";
import { issueLogs, issuesAddress, issuesQuery, muteText, obstacle, readIssueFilters, stateText, wayBack } from "../parts/issue.js";

const NOW = Date.parse("2026-11-21T12:00:00Z");

/** @param {Partial<import("../parts/issue.js").Issue>} [facts] @returns {import("../parts/issue.js").Issue} */
function issue(facts = {}) {
  return {
    id: "1-00000000000000ab", project_id: 1, project: "shop", fingerprint: "00000000000000ab", title: "t", level: "error", source: "s", status: "open",
    new: false, regressed: false, first_seen: "2026-11-20T12:00:00Z", last_seen: "2026-11-21T11:00:00Z", count: 2, first_release: null, last_release: null,
    resolved_at: null, muted_until: null, muted_until_per_hour: null, ...facts,
  };
}

test("filters of the issue list survive their address, and defaults stay out of it", () => {
  for (const text of ["", "?status=muted", "?status=all&sort=count&level=fatal&project=shop&q=a%26b+c"]) {
    const address = issuesAddress(readIssueFilters(new URLSearchParams(text)));
    assert.equal(address, `/ui/issues${text}`);
  }
  assert.deepEqual(readIssueFilters(new URLSearchParams("?status=gone&sort=<b>&level=x")), { status: "open", sort: "last_seen", level: "", project: "", q: "" });
});

test("the API is asked with what the filters say", () => {
  const filters = { status: "all", sort: "count", level: "fatal", project: "shop", q: "50 %" };
  assert.equal(issuesQuery(filters, "1.2-x"), "/issues?status=all&sort=count&level=fatal&project_id=shop&q=50+%25&cursor=1.2-x");
  assert.equal(issuesQuery({ ...filters, level: "", project: "", q: "" }), "/issues?status=all&sort=count");
});

test("an issue's address can't be broken out of", () => {
  assert.equal(issueAddress({ project_id: 3, fingerprint: "../?x#y" }), "/ui/issues/3-..%2F%3Fx%23y");
});

test("the logs of an issue are those it counts, from its first on: what is quieter and alike is not among them", () => {
  const address = issueLogs({ ...issue({ first_seen: "2026-11-02T12:00:41.500Z" }), project: "shop", fingerprint: "0123456789abcdef" }, "-user_id:u1");
  assert.equal(address, "/ui/logs?q=fingerprint%3A0123456789abcdef+-user_id%3Au1&project=shop&level=error%2Cfatal&from=2026-11-02T12%3A00%3A00.000Z");
});

test("a state is told in words", () => {
  const at = "2026-11-21T11:00:00Z";
  assert.equal(stateText(issue(), NOW), "Open");
  assert.equal(stateText(issue({ regressed: true, resolved_at: at }), NOW), "Open, seen again after it was resolved 60 min ago");
  assert.equal(stateText(issue({ status: "resolved", resolved_at: at }), NOW), "Resolved 60 min ago");
  assert.equal(stateText(issue({ status: "muted", muted_until: "2026-11-22T12:00:00Z" }), NOW), "Muted; that ends in 24 h");
  assert.equal(stateText(issue({ status: "muted", muted_until_per_hour: 50 }), NOW), "Muted until more than 50 come in an hour");
});

test("a decision that would change nothing says why, and a menu names what it is for", () => {
  const open = issue(), resolved = issue({ status: "resolved" }), muted = issue({ status: "muted" });
  assert.equal(obstacle("mute", []), "No issue is selected.");
  assert.equal(obstacle("reopen", [open]), "It is open already.");
  assert.equal(obstacle("resolve", [resolved, resolved]), "They are resolved already.");
  for (const [action, issues] of /** @type {const} */ ([["reopen", [open, muted]], ["resolve", [open, resolved]], ["resolve", [muted]], ["mute", [open]], ["mute", [muted]]])) assert.equal(obstacle(action, issues), "", action);
  assert.equal(muteText([issue({ title: "card declined at once" })]), "Mute “card declined at once”");
  assert.equal(muteText([open, muted]), "Mute 2 issues");
});

test("taking back brings each issue to the state it was in, with as few requests as can be", () => {
  const until = "2026-11-22T12:00:00Z";
  const before = [
    issue({ id: "a" }), issue({ id: "b", status: "muted", muted_until: until }), issue({ id: "c" }),
    issue({ id: "d", status: "resolved" }), issue({ id: "e", status: "muted", muted_until_per_hour: 5 }),
  ];
  assert.deepEqual(wayBack(before), [
    { ids: ["a", "c"], decision: { action: "reopen" } },
    { ids: ["b"], decision: { action: "mute", until } },
    { ids: ["d"], decision: { action: "resolve" } },
    { ids: ["e"], decision: { action: "mute", until_per_hour: 5 } },
  ]);
});
